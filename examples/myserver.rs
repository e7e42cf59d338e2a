//! State that many clients share: all files of this type write into one dictionary, and a read of
//! any of them returns all of it. `myserver 127.0.0.1:8080` serves; `myclient` is the client.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use telefile::{Contents, File, Name, Refusal, Server, file_types};

static SOME_GLOBAL_DATA: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn data() -> MutexGuard<'static, BTreeMap<String, String>> {
    SOME_GLOBAL_DATA.lock().unwrap_or_else(PoisonError::into_inner)
}

struct MyFile {
    name: String,
}

impl File for MyFile {
    /// Called at the first open of a name.
    fn create(name: &Name) -> Result<Self, Refusal> {
        let name = name.as_str().to_string();
        data().insert(name.clone(), String::new());
        Ok(MyFile { name })
    }

    /// Each file has its own name.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        data().insert(self.name.clone(), String::from_utf8_lossy(&contents).into_owned());
        Ok(())
    }

    /// Many clients can open different files, or the same one, and see the whole state.
    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(format!("{:?}", *data()).into())
    }
}

/// Runs at the last close: by a client, or because the client is gone.
impl Drop for MyFile {
    fn drop(&mut self) {
        data().remove(&self.name);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_string());
    let types = file_types![MyFile];
    let server = Server::builder().listen(address.parse()?).types(types).bind()?;
    println!("listening on {}", server.addresses()[0]);
    Ok(server.run()?)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("myserver: {e}");
            ExitCode::FAILURE
        }
    }
}
