//! State that many clients share: all files of this type write into one dictionary, and a read of
//! any of them returns all of it. `myserver 127.0.0.1:8080` serves; `myclient` is the client.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use telefile::{Contents, File, Name, Refusal, Server, file_types};

/// The state that all files share.
#[derive(Clone, Default)]
struct Dictionary(Arc<Mutex<BTreeMap<String, String>>>);

impl Dictionary {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MyFile {
    name: String,
    dictionary: Dictionary,
}

impl File<Dictionary> for MyFile {
    /// Called at the first open of a name.
    fn create(name: &Name, dictionary: &Dictionary) -> Result<Self, Refusal> {
        let (name, dictionary) = (name.as_str().to_string(), dictionary.clone());
        dictionary.lock().insert(name.clone(), String::new());
        Ok(MyFile { name, dictionary })
    }

    /// Each file has its own name.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(&contents).into_owned();
        self.dictionary.lock().insert(self.name.clone(), text);
        Ok(())
    }

    /// Many clients can open different files, or the same one, and see the whole state.
    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(format!("{:?}", *self.dictionary.lock()).into())
    }
}

/// Runs at the last close: by a client, or because its connection ended.
impl Drop for MyFile {
    fn drop(&mut self) {
        self.dictionary.lock().remove(&self.name);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_string());
    let types = file_types![MyFile with Dictionary::default()];
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
