//! The exercise of chapter 15: a crew that survives its jobs.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Does the jobs, one after the other. To do: a job that panics must not end this thread.
fn crew(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap().recv();
        let Ok(job) = next else { return };
        job();
    }
}

fn main() {
    let (give, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..4 {
        let jobs = jobs.clone();
        thread::spawn(move || crew(&jobs));
    }
    drop(jobs);
    for number in 1..=4 {
        let panics = move || panic!("job {number} panics, as it should");
        give.send(Box::new(panics)).unwrap();
    }
    let (done, result) = mpsc::channel();
    let fifth = give.send(Box::new(move || done.send("done").unwrap()));
    assert!(fifth.is_ok(), "there is nobody left to take the fifth job");
    assert_eq!(result.recv(), Ok("done"), "there is nobody left to do the fifth job");
    println!("four jobs panicked, and the fifth is done");
}
