//! What the recipes protect: a counter that checks tokens, as `examples/fenced.rs` does, and one
//! that does not. Both remember what was written.

use super::eventually;
use crate::server::Running;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use telefile::{Contents, File, Name, Refusal, Server, file_types};

#[path = "../../../examples/fenced.rs"]
#[allow(dead_code, unreachable_pub)]
mod fenced;

static LOGS: Mutex<BTreeMap<String, Vec<Write>>> = Mutex::new(BTreeMap::new());

fn logs() -> MutexGuard<'static, BTreeMap<String, Vec<Write>>> {
    LOGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A write, in the order in which the server executed them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) token: u64,
    /// What the counter was set to. `None` if the token alone was shown.
    pub(super) value: Option<u64>,
    pub(super) accepted: bool,
}

struct Counter<const CHECKED: bool> {
    log: String,
    inner: fenced::Fenced,
}

impl<const CHECKED: bool> File<fenced::Files> for Counter<CHECKED> {
    fn create(name: &Name, files: &fenced::Files) -> Result<Self, Refusal> {
        let log = name.as_str().to_string();
        Ok(Counter { inner: fenced::Fenced::create(name, files)?, log })
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        self.inner.read()
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(&contents).into_owned();
        let mut fields = text.split(' ').map(|field| field.parse().unwrap());
        let (token, value) = (fields.next().unwrap(), fields.next());
        let written = match (CHECKED, value) {
            (true, _) => self.inner.write(contents),
            // As if everybody had the greatest possible token.
            (false, None) => Ok(()),
            (false, Some(value)) => self.inner.write(format!("{} {value}", u64::MAX).into()),
        };
        let write = Write { token, value, accepted: written.is_ok() };
        logs().entry(self.log.clone()).or_default().push(write);
        written
    }
}

/// A line is appended with each write.
struct Journal(String);

static LINES: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

impl File for Journal {
    fn create(name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Journal(name.as_str().to_string()))
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let line = String::from_utf8_lossy(&contents).into_owned();
        LINES.lock().unwrap().entry(self.0.clone()).or_default().push(line);
        Ok(())
    }
}

/// The lines of a journal.
pub(super) fn lines(name: &str) -> Vec<String> {
    LINES.lock().unwrap().get(name).cloned().unwrap_or_default()
}

pub(super) fn running() -> Running {
    let files = fenced::Files::default();
    Running::start(Server::builder().types(file_types![
        "Fenced" => Counter<true> with files.clone(),
        "Unfenced" => Counter<false> with files,
        Journal,
    ]))
}

/// All writes to the counter of this name so far.
pub(super) fn writes(name: &str) -> Vec<Write> {
    logs().get(name).cloned().unwrap_or_default()
}

/// What the counter was set to, each time.
pub(super) fn values(name: &str) -> Vec<u64> {
    writes(name).iter().filter(|write| write.accepted).filter_map(|write| write.value).collect()
}

/// Writes that were refused.
pub(super) fn late(name: &str) -> usize {
    writes(name).iter().filter(|write| !write.accepted).count()
}

/// Waits until the counter has been set that many more times.
#[track_caller]
pub(super) fn progress(name: &str, more: usize) {
    let before = values(name).len();
    eventually("the counter grows", || values(name).len() >= before + more);
}

/// Each write that was accepted has added one, and no token came after a greater one.
#[track_caller]
pub(super) fn is_right(name: &str) {
    let writes = writes(name);
    let accepted: Vec<_> = writes.iter().filter(|write| write.accepted).collect();
    assert!(accepted.is_sorted_by_key(|write| write.token), "{accepted:?}");
    let values = values(name);
    assert_eq!(values, (1..=values.len() as u64).collect::<Vec<_>>());
}

/// No two were inside at once: what one does is not mixed with what another does.
#[track_caller]
pub(super) fn never_overlaps(name: &str) {
    let writes = writes(name);
    assert!(writes.is_sorted_by_key(|write| write.token), "{writes:?}");
    assert_eq!(late(name), 0);
}

/// The first client to read writes late.
#[test]
fn a_late_write_is_lost_unless_the_token_is_shown_before_the_read() {
    let server = running();
    let client = super::connect(&server);
    let read = |file: &telefile::client::OpenFile| -> u64 {
        let text = String::from_utf8(file.read().unwrap().contents.to_vec()).unwrap();
        text.split_once(' ').unwrap().1.parse().unwrap_or(0)
    };
    let file = client.open("rude", Some("Fenced")).unwrap();
    let (first, second) = (read(&file), read(&file));
    file.write(format!("1 {}", first + 1)).unwrap();
    file.write(format!("2 {}", second + 1)).unwrap();
    assert_eq!(values("rude"), [1, 1], "both were accepted, and one is lost");

    let file = client.open("polite", Some("Fenced")).unwrap();
    file.write("1").unwrap();
    let first = read(&file);
    file.write("2").unwrap();
    let second = read(&file);
    assert!(file.write(format!("1 {}", first + 1)).is_err());
    file.write(format!("2 {}", second + 1)).unwrap();
    is_right("polite");
    assert_eq!((values("polite"), late("polite")), (vec![1], 1));
}
