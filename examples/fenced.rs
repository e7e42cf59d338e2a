//! Checks fencing tokens: files that refuse a holder who has lost its lock without knowing it.
//! `fenced 127.0.0.1:8080` serves; a client opens a file with type `Fenced`.
//!
//! A write is `TOKEN CONTENTS`, or `TOKEN` alone. The token is the one in the lock's guard: each
//! later holder's is greater. So a write is denied if a greater token came before. The token alone
//! leaves the contents. A client that reads, computes and writes must send it first: then an
//! earlier holder of the lock can no longer change what is read.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use telefile::{Contents, File, Name, Refusal, Server, file_types};

/// By name, the greatest token so far, and the contents. This outlives the files: a file is dropped
/// at its last close, and an old token would be valid again.
pub(crate) type Files = Arc<Mutex<BTreeMap<String, (u64, String)>>>;

pub(crate) struct Fenced {
    name: String,
    files: Files,
}

impl File<Files> for Fenced {
    fn create(name: &Name, files: &Files) -> Result<Self, Refusal> {
        Ok(Fenced { name: name.as_str().to_string(), files: files.clone() })
    }

    fn write(&mut self, written: Contents) -> Result<(), Refusal> {
        let text = std::str::from_utf8(&written).map_err(|_| Refusal::Denied)?;
        let (token, contents) = match text.split_once(' ') {
            Some((token, contents)) => (token, Some(contents)),
            None => (text.trim_end(), None),
        };
        let token = token.parse().map_err(|_| Refusal::Denied)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.entry(self.name.clone()).or_default();
        if token < file.0 {
            return Err(Refusal::Denied); // another client has acquired the lock since
        }
        file.0 = token;
        file.1 = contents.map_or(std::mem::take(&mut file.1), String::from);
        Ok(())
    }

    /// Returns what was written: the token, and the contents.
    fn read(&mut self) -> Result<Contents, Refusal> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, contents) = files.entry(self.name.clone()).or_default();
        Ok(format!("{token} {contents}").into())
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_string());
    let types = file_types![Fenced with Files::default()];
    let server = Server::builder().listen(address.parse()?).types(types).bind()?;
    println!("listening on {}", server.addresses()[0]);
    Ok(server.run()?)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("fenced: {e}");
            ExitCode::FAILURE
        }
    }
}
