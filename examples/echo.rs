//! Sends every message back. `echo ADDRESS` serves.

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use telefile::framework::{OwnedMessage, Server, ServerApp, ServerConfig};

struct Echo;

impl ServerApp for Echo {
    type Context = ();

    fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Echo)
    }

    fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
        client.send(message);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:54314".to_string());
    let server = Server::spawn(ServerConfig::<Echo>::new(()).listen(address.parse()?))?;
    println!("listening on {}", server.addresses()[0]);
    loop {
        thread::park(); // until the process is killed
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("echo: {e}");
            ExitCode::FAILURE
        }
    }
}
