//! Chapter 13: two file types of our own, and what happens when one of them fails.

use telefile::client::Error;
use telefile::{Client, Contents, File, Name, Refusal, Server, file_types};

/// Keeps the longest text that was written.
struct Longest(Contents);

impl File for Longest {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Longest("".into()))
    }
    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(self.0.clone())
    }
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        if contents.len() > self.0.len() {
            self.0 = contents;
        }
        Ok(())
    }
}

/// Has a fault.
struct Fragile;

impl File for Fragile {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Fragile)
    }
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        assert!(contents.len() < 3, "the contents of this test are short");
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?);
    let server = server.types(file_types![Longest, Fragile]).bind()?.spawn()?;
    let ann = Client::connect_to(&server.addresses()[0])?;
    let bob = ann.reconnect()?;
    println!("types: {}", ann.types()?.join(" "));

    let (anns, bobs) = (ann.open("word", Some("Longest"))?, bob.open("word", Some("Longest"))?);
    anns.write("hippopotamus")?;
    let version = bobs.write("cat")?;
    let word = anns.read()?;
    println!("version {version} is {}", String::from_utf8_lossy(&word.contents));
    assert_eq!((&*word.contents, word.version), (&b"hippopotamus"[..], version));

    std::panic::set_hook(Box::new(|_| println!("a panic in a type's code")));
    let fragile = ann.open("glass", Some("Fragile"))?;
    let refusal = |error: Error| error.refusal().map(Refusal::word);
    println!("a read: {:?}", fragile.read().map_err(refusal).unwrap_err());
    let failed = fragile.write("stone").map_err(refusal);
    println!("a write: {:?}", failed.unwrap_err());
    assert_eq!((failed, fragile.write("ok").is_ok()), (Err(Some("ERR_INTERNAL")), true));
    println!("the server goes on");
    Ok(())
}
