//! Two clients that share the state of `myserver`: `myclient 127.0.0.1:8080`. Without an argument
//! the address is that of `TELEFILE_ADDR`, or this one.

use std::process::ExitCode;
use telefile::Client;
use telefile::client::{Error, OpenFile};

fn print(file: &OpenFile) -> Result<(), Error> {
    println!("{}", String::from_utf8_lossy(&file.read()?.contents));
    Ok(())
}

fn run() -> Result<(), Error> {
    let address = std::env::args().nth(1).or(std::env::var("TELEFILE_ADDR").ok());
    let address = address.unwrap_or("127.0.0.1:8080".to_string());
    let fs = Client::connect(&address)?;

    let fd = fs.open("make_up_name", Some("MyFile"))?;
    fd.write("Hello!")?;
    print(&fd)?; // {"make_up_name": "Hello!"}

    // Another user opens the same file, over a connection of its own, and gets the same descriptor.
    let another = Client::connect(&address)?;
    let fd2 = another.open("make_up_name", Some("MyFile"))?;
    assert_eq!(fd2.descriptor(), fd.descriptor());
    print(&fd2)?; // {"make_up_name": "Hello!"}

    let fd3 = another.open("different_name", Some("MyFile"))?;
    fd3.write("World!")?;
    print(&fd3)?; // {"different_name": "World!", "make_up_name": "Hello!"}

    // The last close of a file removes its entry.
    fd3.close()?;
    print(&fd)?; // {"make_up_name": "Hello!"}

    fd2.close()?;
    fd.close()
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("myclient: {e}");
            ExitCode::FAILURE
        }
    }
}
