//! What `list` shows when there is much, and while others change it.

use super::{Client, Running, eventually};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use telefile::{File, Name, Refusal, Server, file_types};

/// What `list` answers; of each file its version and name.
pub(super) struct Listing {
    pub(super) rev: u64,
    pub(super) files: Vec<(u64, String)>,
    pub(super) more: bool,
}

impl Client {
    #[track_caller]
    pub(super) fn list(&mut self, arguments: &str) -> Listing {
        let head = self.ask(&format!("list {arguments}"));
        let fields: Vec<u64> = match head.strip_prefix("LIST ") {
            Some(fields) => fields.split(' ').map(|field| field.parse().unwrap()).collect(),
            None => panic!("{head}"),
        };
        let [rev, count, more] = fields[..] else { panic!("{head}") };
        let file = |line: String| {
            let fields: Vec<_> = line.split(' ').collect();
            let [version, _numbytes, _exptime, name] = fields[..] else { panic!("{line}") };
            (version.parse().unwrap(), name.to_string())
        };
        let files = (0..count).map(|_| file(self.line())).collect();
        Listing { rev, files, more: more == 1 }
    }

    /// Sends all these requests while the replies are taken, a line to each.
    #[track_caller]
    pub(crate) fn ask_all(&mut self, requests: impl Iterator<Item = String>) -> Vec<String> {
        let requests: Vec<_> = requests.collect();
        let sender = self.sender();
        // Small pieces at the end of a part would wait for an acknowledgement; Unix has no such thing.
        let _ = sender.socket().set_tcp_nodelay(true);
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send(requests.concat()));
            let replies = requests.iter().map(|_| self.line()).collect();
            sending.join().unwrap();
            replies
        })
    }

    /// Makes these files, empty.
    #[track_caller]
    pub(super) fn make(&mut self, names: impl Iterator<Item = String>) {
        let replies = self.ask_all(names.map(|name| format!("write {name} 0\r\n\r\n")));
        let refused = replies.iter().find(|reply| !reply.starts_with("OK "));
        assert_eq!(refused, None);
    }
}

const MANY: usize = 25_000;

#[test]
fn pages_have_at_most_10_000_files_and_each_file_once() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    let name = |i: usize| format!("p/{:05}", i * 7919 % MANY);
    client.make((0..MANY).map(name).chain(["o".to_string(), "q".to_string()]));
    let rev = MANY as u64 + 2;
    let first = client.list("p/");
    assert_eq!((first.rev, first.files.len(), first.more), (rev, 10_000, true));
    assert_eq!(client.list("p/ 10001").files, first.files);
    assert_eq!(client.list("p/ 9223372036854775807").files, first.files);
    assert_eq!(client.list("p/ 10000").files, first.files);
    assert_eq!(client.list("p/ 9999").files, first.files[..9999]);

    for limit in [10_000, 7777, 12_500] {
        let (mut all, mut after, mut more) = (Vec::new(), String::new(), true);
        while more {
            let page = client.list(&format!("p/ {limit} {after}"));
            assert!(page.files.len() <= limit.min(10_000));
            all.extend(page.files);
            (after, more) = (all[all.len() - 1].1.clone(), page.more);
        }
        let expected = (0..MANY).map(|i| format!("p/{i:05}"));
        assert!(all.iter().map(|(_, name)| name.clone()).eq(expected), "pages of {limit}");
        let versions: BTreeSet<_> = all.iter().map(|(version, _)| *version).collect();
        assert!(versions.into_iter().eq(1..=MANY as u64), "pages of {limit}");
    }

    // Exactly as many as are shown: no more.
    let rest = client.list("p/ 10000 p/14999");
    assert_eq!((rest.files.len(), rest.more), (10_000, false));
    let rest = client.list("p/ 10000 p/14998");
    assert_eq!((rest.files.len(), rest.more), (10_000, true));
}

/// Says that it is enough, also when a test fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// One writer goes round: at each moment the files have the last versions, each another one.
#[test]
fn a_page_and_its_rev_show_the_same_state() {
    const FILES: u64 = 50;
    let server = Running::start(Server::builder());
    let mut client = server.client();
    client.make((0..FILES).map(|i| format!("r/{i}")));
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = server.client();
            while !enough.load(SeqCst) {
                writer.make((0..FILES * 20).map(|i| format!("r/{}", i % FILES)));
            }
        });
        let _enough = Enough(&enough);
        let (mut last, mut moved) = (0, 0);
        while moved < 100 {
            let page = client.list("r/");
            let versions: BTreeSet<_> = page.files.iter().map(|(version, _)| *version).collect();
            let expected = page.rev - (FILES - 1)..=page.rev;
            assert!(versions.iter().copied().eq(expected), "{}: {versions:?}", page.rev);
            moved += u64::from(page.rev != last);
            last = page.rev;
        }
    });
}

