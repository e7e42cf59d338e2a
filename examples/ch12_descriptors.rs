//! Chapter 12: the descriptors of a file, here and in the kernel.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use telefile::{Client, Refusal, Server};

/// Opens a file of the system, deletes it, and reads it. Returns what the kernel says of it.
fn kernel() -> std::io::Result<String> {
    let folder = std::env::temp_dir().join(format!("telefile-ch12-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::write(folder.join("note"), "still here")?;
    let mut file = fs::File::open(folder.join("note"))?;
    fs::remove_dir_all(&folder)?;
    let mut contents = String::new();
    file.read_to_string(&mut contents)?;
    assert_eq!(contents, "still here");
    let links = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
    let mut names = links.filter_map(|link| Some(link.file_name()?.to_str()?.to_string()));
    let deleted = names.find(|name| name.ends_with("(deleted)"));
    Ok(deleted.unwrap_or_else(|| "note, but this system does not show it".to_string()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let (ann, bob) = (Client::connect(&address)?, Client::connect(&address)?);

    let (anns, bobs) = (ann.open("lobby", None)?, bob.open("lobby", None)?);
    let (fd, opens) = (anns.descriptor(), anns.stat()?.opens);
    println!("Ann has @{fd}, Bob has @{}, and it is open {opens} times", bobs.descriptor());
    assert_eq!((fd, opens), (bobs.descriptor(), 2));

    let mut eve = TcpStream::connect(&address)?;
    eve.write_all(b"open lobby\nquit\n")?;
    let mut reply = String::new();
    eve.read_to_string(&mut reply)?; // until the end of the connection
    println!("Eve got {:?} and left: {} opens", reply.trim_end(), bobs.stat()?.opens);
    anns.close()?;
    println!("Ann has closed it: {} open", bobs.stat()?.opens);
    assert_eq!(bobs.stat()?.opens, 1);
    bobs.close()?;
    assert_eq!(ann.stat("lobby").unwrap_err().refusal(), Some(&Refusal::NotFound));
    println!("Bob has closed it: it is gone");

    ann.write("note", "still here")?;
    let note = bob.open("note", None)?;
    ann.delete("note", None)?;
    assert_eq!(&*note.read()?.contents, b"still here");
    println!("note is deleted, and @{} still reads", note.descriptor());
    println!("the kernel does the same: {}", kernel()?);
    Ok(())
}
