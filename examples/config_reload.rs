//! A program that reads its configuration from a file on a telefile server, and reads it again at
//! each change: `config_reload ADDRESS NAME`. It continues after a lost connection and after a
//! restart of the server.

use std::error::Error;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use telefile::client::{self, Client};
use telefile::{Contents, Refusal, Version};

const DAY: Duration = Duration::from_secs(86_400);

/// Returns the version and the contents, which are `None` if the file does not exist.
fn read(client: &Client, name: &str) -> Result<(Version, Option<Contents>), client::Error> {
    match client.read(name) {
        Ok(file) => Ok((file.version, Some(file.contents))),
        Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok((Version::ABSENT, None)),
        Err(e) => Err(e),
    }
}

/// Applies the configuration whenever its version is not `known`.
fn follow(client: &Client, name: &str, known: &mut Option<Version>) -> Result<(), client::Error> {
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

/// Connects again, as soon as there is a server. Versions mean nothing in another table, so
/// whatever is there counts as new.
fn reconnect(
    lost: &Client,
    address: &str,
    known: &mut Option<Version>,
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
