//! Chapter 15: two crews of four threads, of which one works one job at a time, and the real pool.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use telefile::net::Pool;

/// How many jobs are running, and the most that ever ran at once.
struct Running {
    now: usize,
    most: usize,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { now: 0, most: 0 });
static CHANGED: Condvar = Condvar::new();

/// A job waits until four run at once, but no longer than its patience.
fn run(patience: Duration) {
    let mut running = RUNNING.lock().unwrap();
    running.now += 1;
    running.most = running.most.max(running.now);
    CHANGED.notify_all();
    let few = |running: &mut Running| running.most < 4;
    let (mut running, _) = CHANGED.wait_timeout_while(running, patience, few).unwrap();
    running.now -= 1;
}

fn trap(jobs: &Mutex<Receiver<Duration>>) {
    while let Ok(job) = jobs.lock().unwrap().recv() {
        run(job);
    }
}

fn crew(jobs: &Mutex<Receiver<Duration>>) {
    loop {
        let next = jobs.lock().unwrap().recv();
        let Ok(job) = next else { return };
        run(job);
    }
}

/// Gives four jobs to four threads. Returns how many ran at once.
fn at_once(work: fn(&Mutex<Receiver<Duration>>), patience: Duration) -> usize {
    *RUNNING.lock().unwrap() = Running { now: 0, most: 0 };
    let (give, jobs) = mpsc::channel();
    (0..4).for_each(|_| give.send(patience).unwrap());
    drop(give);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| work(&jobs)))));
    RUNNING.lock().unwrap().most
}

fn main() {
    let trapped = at_once(trap, Duration::from_millis(100));
    println!("the first crew: {trapped} at once");
    let free = at_once(crew, Duration::from_secs(60));
    println!("the second crew: {free} at once");
    assert_eq!((trapped, free), (1, 4));
    static MEETING: Barrier = Barrier::new(5);
    let pool = Pool::new("crew", 4, 64 << 10, |_: &usize, _| {
        MEETING.wait();
    });
    (0..4).for_each(|job| pool.submit(job).unwrap());
    assert_eq!(pool.submit(4), Err(4));
    println!("the pool: 4 at once, and the fifth job came back");
    MEETING.wait();
}
