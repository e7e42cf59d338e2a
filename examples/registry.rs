//! A registry of services. `registry ADDRESS SERVICE INSTANCE` registers INSTANCE as running
//! SERVICE while the program runs, however it ends. `registry ADDRESS SERVICE` prints who runs it,
//! again at each change. ADDRESS is that of any telefile server.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use telefile::client::Event;
use telefile::{Client, Exptime};

/// The entry is an ephemeral file: it ends with this connection, however that ends.
fn register(client: &Client, name: &str) -> Result<(), Box<dyn Error>> {
    client.write_expiring(name, "", Exptime::Connection)?;
    println!("registered");
    while io::stdin().read_line(&mut String::new())? > 0 {}
    Ok(())
}

/// Prints the names after each group of changes.
fn follow(client: &Client, prefix: &str) -> Result<(), Box<dyn Error>> {
    let mut follow = client.follow(prefix)?;
    while let Some(event) = follow.next() {
        if let Event::Current(_) = event? {
            let names = follow.files().map(|(name, _)| &name[prefix.len()..]);
            println!("{prefix} {}", names.collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
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
