//! Chapter 0, build it: write a request for contents of any letters.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use telefile::Server;

/// Returns what to type to write `contents` to the file `name`.
fn write_request(name: &str, contents: &str) -> String {
    format!("write {name} {}\n{contents}\n", contents.chars().count())
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let mut connection = TcpStream::connect(server.addresses()[0].to_string())?;
    let mut replies = BufReader::new(connection.try_clone()?).lines();
    for (contents, expected) in [("abcdef", "OK 1"), ("", "OK 2"), ("déjà vu", "OK 3")] {
        connection.write_all(write_request("foo", contents).as_bytes())?;
        let reply = replies.next().ok_or("the server left")??;
        assert_eq!(reply, expected, "for {contents:?}");
    }
    println!("any letters arrive");
    Ok(())
}
