//! Two clients that share what `myserver` keeps: `myclient 127.0.0.1:5432`.

use telefile::Client;
use telefile::client::{Error, OpenFile};

fn print(file: &OpenFile) -> Result<(), Error> {
    println!("{}", String::from_utf8_lossy(&file.read()?.contents));
    Ok(())
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5432".to_string());
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
