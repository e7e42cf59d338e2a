//! Chapter 9, build it: answer a client without making the others wait.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;

/// More than a socket holds.
const LARGE: usize = 32 << 20;

type Table = Mutex<Arc<[u8]>>;

/// Sends the table's contents to a client.
fn answer(table: &Table, client: &mut UnixStream) -> io::Result<()> {
    let contents = table.lock().expect("no thread has panicked");
    client.write_all(&contents)
}

fn main() -> io::Result<()> {
    let table = Table::new(vec![b'x'; LARGE].into());
    let (mut server, mut client) = UnixStream::pair()?;
    let free = thread::scope(|scope| {
        scope.spawn(|| {
            answer(&table, &mut server).expect("the client reads in the end");
            drop(server);
        });
        client.read_exact(&mut [0])?; // the answer is on its way
        let free = table.try_lock().is_ok();
        assert_eq!(io::copy(&mut client, &mut io::sink())?, LARGE as u64 - 1);
        Ok::<_, io::Error>(free)
    })?;
    assert!(free, "nobody else can use the table while one client is slow");
    println!("the table is free while a client is slow");
    Ok(())
}
