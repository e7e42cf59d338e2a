//! A registry of services. `registry ADDRESS SERVICE INSTANCE` registers INSTANCE as running
//! SERVICE while the program runs, however it ends. `registry ADDRESS SERVICE` prints who runs it,
//! again at each change. ADDRESS is that of any telefile server.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use telefile::{Client, Exptime, Refusal};

const MINUTE: Duration = Duration::from_secs(60);

/// The entry is an ephemeral file: it ends with this connection, however that ends.
fn register(client: &Client, name: &str) -> Result<(), Box<dyn Error>> {
    client.write_expiring(name, "", Exptime::Connection)?;
    println!("registered");
    while io::stdin().read_line(&mut String::new())? > 0 {}
    Ok(())
}

/// Lists once, then watches from the list's version: nothing is missed in between.
fn follow(client: &Client, prefix: &str) -> Result<(), Box<dyn Error>> {
    loop {
        let list = client.list(prefix, 10_000, None)?;
        let names = list.files.iter().map(|file| &file.name[prefix.len()..]);
        println!("{prefix} {}", names.collect::<Vec<_>>().join(" "));
        let mut rev = list.version;
        loop {
            match client.watch(prefix, rev, MINUTE) {
                Ok(news) if news.changes.is_empty() => rev = news.version, // the minute is over
                Ok(_) => break,
                // Too much was deleted meanwhile to watch on: only a new list is complete.
                Err(e) if matches!(e.refusal(), Some(Refusal::Compacted(_))) => break,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [address, service, instance] => {
            register(&Client::connect(address)?, &format!("svc/{service}/{instance}"))
        }
        [address, service] => follow(&Client::connect(address)?, &format!("svc/{service}/")),
        _ => Err("usage: registry ADDRESS SERVICE [INSTANCE]".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("registry: {e}");
            ExitCode::FAILURE
        }
    }
}
