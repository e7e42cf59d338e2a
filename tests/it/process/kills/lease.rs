//! A lease over a kill: the time without a server does not count.

use super::uptime::Uptime;
use super::{Places, Serving};
use crate::server::{PATIENCE, eventually};
use rustix::process::Signal;
use std::thread;
use std::time::Duration;
use telefile::{Client, Exptime};

#[test]
fn a_lease_does_not_run_while_the_server_is_down() {
    const SECONDS: u64 = 100;
    let (places, mut uptime) = (Places::new(), Uptime::stopped());
    uptime.start();
    let serving = Serving::start(&places.args());
    let client = Client::connect(&places.socket).unwrap();
    let write = |name, seconds| client.write_expiring(name, "", Exptime::Seconds(seconds)).unwrap();
    let short = write("short", 2);
    write("long", SECONDS);
    serving.program.signal(Signal::KILL);
    assert!(client.wait_lost(PATIENCE).unwrap());
    uptime.stop();
    drop(serving);
    thread::sleep(Duration::from_secs(3));

    uptime.start();
    let _serving = Serving::start(&places.args());
    let client = Client::connect(&places.socket).unwrap();
    let Exptime::Seconds(left) = client.read("long").unwrap().exptime else { panic!("no lease") };
    let used = uptime.now().as_secs() + 1;
    assert!((SECONDS - used..=SECONDS).contains(&left), "{left} s left after {used} s");
    eventually("the short one ends", || client.read("short").is_err());
    let ends = client.watch("short", short, Duration::ZERO).unwrap().changes;
    assert!(matches!(&ends[..], [end] if end.numbytes.is_none()), "{ends:?}");
}
