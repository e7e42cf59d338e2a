//! Machines on a network of their own: each is a network namespace, so that a test may cut one off from
//! another. What is cut vanishes silently, as behind a switch that is off. The network of the machine that
//! runs the tests is not touched.

use crate::programs::{has, program, skipped};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs in a network namespace of its own, which lasts as long as it does. Executes `ip` with each line
/// that it reads. When its input ends, with the process of the tests, however that ends, it kills whatever
/// runs in its namespace.
const KEEPER: &str = r#"
ip link set lo up && echo done
while read -r line; do
    # The words are arguments.
    if said=$(ip $line 2>&1); then echo done; else echo "ip $line: $said" | tr '\n' ' '; echo; fi
done
own=$(readlink /proc/$$/ns/net)
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" != $$ ] && [ "$(readlink "$folder/ns/net")" = "$own" ] && kill -9 "$pid"
done
"#;

/// A network address of nobody: what is sent there vanishes.
const NOBODY: &str = "02:00:00:00:00:01";

/// The interface of the machine that all are connected to, where the test itself runs.
const BRIDGE: &str = "bridge";

/// Machines that reach each other, and the test that reaches them all.
pub(super) struct Network {
    bridge: Arc<Machine>,
    machines: Vec<Arc<Machine>>,
    /// What does not arrive: from the first machine at the second one.
    cuts: BTreeSet<(usize, usize)>,
    isolated: BTreeSet<usize>,
}

/// A network namespace. What runs in it is killed when it is dropped.
pub(super) struct Machine {
    pub(super) host: Ipv4Addr,
    namespace: File,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    shell: Child,
    said: BufReader<ChildStdout>,
}

