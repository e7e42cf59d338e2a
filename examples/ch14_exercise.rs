//! Chapter 14, build it: a seat that is free again, however its owner leaves.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

#[derive(Default)]
struct Room(Mutex<BTreeSet<String>>);

/// A seat in the room.
struct Seat<'a> {
    room: &'a Room,
    name: String,
}

impl Room {
    fn enter(&self, name: &str) -> Seat<'_> {
        self.0.lock().expect("no panic under the lock").insert(name.to_string());
        Seat { room: self, name: name.to_string() }
    }

    fn count(&self) -> usize {
        self.0.lock().expect("no panic under the lock").len()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        println!("{} leaves, and {} seats are taken", self.name, self.room.count());
    }
}

/// Serves a client whose requests are numbers.
fn serve(room: &Room, name: &str, requests: &[&str]) -> Result<u64, std::num::ParseIntError> {
    let _seat = room.enter(name);
    let mut sum = 0;
    for request in requests {
        sum += 100 / request.parse::<u64>()?;
    }
    Ok(sum)
}

fn main() {
    let room = Room::default();
    assert_eq!(serve(&room, "ann", &["10", "20"]), Ok(15));
    assert_eq!(room.count(), 0, "Ann has left");
    assert!(serve(&room, "bob", &["10", "ten"]).is_err());
    assert_eq!(room.count(), 0, "Bob's request was no number");
    std::panic::set_hook(Box::new(|_| println!("a panic")));
    assert!(catch_unwind(AssertUnwindSafe(|| serve(&room, "eve", &["0"]))).is_err());
    assert_eq!(room.count(), 0, "Eve has divided by zero");
    println!("the room is empty");
}
