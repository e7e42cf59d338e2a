//! Chapter 8: lines become values, or mistakes of two kinds.

use telefile::wire::{Malformed, Request};
use telefile::{Limit, Refusal, Version};

fn main() {
    let lines = [
        "read foo",
        "  write foo   6 ",
        "write foo 6 soon",
        "write foo six",
        "read foo bar",
        "GET / HTTP/1.1",
    ];
    let mut ends = 0;
    for line in lines {
        match Request::parse(line.as_bytes()) {
            Ok(request) => println!("{line:?}: {request:?}"),
            Err(Malformed::InStep { numbytes, why }) => {
                println!("{line:?}: {why}; skip {} bytes and go on", numbytes.unwrap_or(0));
            }
            Err(Malformed::OutOfStep(why)) => {
                ends += 1;
                println!("{line:?}: {why}; hang up");
            }
        }
    }
    assert_eq!(ends, 2, "only an unknown command and an unknown length hang up");

    let refusals = [
        Refusal::NotFound,
        Refusal::Version(Version(7)),
        Refusal::Limit(Limit::Contents, 10),
        Refusal::OutOfStep,
    ];
    for refusal in refusals {
        println!("{}: {refusal}; hangs up: {}", refusal.word(), refusal.closes());
    }
    println!("six lines, two ends");
}