#[test]
fn a_list_skips_thousands_of_secret_names() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    let secret = |i: usize| format!("s/{:032x}/", i as u128 * 0x0123_4567_89ab_cdef_0123);
    let secrets = (0..3000).flat_map(|i| ["a", "b", "c"].map(|file| secret(i) + file));
    let ordinary = |i: usize| secret(i * 300).trim_end_matches('/').to_string();
    client.make(secrets.chain((0..10).map(ordinary)).chain(["s/z".to_string(), "t".to_string()]));
    let names = |page: &Listing| page.files.iter().map(|f| f.1.clone()).collect::<Vec<_>>();
    let expected: Vec<_> = (0..10).map(ordinary).chain(["s/z".to_string()]).collect();
    let page = client.list("s/");
    assert_eq!((names(&page), page.more), (expected.clone(), false));
    for limit in 1..=11 {
        let page = client.list(&format!("* {limit}"));
        assert_eq!((&names(&page)[..], page.more), (&expected[..limit], true));
    }
    let page = client.list(&format!("s/ 100 {}", secret(2999)));
    assert_eq!((names(&page), page.more), (vec!["s/z".to_string()], false));
    let page = client.list(&format!("{} 2", secret(1234)));
    assert_eq!((page.files.len(), page.more), (2, true));
}

static MAKING: AtomicBool = AtomicBool::new(false);
static ENDING: AtomicBool = AtomicBool::new(false);
static MAY_GO_ON: AtomicBool = AtomicBool::new(false);

/// Takes its time to be made and to end.
struct Slow;

fn hold(begun: &AtomicBool) {
    begun.store(true, SeqCst);
    eventually("it may go on", || MAY_GO_ON.load(SeqCst));
}

impl File for Slow {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        hold(&MAKING);
        Ok(Slow)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        hold(&ENDING);
    }
}

#[test]
fn a_file_that_is_being_opened_or_closed_is_in_no_list_and_no_change() {
    let server = Running::start(Server::builder().types(file_types![Slow]));
    let (mut slow, mut client) = (server.client(), server.client());
    slow.send("open f00000000000000000001 Slow\r\n");
    eventually("it is being made", || MAKING.load(SeqCst));
    assert_eq!(client.ask("list *"), "LIST 0 0 0");
    assert_eq!(client.ask("watch * 0 0"), "CHANGES 0 0");
    assert_eq!(client.ask("touch f00000000000000000001 0 10"), "ERR_FILE_NOT_FOUND");
    // But its name is taken.
    assert_eq!(client.ask("create f 0\r\n"), "OK 2 f00000000000000000002");
    client.send("watch * 2 600\r\n");
    MAY_GO_ON.store(true, SeqCst);
    assert_eq!(slow.line(), "FD 0 3 Slow");
    assert_eq!(client.changes(), (3, vec![(3, true, "f00000000000000000001".to_string())]));
    MAY_GO_ON.store(false, SeqCst);
    slow.send("close @0\r\n");
    eventually("it is being ended", || ENDING.load(SeqCst));
    let rest = [(2, "f00000000000000000002".to_string())];
    assert_eq!(client.list("*").files, rest);
    let end = (4, false, "f00000000000000000001".to_string());
    assert_eq!(client.watch("*", 3, 0), (4, vec![end]));
    MAY_GO_ON.store(true, SeqCst);
    assert_eq!(slow.line(), "OK");
    assert_eq!(client.list("*").files, rest);
}

#[test]
fn another_table_has_another_epoch() {
    let epoch = |server: &Running| {
        let hello = server.client().ask("hello");
        let fields: Vec<_> = hello.split(' ').collect();
        let ["HELLO", "1", epoch, rev, "0"] = fields[..] else { panic!("{hello}") };
        (epoch.to_string(), rev.to_string())
    };
    let servers = [0; 8].map(|_| Running::start(Server::builder()));
    let epochs: BTreeSet<_> = servers.iter().map(|server| epoch(server).0).collect();
    assert_eq!(epochs.len(), 8, "{epochs:?}");
    servers[0].client().write("f", b"x");
    assert_eq!(epoch(&servers[0]).1, "1");
    assert_eq!(epoch(&servers[1]).1, "0");
}
