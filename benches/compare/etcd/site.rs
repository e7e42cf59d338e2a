//! Members of etcd, and servers of a table in it, all on this machine.

use crate::folder::Folder;
use crate::peer::telefile;
use crate::process::{Process, free_address};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, ErrorKind};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use telefile::Client;

const SERVERS: usize = 3;

/// How long a client tries until some server answers: a lease in etcd has to end.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A cluster of etcd, and the servers of a table in it.
pub(crate) struct Site {
    /// Before the members: they are ended first.
    servers: Vec<Process>,
    pub(crate) members: Vec<Process>,
    program: PathBuf,
    _folder: Folder,
}

impl Site {
    /// Starts this many members of etcd, and three servers of which the first is active.
    pub(crate) fn start(members: usize, program: &Path) -> io::Result<Site> {
        let folder = Folder::fresh(&format!("etcd-{members}"))?;
        let members = start_members(members, &folder)?;
        let program = program.to_path_buf();
        let mut site = Site { servers: Vec::new(), members, program, _folder: folder };
        for _ in 0..SERVERS {
            site.add_server()?;
        }
        Ok(site)
    }

    /// Starts a server, and waits until clients are answered through it.
    fn add_server(&mut self) -> io::Result<()> {
        let urls: Vec<_> = self.members.iter().map(|m| format!("http://{}", m.address)).collect();
        let server = Process::start(|port| {
            let mut command = telefile(port, &self.program);
            command.args(["--etcd", &urls.join(",")]);
            command
        })?;
        self.servers.push(server);
        self.first_answer(self.servers.len() - 1).map(drop)
    }

    pub(crate) fn active(&self) -> &Process {
        &self.servers[0]
    }

    pub(crate) fn standby(&self) -> &Process {
        &self.servers[1]
    }

    /// Ends the active server with a signal. Returns how long clients of another one had no answer.
    /// Afterwards there is another active server, and as many as before.
    pub(crate) fn fail_over(&mut self, signal: Signal) -> io::Result<Duration> {
        let active = self.servers.remove(0);
        let pid = i32::try_from(active.pid).ok().and_then(Pid::from_raw);
        let begun = Instant::now();
        kill_process(pid.ok_or_else(|| io::Error::other("no such process"))?, signal)?;
        // It may still answer what is under way.
        let leader = loop {
            let leader = self.first_answer(0)?;
            if leader != active.address.to_string() {
                break leader;
            }
        };
        let taken = begun.elapsed();
        drop(active);
        self.servers.sort_by_key(|server| server.address.to_string() != leader);
        self.add_server()?;
        Ok(taken)
    }

    /// Waits until a client of a server is answered. Returns the address of the active one.
    fn first_answer(&self, server: usize) -> io::Result<String> {
        let address = self.servers[server].address.to_string();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let client = Client::builder().timeout(Some(PATIENCE)).connect(&address);
            match client.and_then(|client| client.stats()) {
                Ok(stats) => {
                    let leader = stats.into_iter().find(|(name, _)| name == "leader");
                    return leader.map(|(_, address)| address).ok_or(ErrorKind::NotFound.into());
                }
                Err(e) if Instant::now() > deadline => return Err(io::Error::other(e)),
                // A relayed connection ends with the active server.
                Err(_) => thread::sleep(LOOK_AGAIN),
            }
        }
    }
}

fn start_members(count: usize, folder: &Folder) -> io::Result<Vec<Process>> {
    let addresses = || iter::repeat_with(free_address).take(count).collect::<io::Result<Vec<_>>>();
    let (clients, peers) = (addresses()?, addresses()?);
    let url = |address| format!("http://{address}");
    let cluster = peers.iter().enumerate().map(|(n, peer)| format!("m{n}={}", url(peer)));
    let cluster = cluster.collect::<Vec<_>>().join(",");
    let mut members = Vec::new();
    for (n, (client, peer)) in clients.iter().zip(&peers).enumerate() {
        let (client_url, peer_url, name) = (url(client), url(peer), format!("m{n}"));
        let mut command = Command::new("etcd");
        command.args(["--log-level", "error", "--logger", "zap", "--name", &name, "--data-dir"]);
        command.arg(folder.path().join(&name));
        command.args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url]);
        command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
        command.args(["--initial-cluster", &cluster]);
        members.push(Process::spawn(*client, command)?);
    }
    members.iter().try_for_each(Process::await_start)?;
    Ok(members)
}
