//! Chapter 19: a server is killed in the middle of a load, and what it has acknowledged is there.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::{env, fs, thread};
use telefile::{Client, Server};

/// Serves the files in a folder, until it is killed.
fn serve(folder: &str) -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).data(folder.into()).bind()?;
    println!("{}", server.addresses()[0]);
    Ok(server.run()?)
}

/// A process that serves. Killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill(); // with SIGKILL
        let _ = self.0.wait();
    }
}

/// Starts a process that serves. Returns it with its address.
fn start(folder: &Path) -> Result<(Process, String), Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    let mut child = command.arg(folder).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut address)?;
    Ok((Process(child), address.trim().to_string()))
}

/// Removes a folder at the end, also when a check fails.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(folder) = env::args().nth(1) {
        return serve(&folder);
    }
    let name = format!("telefile-ch19-{}", std::process::id());
    let folder = Removed(env::temp_dir().join(name));
    let (server, address) = start(&folder.0)?;

    let client = Client::connect(&address)?;
    let (acknowledge, acknowledged) = mpsc::channel();
    let load = thread::spawn(move || {
        while let Ok(version) = client.write("f", "x") {
            let _ = acknowledge.send(version.0);
        }
    });
    let mut last = acknowledged.iter().nth(99).ok_or("the load ended early")?;
    drop(server);
    load.join().expect("the load does not panic");
    last = acknowledged.iter().last().unwrap_or(last);
    println!("killed after version {last} was acknowledged");

    let (server, address) = start(&folder.0)?;
    let found = Client::connect(&address)?.read("f")?.version.0;
    println!("found version {found}");
    drop(server);
    assert!(found == last || found == last + 1, "{found} after {last}");
    println!("every acknowledged write is there");
    Ok(())
}
