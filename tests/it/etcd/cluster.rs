//! Members of etcd, started for a test, and killed, paused and started again in it.

use super::network::Machine;
use crate::programs::{has, program};
use crate::server::{Folder, eventually_within};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long etcd may take to start, and to find a leader, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts etcd and prints its process id. Kills it for a line, or when the standard input ends: with the
/// process of the tests, however that ends. In that case nobody else removes the folder.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
folder=$1 log=$2 left=
shift 2
etcd "$@" >"$log" 2>&1 &
echo $!
read -r line || left=$folder
kill -9 $!
wait
rm -rf "$left"
"#;

/// The least room in memory for the data of a cluster: a member reserves 128 MB for its log.
const ROOM: u64 = 1 << 30;

/// A cluster. Its members are killed when it is dropped.
pub(crate) struct Cluster {
    members: Vec<Member>,
    folder: Folder,
}

struct Member {
    url: String,
    args: Vec<String>,
    log: PathBuf,
    machine: Option<Arc<Machine>>,
    running: Option<Running>,
}

struct Running {
    script: Child,
    pid: Pid,
}

/// Where a member listens: for clients, and for other members; and its machine.
type Place = (String, String, Option<Arc<Machine>>);

impl Cluster {
    /// Starts a cluster of one member or of three. `None`, with a line that says so, where etcd is not
    /// installed.
    pub(crate) fn start(members: usize) -> Option<Cluster> {
        Cluster::start_where(|| {
            let addresses = free_addresses(2 * members);
            addresses.chunks(2).map(|two| (two[0].clone(), two[1].clone(), None)).collect()
        })
    }

    /// Starts a cluster with a member on each of these machines.
    pub(super) fn start_on(machines: &[Arc<Machine>]) -> Option<Cluster> {
        let on = |machine: &Arc<Machine>| {
            let at = |port: u16| format!("{}:{port}", machine.host);
            (at(2379), at(2380), Some(machine.clone()))
        };
        Cluster::start_where(|| machines.iter().map(on).collect())
    }

    fn start_where(places: impl Fn() -> Vec<Place>) -> Option<Cluster> {
        if !has("etcd") {
            return None;
        }
        // A port that is free now may be taken before etcd has it.
        for _ in 0..5 {
            let mut cluster = Cluster::describe(places());
            let members = 0..cluster.count();
            members.clone().for_each(|n| cluster.run(n));
            if members.clone().all(|n| cluster.becomes_healthy(n)) {
                return Some(cluster);
            }
        }
        panic!("etcd does not start");
    }

    fn describe(places: Vec<Place>) -> Cluster {
        let folder = folder();
        let name = |(n, (_, peer, _)): (usize, &Place)| format!("m{n}=http://{peer}");
        let names = places.iter().enumerate().map(name).collect::<Vec<_>>().join(",");
        let member = |(n, (client, peer, machine))| {
            let path = |what: &str| folder.path().join(format!("m{n}.{what}"));
            let (url, peer) = (format!("http://{client}"), format!("http://{peer}"));
            let args = [
                ("--name", format!("m{n}")),
                ("--data-dir", path("data").display().to_string()),
                ("--listen-client-urls", url.clone()),
                ("--advertise-client-urls", url.clone()),
                ("--listen-peer-urls", peer.clone()),
                ("--initial-advertise-peer-urls", peer),
                ("--initial-cluster", names.clone()),
                ("--log-level", "error".to_string()),
            ];
            let args = args.into_iter().flat_map(|(flag, value)| [flag.to_string(), value]);
            Member { url, args: args.collect(), log: path("log"), machine, running: None }
        };
        let members = places.into_iter().enumerate().map(member).collect();
        Cluster { members, folder }
    }

