//! Chapter 10, build it: append a line to a file without losing a line of somebody else.

use telefile::client::Error;
use telefile::{Client, Refusal, Server, Version};

/// Returns the text of the file "log" and its version; no file is an empty text.
fn read(client: &Client) -> Result<(String, Version), Error> {
    match client.read("log") {
        Ok(seen) => Ok((String::from_utf8_lossy(&seen.contents).into_owned(), seen.version)),
        Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok((String::new(), Version::ABSENT)),
        Err(e) => Err(e),
    }
}

/// Appends a line. Calls `think` between reading and writing, as a slow program would take time.
fn append(client: &Client, line: &str, mut think: impl FnMut()) -> Result<(), Error> {
    let (text, _version) = read(client)?;
    think();
    client.write("log", text + line + "\n")?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let (ann, bob) = (Client::connect(&address)?, Client::connect(&address)?);

    // Bob is faster than Ann twice, while she thinks.
    let mut bobs = ["bob 1", "bob 2"].into_iter();
    append(&ann, "ann", || {
        if let Some(line) = bobs.next() {
            append(&bob, line, || {}).expect("nobody disturbs Bob");
        }
    })?;

    let (log, _) = read(&ann)?;
    print!("{log}");
    assert_eq!(log, "bob 1\nbob 2\nann\n", "a line is lost");
    println!("all three lines are there");
    Ok(())
}
