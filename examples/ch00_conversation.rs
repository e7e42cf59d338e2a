//! Chapter 0: a conversation with a server, typed by a program.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use telefile::Server;

const CONVERSATION: [&str; 9] = [
    "> read foo",
    "< ERR_FILE_NOT_FOUND",
    "> write foo 6",
    "> abcdef",
    "< OK 1",
    "> read foo",
    "< CONTENTS 1 6 0",
    "< abcdef",
    "> quit",
];

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let mut connection = TcpStream::connect(server.addresses()[0].to_string())?;
    let mut replies = BufReader::new(connection.try_clone()?).lines();

    for line in CONVERSATION {
        match line.split_at(2) {
            ("> ", request) => connection.write_all(format!("{request}\n").as_bytes())?,
            (_, expected) => assert_eq!(replies.next().ok_or("the server left")??, expected),
        }
        println!("{line}");
    }
    assert!(replies.next().is_none(), "nothing follows `quit`");
    server.stop()?;
    println!("lines went, lines came back");
    Ok(())
}