    fn run(&mut self, n: usize) {
        let member = &mut self.members[n];
        let mut command = program("sh");
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(self.folder.path())
            .arg(&member.log)
            .args(&member.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = match &member.machine {
            Some(machine) => machine.run(|| command.spawn()),
            None => command.spawn(),
        }
        .unwrap();
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        member.running = Some(Running { script, pid });
    }

    fn becomes_healthy(&self, n: usize) -> bool {
        let end = std::time::Instant::now() + PATIENCE / 4;
        while std::time::Instant::now() < end {
            if self.is_healthy(n) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn is_healthy(&self, n: usize) -> bool {
        let status = self.post(n, "maintenance/status", &json!({}));
        status.is_some_and(|status| status["leader"].as_str().is_some_and(|leader| leader != "0"))
    }

    /// Returns the URLs of all members, with commas, as `--etcd` takes them.
    pub(crate) fn urls(&self) -> String {
        self.members.iter().map(|member| &*member.url).collect::<Vec<_>>().join(",")
    }

    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Returns which member leads the others.
    pub(super) fn leader(&self) -> usize {
        let mut leader = None;
        eventually_within(PATIENCE, "a member leads", || {
            leader = (0..self.count()).find(|n| {
                let status = self.post(*n, "maintenance/status", &json!({}));
                status.is_some_and(|status| status["leader"] == status["header"]["member_id"])
            });
            leader.is_some()
        });
        leader.unwrap()
    }

    pub(super) fn signal(&self, n: usize, signal: Signal) {
        kill_process(self.members[n].running.as_ref().unwrap().pid, signal).unwrap();
    }

    /// Kills a member, as a power loss does.
    pub(super) fn kill(&mut self, n: usize) {
        self.members[n].running.take();
    }

    /// Ends a member as a service manager does.
    pub(super) fn stop(&mut self, n: usize) {
        self.signal(n, Signal::TERM);
        eventually_within(PATIENCE, "the member ends", || !self.is_healthy(n));
        self.kill(n);
    }

    /// Starts a member again that was killed, and waits until it takes part.
    pub(super) fn start_again(&mut self, n: usize) {
        self.run(n);
        eventually_within(PATIENCE, "the member is back", || self.is_healthy(n));
    }

    /// Returns the value of a key, as any member has it.
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let key = json!({ "key": STANDARD.encode(key) });
        let found = (0..self.count()).find_map(|n| self.post(n, "kv/range", &key))?;
        STANDARD.decode(found["kvs"][0]["value"].as_str()?).ok()
    }

    fn post(&self, n: usize, path: &str, body: &Value) -> Option<Value> {
        let member = &self.members[n];
        member.running.as_ref()?;
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(3)))
            .proxy(None)
            .build();
        let url = format!("{}/v3/{path}", member.url);
        let answer = ureq::Agent::from(config).post(url).send(body.to_string().as_bytes()).ok()?;
        serde_json::from_str(&answer.into_body().read_to_string().ok()?).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.script.stdin.take().map(|mut input| input.write_all(b"\n"));
        let _ = self.script.wait();
    }
}

/// Returns a new folder, in memory if there is room: these tests are not about disks.
fn folder() -> Folder {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if room >= ROOM { Folder::new_in(memory) } else { Folder::new() }
}

/// Returns addresses on loopback that nobody listens on: at a host of this process alone, so that no
/// other process is given the ports.
pub(super) fn free_addresses(count: usize) -> Vec<String> {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    // Linux has process numbers below 2^22, and all of 127.0.0.0/8 is loopback.
    let host = Ipv4Addr::new(127, 64 + (high & 63), middle, low);
    let listener = |_| TcpListener::bind((host, 0)).unwrap();
    let listeners: Vec<_> = (0..count).map(listener).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

#[test]
fn a_cluster_survives_the_loss_of_its_leader() {
    let Some(mut cluster) = Cluster::start(3) else { return };
    let put = json!({ "key": STANDARD.encode("k"), "value": STANDARD.encode("v") });
    let leader = cluster.leader();
    cluster.post(leader, "kv/put", &put).unwrap();
    cluster.kill(leader);
    eventually_within(PATIENCE, "the others go on", || cluster.get("k").as_deref() == Some(b"v"));
    assert_ne!(cluster.leader(), leader);
    cluster.start_again(leader);
    let paused = cluster.leader();
    cluster.signal(paused, Signal::STOP);
    eventually_within(PATIENCE, "another one leads", || cluster.leader() != paused);
    cluster.signal(paused, Signal::CONT);
}
