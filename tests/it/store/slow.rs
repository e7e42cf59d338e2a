//! A store whose commits wait for the test: what a server does meanwhile.

use super::open;
use crate::server::{Client, Folder, eventually};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use telefile::net::Address;
use telefile::server::Running;
use telefile::store::{CommitError, Durable, Head, Mutation, Row, Store};
use telefile::{Contents, Name, Server};

#[derive(Debug)]
struct Slow {
    store: Durable,
    /// How many commits have begun, and how many may end.
    begun_and_allowed: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Slow {
    fn wait_begun(&self, count: usize) {
        let state = self.begun_and_allowed.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.0 < count).unwrap());
    }

    fn allow(&self, count: usize) {
        self.begun_and_allowed.lock().unwrap().1 = count;
        self.changed.notify_all();
    }

    fn begun(&self) -> usize {
        self.begun_and_allowed.lock().unwrap().0
    }
}

impl Store for Slow {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        self.store.load(file, removal)
    }

    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
        let mut state = self.begun_and_allowed.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.0 > state.1).unwrap());
        self.store.commit(batch, head)
    }

    fn contents(&self, version: u64) -> io::Result<Option<Contents>> {
        self.store.contents(version)
    }

    fn size(&self) -> (u64, Option<u64>) {
        self.store.size()
    }

    fn close(&self) {
        self.store.close();
    }

    fn stored_from(&self) -> usize {
        self.store.stored_from()
    }
}

fn serve(folder: &Folder) -> (Arc<Slow>, Running, Address) {
    let store = open(&folder.path().join("data")).unwrap();
    let slow = Slow { store, begun_and_allowed: Mutex::new((0, 0)), changed: Condvar::new() };
    let slow = Arc::new(slow);
    let address = Address::Unix(folder.path().join("socket"));
    let builder = Server::builder().listen(address.clone()).store(slow.clone());
    (slow, builder.bind().unwrap().spawn().unwrap(), address)
}

#[test]
fn large_contents_arrive_while_a_commit_runs_and_share_the_next_one() {
    let folder = Folder::new();
    let (slow, server, address) = serve(&folder);
    let mut client = Client::connect(&address);
    client.send("write first 1\r\nx\r\n");
    slow.wait_begun(1);
    // More than the server reads ahead, and as much as the kernel buffers.
    let large = [b'x'; 40_000];
    for n in 0..3 {
        let head = format!("write f{n} {}\r\n", large.len());
        client.send([head.as_bytes(), &large, b"\r\n"].concat());
    }
    slow.allow(1);
    slow.wait_begun(2);
    let mut other = Client::connect(&address);
    let received = 3 * large.len() as u64;
    eventually("the contents are received", || other.stat("memory") >= received);
    slow.allow(usize::MAX);
    for version in 1..=4 {
        assert_eq!(client.line(), format!("OK {version}"));
    }
    // Of the first, and of the others in one or two, depending on when the committer looks.
    assert!(slow.begun() <= 3, "{} commits", slow.begun());
    server.stop().unwrap();
}

#[test]
fn a_client_that_stops_inside_a_request_gets_the_earlier_replies() {
    let large = vec![b'x'; 1 << 20];
    let head = format!("write first 1\r\nx\r\nwrite f {}\r\n", large.len());
    for part in [&b""[..], &large[..1000], &large, &[&large[..], b"\r"].concat()] {
        let folder = Folder::new();
        let (slow, server, address) = serve(&folder);
        let mut client = Client::connect(&address);
        let sender = client.sender();
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| sender.send([head.as_bytes(), part].concat()));
            slow.wait_begun(1);
            slow.allow(usize::MAX);
            sent.join().unwrap();
        });
        assert_eq!(client.line(), "OK 1");
        client.send(&[&large[..], b"\r\n"].concat()[part.len()..]);
        assert_eq!(client.line(), "OK 2");
        server.stop().unwrap();
    }
}
