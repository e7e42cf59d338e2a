//! Room for replies on their way to clients, contents excepted: one maximum for all of them. A
//! client that does not read keeps its list in memory; a thousand such clients would end the
//! server.

use crate::refusal::{Limit, Refusal};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// A maximum of bytes, and a queue of those that wait for room.
#[derive(Debug)]
pub(super) struct Room {
    max: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    queue: VecDeque<Arc<Waiter>>,
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    bytes: u64,
    thread: Thread,
    /// Set under the lock; the waiter is then out of the queue.
    served: AtomicBool,
}

/// A part of the room, released on drop.
#[derive(Debug)]
pub(super) struct Reserved<'a> {
    room: &'a Room,
    bytes: u64,
}

/// A value in memory, and its room if it is long.
pub(super) struct Long<'a, T> {
    pub(super) value: T,
    _room: Option<Reserved<'a>>,
}

impl<'a, T> Long<'a, T> {
    pub(super) fn new(value: T, room: Reserved<'a>) -> Self {
        Long { value, _room: Some(room) }
    }

    pub(super) fn short(value: T) -> Self {
        Long { value, _room: None }
    }
}

impl Room {
    pub(super) fn new(max: u64) -> Self {
        Room { max, state: Mutex::default() }
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    pub(super) fn used(&self) -> u64 {
        self.lock().used
    }

    /// Takes room for `bytes`, or all of the room if that is less. Waits in a queue until
    /// `deadline` if others hold it.
    ///
    /// # Errors
    /// [`Limit::Memory`] if there is no room by then, or the room is closed.
    pub(super) fn take(&self, bytes: u64, deadline: Instant) -> Result<Reserved<'_>, Refusal> {
        let bytes = bytes.min(self.max);
        let taken = || Reserved { room: self, bytes };
        let mut state = self.lock();
        if state.used + bytes <= self.max {
            state.used += bytes;
            return Ok(taken());
        }
        let waiter = Waiter { bytes, thread: thread::current(), served: AtomicBool::new(false) };
        let waiter = Arc::new(waiter);
        state.queue.push_back(waiter.clone());
        while !state.closed && Instant::now() < deadline {
            drop(state);
            thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            state = self.lock();
            if waiter.served.load(SeqCst) {
                return Ok(taken());
            }
        }
        state.queue.retain(|other| !Arc::ptr_eq(other, &waiter));
        state.serve(self.max); // those behind it may need less
        Err(Refusal::Limit(Limit::Memory, self.max))
    }

    /// Ends all waits, present and future.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.iter().for_each(|waiter| waiter.thread.unpark());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives room to the first in the queue, while there is some.
    fn serve(&mut self, max: u64) {
        while let Some(first) = self.queue.front()
            && self.used + first.bytes <= max
        {
            self.used += first.bytes;
            first.served.store(true, SeqCst);
            first.thread.unpark();
            self.queue.pop_front();
        }
    }
}

impl Reserved<'_> {
    /// Grows or shrinks the part; returns false if there is no room to grow.
    pub(super) fn resize(&mut self, bytes: u64) -> bool {
        let bytes = bytes.min(self.room.max);
        let mut state = self.room.lock();
        let used = state.used - self.bytes + bytes;
        if bytes > self.bytes && used > self.room.max {
            return false;
        }
        state.used = used;
        self.bytes = bytes;
        state.serve(self.room.max);
        true
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(600);

    fn refused() -> Refusal {
        Refusal::Limit(Limit::Memory, 100)
    }

    impl Room {
        fn wait_queued(&self, count: usize) {
            while self.lock().queue.len() != count {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn no_more_room_is_taken_than_there_is() {
        let room = Room::new(100);
        let now = Instant::now();
        let mut most = room.take(90, now).unwrap();
        assert_eq!(room.take(11, now).unwrap_err(), refused());
        let rest = room.take(10, now).unwrap();
        assert!(!most.resize(91) && most.resize(50) && room.used() == 60);
        drop(rest);
        assert!(most.resize(99) && room.used() == 99);
        drop(most);
        // A request larger than the room takes all of it.
        let all = room.take(1000, now).unwrap();
        assert_eq!((room.used(), room.take(1, now).unwrap_err()), (100, refused()));
        drop(all);
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn waiters_are_served_in_order_and_no_other_is_woken() {
        let room = Room::new(100);
        let all = room.take(100, Instant::now()).unwrap();
        thread::scope(|scope| {
            let room = &room;
            let take = move |bytes| room.take(bytes, Instant::now() + LONG).unwrap();
            let first = scope.spawn(move || drop(take(60)));
            room.wait_queued(1);
            let second = scope.spawn(move || take(60));
            room.wait_queued(2);
            drop(all);
            first.join().unwrap();
            drop(second.join().unwrap());
        });
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn a_waiter_that_gives_up_lets_those_behind_it_in() {
        let room = Room::new(100);
        let half = room.take(50, Instant::now()).unwrap();
        let room = &room;
        thread::scope(|scope| {
            let soon = Instant::now() + Duration::from_millis(20);
            let large = scope.spawn(move || room.take(60, soon).map(drop));
            assert_eq!(large.join().unwrap(), Err(refused()));
            let large = scope.spawn(|| room.take(60, Instant::now() + LONG).map(drop));
            room.wait_queued(1);
            let small = room.take(50, Instant::now()).unwrap();
            drop((small, half));
            assert_eq!(large.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn nobody_waits_in_a_closed_room() {
        let room = Room::new(100);
        let all = room.take(100, Instant::now()).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| room.take(1, Instant::now() + LONG).map(drop));
            room.wait_queued(1);
            room.close();
            assert_eq!(waiting.join().unwrap(), Err(refused()));
        });
        assert!(room.take(1, Instant::now() + LONG).is_err());
        drop(all);
        assert!(room.take(1, Instant::now()).is_ok() && room.lock().queue.is_empty());
    }
}
