//! Shows which users are online. `presence ADDRESS` serves. `presence ADDRESS NAME` comes online as
//! NAME and prints all users who are online, again for each line of stdin. A user goes offline when the
//! program ends, also if it is killed.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use telefile::{Client, Contents, File, Name, Refusal, Server, file_types};

/// The names of the users who are online. All files share them.
#[derive(Clone, Default)]
struct Online(Arc<Mutex<BTreeSet<String>>>);

impl Online {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A person. All windows of the same person share one file, which ends with the last window.
struct Person {
    name: String,
    online: Online,
}

impl File<Online> for Person {
    fn create(name: &Name, online: &Online) -> Result<Self, Refusal> {
        let name = name.as_str().to_string();
        online.lock().insert(name.clone());
        Ok(Person { name, online: online.clone() })
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(self.online.lock().iter().map(String::as_str).collect::<Vec<_>>().join(" ").into())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.online.lock().remove(&self.name);
    }
}

fn join(address: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let me = Client::connect(address)?.open(name, Some("Person"))?;
    loop {
        println!("online: {}", String::from_utf8_lossy(&me.read()?.contents));
        if io::stdin().read_line(&mut String::new())? == 0 {
            return Ok(me.close()?);
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    match &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        [address, name] => join(address, name),
        [address] => {
            let types = file_types![Person with Online::default()];
            let server = Server::builder().listen(address.parse()?).types(types).bind()?;
            println!("listening on {}", server.addresses()[0]);
            Ok(server.run()?)
        }
        _ => Err("usage: presence ADDRESS [NAME]".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("presence: {e}");
            ExitCode::FAILURE
        }
    }
}
