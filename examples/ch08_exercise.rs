//! Chapter 8, build it: a parser that knows which mistakes leave the next line in doubt.

#[derive(Debug, PartialEq)]
enum Command<'a> {
    Get { key: &'a str },
    Put { key: &'a str, numbytes: usize },
}

#[derive(Debug, PartialEq)]
enum Mistake {
    /// The next command begins after this many bytes.
    Skip(usize),
    /// Nobody knows where the next command begins.
    HangUp,
}

/// Parses `get KEY` or `put KEY NUMBYTES`.
fn parse(line: &str) -> Result<Command<'_>, Mistake> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    match fields[..] {
        ["get", key] => Ok(Command::Get { key }),
        ["put", key, numbytes] => match numbytes.parse() {
            Ok(numbytes) => Ok(Command::Put { key, numbytes }),
            Err(_) => Err(Mistake::HangUp),
        },
        _ => Err(Mistake::HangUp),
    }
}

fn main() {
    assert_eq!(parse("get a"), Ok(Command::Get { key: "a" }));
    assert_eq!(parse("put a 3"), Ok(Command::Put { key: "a", numbytes: 3 }));
    assert_eq!(parse("put a three"), Err(Mistake::HangUp));
    assert_eq!(parse("put a"), Err(Mistake::HangUp));
    assert_eq!(parse("post a"), Err(Mistake::HangUp));
    assert_eq!(parse("get"), Err(Mistake::Skip(0)), "nothing follows a get");
    assert_eq!(parse("get a b"), Err(Mistake::Skip(0)));
    assert_eq!(parse("put a 3 b"), Err(Mistake::Skip(3)), "its contents follow");
    println!("every mistake is of the right kind");
}
