//! Chapter 21: a clumsy client asks a server and a model the same, and compares the answers.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::{env, error::Error, net::TcpStream};

/// What a server should do: the versions and contents of the files, and the latest version.
struct Model(BTreeMap<u64, (u64, u64)>, u64);

impl Model {
    fn ask(&mut self, verb: &str, name: u64, version: u64, contents: u64) -> (String, String) {
        let Model(files, last) = self;
        let current = files.get(&name).map_or(0, |file| file.0);
        let request = match verb {
            "write" => format!("write {name} 1\n{contents}\n"),
            "cas" => format!("cas {name} {version} 1\n{contents}\n"),
            "delete" => format!("delete {name}\n"),
            _ => format!("read {name}\n"),
        };
        let reply = match (verb, files.get(&name)) {
            ("cas", _) if version != current => format!("ERR_VERSION {current}\r\n"),
            ("write" | "cas", _) => {
                *last += 1;
                files.insert(name, (*last, contents));
                format!("OK {last}\r\n")
            }
            (_, None) => "ERR_FILE_NOT_FOUND\r\n".to_string(),
            ("delete", Some(_)) => {
                *last += 1;
                files.remove(&name).map(|_| "OK\r\n".to_string()).unwrap_or_default()
            }
            (_, Some((version, contents))) => format!("CONTENTS {version} 1 0\r\n{contents}\r\n"),
        };
        (request, reply)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let client = TcpStream::connect(server.addresses()[0].to_string())?;
    client.set_nodelay(true)?; // each piece at once
    let mut replies = BufReader::new(&client).lines();
    let seed = env::args().nth(1).map(|seed| seed.parse()).transpose()?;
    let mut random = seed.unwrap_or(RandomState::new().hash_one(()));
    println!("seed {random}");
    let mut below = |n: u64| {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1); // Knuth's MMIX
        (random >> 33) % n
    };
    let mut model = Model(BTreeMap::new(), 0);
    for number in 0..2000 {
        let version = model.1.saturating_sub(below(3));
        let verb = ["write", "cas", "delete", "read"][below(4) as usize];
        let (request, expected) = model.ask(verb, below(3), version, below(10));
        for piece in request.as_bytes().chunks(1 + below(9) as usize) {
            (&client).write_all(piece)?;
        }
        for expected in expected.lines() {
            let line = replies.next().ok_or("the connection has ended")??;
            assert_eq!(line, expected, "request {number}: {request:?}");
        }
    }
    println!("2000 requests in small pieces, and each reply was that of the model");
    Ok(())
}
