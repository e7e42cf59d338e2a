//! A program that takes its configuration from a file on a telefile server, and takes it again
//! whenever it changes: `config_reload ADDRESS NAME`. It goes on when the connection is lost, and
//! also when the server was started again.

use std::error::Error;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use telefile::client::{self, Client};
use telefile::{Contents, Refusal};

const DAY: Duration = Duration::from_secs(86_400);

/// The version and the contents; 0 is a file that does not exist.
fn read(client: &Client, name: &str) -> Result<(u64, Option<Contents>), client::Error> {
    match client.read(name) {
        Ok(file) => Ok((file.version, Some(file.contents))),
        Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok((0, None)),
        Err(e) => Err(e),
    }
}

/// Takes the configuration whenever it is at another version than `known`.
fn follow(client: &Client, name: &str, known: &mut Option<u64>) -> Result<(), client::Error> {
    loop {
        let (version, contents) = read(client, name)?;
        if known.replace(version) != Some(version) {
            match contents {
                Some(contents) => println!("configured: {}", String::from_utf8_lossy(&contents)),
                None => println!("configured: as by default"),
            }
        }
        client.wait(name, version, DAY)?;
    }
}

/// Connects again, as soon as there is a server. In another table versions mean nothing any more, so
/// whatever is there is news.
fn reconnect(
    lost: &Client,
    address: &str,
    known: &mut Option<u64>,
) -> Result<Client, client::Error> {
    let mut same_table = true;
    loop {
        let connected = if same_table { lost.reconnect() } else { Client::connect(address) };
        match connected {
            Err(client::Error::OtherTable) => (same_table, *known) = (false, None),
            Err(e) if e.is_retryable() => sleep(Duration::from_millis(100)),
            done => return done,
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [address, name] = &args[..] else { return Err("usage: config_reload ADDRESS NAME".into()) };
    let mut client = Client::connect(address)?;
    let mut known = None;
    loop {
        match follow(&client, name, &mut known) {
            Err(e @ client::Error::Lost(_)) => eprintln!("{e}; the configuration stays"),
            done => return Ok(done?),
        }
        client = reconnect(&client, address, &mut known)?;
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("config_reload: {e}");
            ExitCode::FAILURE
        }
    }
}
