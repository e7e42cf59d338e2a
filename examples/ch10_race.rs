//! Chapter 10: eight clients race for the same file.

use std::sync::Barrier;
use std::thread;
use telefile::client::Error;
use telefile::{Client, Exptime, Refusal, Server, Version};

const RACERS: usize = 8;

fn number(client: &Client) -> Result<(u64, Version), Error> {
    let seen = client.read("n")?;
    Ok((String::from_utf8_lossy(&seen.contents).parse().unwrap_or(0), seen.version))
}

fn add_by_write(client: &Client, all: &Barrier) -> Result<(), Error> {
    let (n, _) = number(client)?;
    all.wait(); // until all have read
    client.write("n", (n + 1).to_string()).map(drop)
}

fn add_by_cas(client: &Client, all: &Barrier) -> Result<(), Error> {
    let (mut n, mut version) = number(client)?;
    all.wait();
    while let Err(error) = client.cas("n", version, (n + 1).to_string()) {
        let Some(Refusal::Version(_)) = error.refusal() else { return Err(error) };
        (n, version) = number(client)?; // another client was faster
    }
    Ok(())
}

fn take_lock(client: &Client, all: &Barrier) -> Result<(), Error> {
    all.wait();
    let taken = client.cas_expiring("lock", Version::ABSENT, "", Exptime::Connection);
    all.wait(); // the holder stays connected until all have tried
    taken.map(drop)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let client = Client::connect_to(&server.addresses()[0])?;
    let race = |racer: fn(&Client, &Barrier) -> Result<(), Error>| {
        client.write("n", "0")?;
        let all = Barrier::new(RACERS);
        let run = || client.reconnect().and_then(|client| racer(&client, &all));
        let done = thread::scope(|scope| {
            let racers = [(); RACERS].map(|()| scope.spawn(run));
            racers.map(|racer| racer.join().expect("a racer does not panic"))
        });
        Ok::<_, Error>((done.iter().filter(|done| done.is_ok()).count(), number(&client)?.0))
    };
    let (write, cas, lock) = (race(add_by_write)?, race(add_by_cas)?, race(take_lock)?);
    println!("read, then write: {} succeed, and n is {}", write.0, write.1);
    println!("read, then cas:   {} succeed, and n is {}", cas.0, cas.1);
    println!("take the lock:    {} succeeds", lock.0);
    assert_eq!((write, cas, lock.0), ((8, 1), (8, 8), 1));
    println!("eight racers, one winner");
    Ok(())
}
