//! Chapter 11: a thousand deadlines, no timers, and a clock that the program moves.

use std::fs;
use std::thread;
use std::time::Duration;
use telefile::{Client, Clock, Exptime, Refusal, Server, Version};

const FILES: u64 = 1000;

/// Returns how many threads this process has, as Linux shows them.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::manual();
    let server = Server::builder().listen("127.0.0.1:0".parse()?).clock(clock.clone());
    let server = server.bind()?.spawn()?;
    let client = Client::connect_to(&server.addresses()[0])?;
    let remaining = |name| client.stat(name).map(|stat| stat.exptime);

    let version = client.write_expiring("lease", "ann", Exptime::Seconds(5))?;
    clock.advance(Duration::from_millis(500));
    println!("after 0.5 s: {} seconds left", remaining("lease")?);
    assert_eq!(remaining("lease")?, Exptime::Seconds(5), "4.5 is shown as 5");
    client.touch("lease", version, Exptime::Seconds(5))?;
    clock.advance(Duration::from_millis(4999));
    println!("after a touch and 4.999 s: {} second left", remaining("lease")?);
    assert_eq!(remaining("lease")?, Exptime::Seconds(1));
    clock.advance(Duration::from_millis(1));
    let error = remaining("lease").unwrap_err();
    println!("after one more millisecond: {error}");
    assert_eq!(error.refusal(), Some(&Refusal::NotFound));

    let before = threads();
    for i in 1..=FILES {
        client.write_expiring(&*format!("f{i}"), "x", Exptime::Seconds(i))?;
    }
    let more = threads().saturating_sub(before);
    println!("{FILES} deadlines, {more} more threads");
    assert_eq!(more, 0);

    // Nobody asks for the file, and its end is noticed anyway.
    let last = client.stat("f1000")?.version;
    let waits = client.reconnect()?;
    let wait = thread::spawn(move || waits.wait("f1000", last, Duration::from_secs(60)));
    clock.advance(Duration::from_secs(FILES));
    assert_eq!(wait.join().expect("it does not panic")?, Version::ABSENT);
    assert_eq!(client.list("*")?.count(), 0);
    println!("a thousand files have expired, and no time has passed");
    Ok(())
}
