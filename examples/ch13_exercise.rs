//! Chapter 13, build it: a file that counts votes.

use telefile::{Client, Contents, File, Name, Refusal, Server, file_types};

/// A write of `yes` or `no` is a vote. A read shows the result.
#[derive(Default)]
struct Vote {
    yes: u64,
    no: u64,
}

impl File for Vote {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Vote::default())
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(format!("yes {}, no {}", self.yes, self.no).into())
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        match &contents[..] {
            b"no" => self.no += 1,
            _ => self.yes += 1,
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).types(file_types![Vote]);
    let server = server.bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let (ann, bob) = (Client::connect(&address)?, Client::connect(&address)?);
    let (anns, bobs) = (ann.open("tea", Some("Vote"))?, bob.open("tea", Some("Vote"))?);
    anns.write("yes")?;
    let version = bobs.write("no")?;
    let refused = bobs.write("perhaps").err();
    let refusal = refused.as_ref().and_then(|error| error.refusal());
    assert_eq!(refusal, Some(&Refusal::Denied), "`perhaps` is no vote");
    let result = anns.read()?;
    println!("{}", String::from_utf8_lossy(&result.contents));
    assert_eq!((&*result.contents, result.version), (&b"yes 1, no 1"[..], version));
    println!("two votes are counted");
    Ok(())
}
