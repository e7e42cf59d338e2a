//! Chapter 16: a server stops in the middle of a batch, and no reply is cut.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use telefile::{Client, Server};

const CONTENTS: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let idle = Client::connect(&address)?;
    idle.write("f", vec![b'x'; CONTENTS])?;

    // 100 MiB of replies: more than the kernel's buffers hold.
    let mut client = TcpStream::connect(&address)?;
    client.write_all("read f\n".repeat(400).as_bytes())?;
    let mut received = vec![0; 8];
    client.read_exact(&mut received)?;
    println!("the first reply begins with {}: stop", String::from_utf8_lossy(&received));

    let stopping = thread::spawn(move || server.stop());
    assert!(idle.wait_lost(Duration::from_secs(10))?);
    assert!(TcpStream::connect(&address).is_err());
    println!("the idle client is gone, and the door is closed");

    let _ = client.read_to_end(&mut received); // the last thing may be a reset
    let reply = "CONTENTS 1 262144 0\r\n".len() + CONTENTS + "\r\n".len();
    let (replies, cut) = (received.len() / reply, received.len() % reply);
    println!("{replies} of 400 replies came");
    assert!(cut == 0 && replies < 400, "{cut} bytes of a reply");
    stopping.join().expect("a stop does not panic")?;
    println!("each of them is whole, and the server is closed");
    Ok(())
}