impl Keeper {
    fn start() -> Keeper {
        let mut shell = program("unshare")
            .args(["--net", "sh", "-c", KEEPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(shell.stdout.take().unwrap());
        Keeper { shell, said }
    }

    /// # Errors
    /// What it says instead.
    fn expect_done(&mut self) -> Result<(), String> {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        match line.trim() {
            "done" => Ok(()),
            said => Err(said.to_string()),
        }
    }

    fn ip(&mut self, args: &str) -> Result<(), String> {
        let input = self.shell.stdin.as_mut().unwrap();
        writeln!(input, "{args}").unwrap();
        self.expect_done()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Machine {
    /// # Errors
    /// Why there is no namespace.
    fn start(host: Ipv4Addr) -> Result<Machine, String> {
        let mut keeper = Keeper::start();
        keeper.expect_done()?;
        let namespace = File::open(format!("/proc/{}/ns/net", keeper.shell.id())).unwrap();
        Ok(Machine { host, namespace, keeper: Mutex::new(keeper) })
    }

    fn ip(&self, args: &str) -> Result<(), String> {
        self.keeper.lock().unwrap().ip(args)
    }

    /// Runs `call` on a thread of this machine: what it connects to and what it starts is there.
    pub(super) fn run<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        let name = thread::current().name().unwrap_or_default().to_string();
        let on_thread = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.namespace.as_fd(), network).unwrap();
            call()
        };
        thread::scope(|scope| {
            let running = thread::Builder::new().name(name).spawn_scoped(scope, on_thread);
            running.unwrap().join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

impl Network {
    /// Makes a network of `count` machines. Without root's rights, or without the programs, it prints that
    /// and returns `None`.
    pub(super) fn start(count: usize) -> Option<Network> {
        if !has("ip") || !has("unshare") {
            return None;
        }
        let made = Network::make(count);
        made.inspect_err(|why| skipped(&format!("no network can be made here ({why})"))).ok()
    }

    fn make(count: usize) -> Result<Network, String> {
        let bridge = Arc::new(Machine::start(host(None))?);
        for args in [
            format!("link add {BRIDGE} address {} type bridge", hardware(None)),
            format!("addr add {}/24 dev {BRIDGE}", bridge.host),
            format!("link set {BRIDGE} up"),
        ] {
            bridge.ip(&args)?;
        }
        let mut machines = Vec::new();
        for n in 0..count {
            let machine = Machine::start(host(Some(n)))?;
            let pid = machine.keeper.lock().unwrap().shell.id();
            let (near, far) = (hardware(Some(count + n)), hardware(Some(n)));
            bridge.ip(&format!(
                "link add port{n} address {near} type veth peer name eth0 address {far} netns {pid}"
            ))?;
            bridge.ip(&format!("link set port{n} master {BRIDGE} up"))?;
            machine.ip(&format!("addr add {}/24 dev eth0", machine.host))?;
            machine.ip("link set eth0 up")?;
            machines.push(Arc::new(machine));
        }
        let (cuts, isolated) = (BTreeSet::new(), BTreeSet::new());
        Ok(Network { bridge, machines, cuts, isolated })
    }

    pub(super) fn machines(&self) -> &[Arc<Machine>] {
        &self.machines
    }

    /// Returns where a test reaches all machines.
    pub(super) fn bridge(&self) -> Arc<Machine> {
        self.bridge.clone()
    }

    /// Lets vanish what a machine sends to another one.
    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.send_to(from, to, NOBODY);
        self.cuts.insert((from, to));
    }

    /// Lets vanish whatever a machine sends, and what is sent to it, by the test too.
    pub(super) fn isolate(&mut self, n: usize) {
        self.bridge.ip(&format!("link set port{n} nomaster")).unwrap();
        self.isolated.insert(n);
    }

    /// Lets everything arrive again.
    pub(super) fn heal(&mut self) {
        for (from, to) in std::mem::take(&mut self.cuts) {
            self.send_to(from, to, &hardware(Some(to)));
        }
        for n in std::mem::take(&mut self.isolated) {
            self.bridge.ip(&format!("link set port{n} master {BRIDGE}")).unwrap();
        }
    }

    fn send_to(&self, from: usize, to: usize, hardware: &str) {
        let host = self.machines[to].host;
        let args = format!("neigh replace {host} lladdr {hardware} dev eth0 nud permanent");
        self.machines[from].ip(&args).unwrap();
    }
}

/// Returns the address of a machine, or that of the test.
fn host(machine: Option<usize>) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, machine.map_or(1, |n| 10 + n as u8))
}

fn hardware(port: Option<usize>) -> String {
    format!("02:00:0a:4d:00:{:02x}", port.map_or(2, |n| 10 + n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Serving;
    use crate::server::{Client, eventually};
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpStream, UdpSocket};
    use std::time::Duration;

    fn received(socket: &UdpSocket) -> Vec<u8> {
        let mut buffer = [0; 16];
        let received = match socket.recv(&mut buffer) {
            Ok(n) => buffer[..n].to_vec(),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Vec::new(),
            Err(e) => panic!("{e}"),
        };
        assert_ne!(received, b"lost");
        received
    }

    #[test]
    fn what_is_cut_vanishes_one_way_or_both_until_it_is_healed() {
        let Some(mut network) = Network::start(3) else { return };
        let sockets: Vec<_> = network
            .machines()
            .iter()
            .map(|m| {
                m.run(|| {
                    let socket = UdpSocket::bind((m.host, 7)).unwrap();
                    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                    socket
                })
            })
            .collect();
        let hosts: Vec<_> =
            network.machines().iter().map(|m| SocketAddr::from((m.host, 7))).collect();
        let send = |from: usize, to: usize, what: &[u8]| {
            // Silently: the sender notices nothing.
            assert_eq!(sockets[from].send_to(what, hosts[to]).unwrap(), what.len());
        };
        // What is sent later on the same way arrives later: so what did not come first never will.
        let arrives = |from: usize, to: usize| {
            eventually("it arrives", || {
                send(from, to, b"here");
                received(&sockets[to]) == b"here"
            });
            while !received(&sockets[to]).is_empty() {}
        };
        for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            arrives(from, to);
        }
        network.cut(0, 1);
        send(0, 1, b"lost");
        for (from, to) in [(1, 0), (0, 2), (2, 1)] {
            arrives(from, to);
        }
        network.heal();
        arrives(0, 1);
        network.isolate(1);
        for (from, to) in [(0, 1), (1, 0), (1, 2)] {
            send(from, to, b"lost");
        }
        arrives(0, 2);
        let listening = network.machines()[1].host;
        let connected = network
            .bridge
            .run(|| TcpStream::connect_timeout(&(listening, 7).into(), Duration::from_millis(100)));
        assert_eq!(connected.unwrap_err().kind(), ErrorKind::TimedOut);
        network.heal();
        for (from, to) in [(0, 1), (1, 0), (1, 2)] {
            arrives(from, to);
        }
    }

    #[test]
    fn a_machine_takes_what_runs_on_it_along_and_the_host_keeps_its_network() {
        let interfaces = || {
            let mut names: Vec<_> = std::fs::read_dir("/sys/class/net")
                .unwrap()
                .map(|f| f.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        let before = interfaces();
        let Some(network) = Network::start(1) else { return };
        assert_eq!(interfaces(), before);
        let machine = network.machines()[0].clone();
        let at = format!("{}:7373", machine.host);
        let serving = machine.run(|| Serving::start(&["--listen", &at, "--insecure"]));
        let ask = || Client::connect(&serving.addresses[0]).ask("stat f");
        assert_eq!(network.bridge.run(ask), "ERR_FILE_NOT_FOUND");
        // As when the process of the tests is killed.
        drop(machine.keeper.lock().unwrap().shell.stdin.take());
        eventually("the server is killed", || {
            network.bridge.run(|| Client::try_connect(&serving.addresses[0]).is_err())
        });
        drop(network);
        assert_eq!(interfaces(), before);
    }
}
