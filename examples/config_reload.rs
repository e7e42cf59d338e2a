//! A program that takes its configuration from a file on a telefile server, and takes it again
//! whenever it changes: `config_reload ADDRESS NAME`. It goes on when the connection is lost, and
//! also when the server was started again.

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;
use telefile::client::{self, Client};
use telefile::{Contents, Refusal};

const MINUTE: Duration = Duration::from_secs(60);

/// The version and the contents, when they are others than those `known`; 0 is a file that is not
/// there.
fn next(
    client: &Client,
    name: &str,
    known: Option<u64>,
) -> Result<(u64, Option<Contents>), client::Error> {
    let mut rev = known.unwrap_or(0);
    loop {
        let (version, contents) = match client.read(name) {
            Ok(file) => (file.version, Some(file.contents)),
            Err(e) if e.refusal() == Some(&Refusal::NotFound) => (0, None),
            Err(e) => return Err(e),
        };
        if Some(version) != known {
            return Ok((version, contents));
        }
        // Read before it waits: what has changed since `rev` is told at once.
        match client.watch(name, rev, MINUTE) {
            Ok(news) => rev = news.rev,
            Err(client::Error::Refused { refusal: Refusal::Compacted(now), .. }) => rev = now,
            Err(e) => return Err(e),
        }
    }
}

fn follow(client: &Client, name: &str, known: &mut Option<u64>) -> Result<(), client::Error> {
    loop {
        let (version, contents) = next(client, name, *known)?;
        *known = Some(version);
        match contents {
            Some(contents) => println!("configured: {}", String::from_utf8_lossy(&contents)),
            None => println!("configured: as by default"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [address, name] = &args[..] else { return Err("config_reload ADDRESS NAME".into()) };
    let mut client = Client::connect(address)?;
    let mut known = None;
    loop {
        match follow(&client, name, &mut known) {
            Err(client::Error::Lost(e)) => eprintln!("{e}; the configuration stays"),
            done => return Ok(done?),
        }
        client = loop {
            match client.reconnect() {
                Ok(client) => break client,
                // Versions mean nothing any more: whatever is there now is news.
                Err(client::Error::OtherTable) => {
                    known = None;
                    break Client::connect(address)?;
                }
                Err(_) => sleep(Duration::from_millis(100)),
            }
        };
    }
}
