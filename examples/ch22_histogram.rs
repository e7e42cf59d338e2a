//! Chapter 22: the same stall, measured in two ways, and a small load on a real server.

use std::{collections::BTreeMap, error::Error, time::Instant};
use telefile::{Client, Server};

/// How many values there are in each bucket, by the bucket's greatest value.
struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut counts = BTreeMap::new();
        for value in values {
            let shift = value.max(8).ilog2() - 3; // all but the four highest bits
            let greatest = (((value >> shift) + 1) << shift) - 1;
            *counts.entry(greatest).or_insert(0) += 1;
        }
        Histogram(counts)
    }

    /// Returns the least value that this part of all values does not exceed, or up to an eighth more.
    fn quantile(&self, part: f64) -> u64 {
        let mut left = (part * self.0.values().sum::<u64>() as f64).ceil() as u64;
        for (greatest, count) in &self.0 {
            left = left.saturating_sub(*count);
            if left == 0 {
                return *greatest;
            }
        }
        0
    }
}

/// When a request is done that is sent at this millisecond. From second 5 to second 6 nothing moves.
fn done(sent: u64) -> u64 {
    if (5000..6000).contains(&sent) { 6001 } else { sent + 1 }
}

/// Ten seconds of a client that sends the next request after the reply.
fn closed() -> Histogram {
    let sends = std::iter::successors(Some(0), |sent| Some(done(*sent)));
    let sends = sends.take_while(|sent| *sent < 10_000);
    Histogram::of(sends.map(|sent| done(sent) - sent))
}

/// Ten seconds of many clients: a request is due every second millisecond, whatever happens.
fn open() -> Histogram {
    let mut free = 0;
    Histogram::of((0..10_000).step_by(2).map(|due| {
        let sent = due.max(free);
        free = done(sent);
        free - due
    }))
}

fn main() -> Result<(), Box<dyn Error>> {
    for (name, histogram) in [("closed", closed()), ("open", open())] {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|part| histogram.quantile(part));
        println!("{name}: p50 {p50} ms, p99 {p99} ms, max {max} ms");
        assert_eq!(name == "closed", p99 < 10);
    }
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let client = Client::connect_to(&server.addresses()[0])?;
    let mut took = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        client.write("f", "x")?;
        took.push(start.elapsed().as_micros() as u64);
    }
    let real = Histogram::of(took.into_iter());
    println!("a real server: p50 {} us, p99 {} us", real.quantile(0.5), real.quantile(0.99));
    println!("measure from when it was due");
    Ok(())
}
