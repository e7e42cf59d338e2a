//! Chapter 9: a lock that is held during a slow send, and one that is not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, mpsc};
use std::thread;
use telefile::{Client, Contents, Server};

/// More than a socket holds, so that sending it waits for the client to read.
const LARGE: usize = 32 << 20;

/// Serves A, which reads late, and B. Returns their names in the order in which they are served.
fn serve(holds: bool) -> Vec<&'static str> {
    let table = Mutex::new(Contents::from(vec![b'x'; LARGE]));
    let (mut server, mut client) = UnixStream::pair().expect("two sockets");
    let (a, events) = mpsc::channel();
    let b = a.clone();
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = table.lock().unwrap();
            let contents = guard.clone();
            let held = holds.then_some(guard); // otherwise the lock is released here
            server.write_all(&contents).unwrap();
            a.send("A").unwrap();
            drop((held, server));
        });
        client.read_exact(&mut [0]).unwrap(); // A's reply is on its way
        let b = scope.spawn(|| {
            b.send("B asks").unwrap();
            let _guard = table.lock().unwrap();
            b.send("B").unwrap();
        });
        assert_eq!(events.recv(), Ok("B asks"));
        if !holds {
            b.join().unwrap(); // B is served although A still waits
        }
        io::copy(&mut client, &mut io::sink()).unwrap(); // now A reads
    });
    events.try_iter().collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (held, released) = (serve(true), serve(false));
    println!("the lock is held while sending:   {}", held.join(", then "));
    println!("the lock is released before that: {}", released.join(", then "));
    assert_eq!((held, released), (vec!["A", "B"], vec!["B", "A"]));

    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let b = Client::connect(&address)?;
    b.write("large", vec![b'x'; LARGE])?;
    let mut a = TcpStream::connect(&address)?;
    a.write_all(b"read large\n")?;
    a.read_exact(&mut [0])?; // the reply is on its way, and A reads no more of it
    println!("B writes version {} meanwhile", b.write("small", "hello")?);
    println!("nobody waits for a slow client");
    Ok(())
}
