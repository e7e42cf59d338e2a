//! A change to a name that only one writer changes, and its effect on a file.

use crate::random::Random;
use std::collections::BTreeMap;
use std::time::Duration;
use telefile::client::Snapshot;
use telefile::{Exptime, Version};

/// The length of the number that makes contents unique.
pub(super) const MARK_BYTES: usize = 16;

/// Contents that are written only once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Body {
    pub(super) mark: u64,
    pub(super) length: usize,
}

impl Body {
    /// Mostly short, and about half of them above the size that is kept in memory.
    pub(super) fn new(mark: u64, random: &mut Random) -> Body {
        let length = match random.below(8) {
            0 => 0,
            1..=4 => random.below(200),
            5 => 4000 + random.below(200),
            6 => random.below(20_000),
            _ => random.below(100_001),
        };
        Body { mark, length }
    }

    /// Long enough for a whole mark.
    pub(super) fn with_mark(self) -> Body {
        Body { length: self.length.max(MARK_BYTES), ..self }
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let mut random = Random(self.mark);
        let mut bytes = format!("{:016x}", self.mark).into_bytes();
        while bytes.len() < self.length {
            bytes.extend(random.next().to_le_bytes());
        }
        bytes.truncate(self.length);
        bytes
    }
}

/// Returns the mark of contents that have a whole one.
#[track_caller]
pub(super) fn mark_of(contents: &[u8]) -> u64 {
    let mark = contents.get(..MARK_BYTES).and_then(|mark| str::from_utf8(mark).ok());
    let mark = mark.and_then(|mark| u64::from_str_radix(mark, 16).ok());
    mark.unwrap_or_else(|| panic!("contents that were never sent, {} bytes", contents.len()))
}

/// When a file ends: at the earliest this many seconds after the server's [uptime](super::uptime)
/// at which the change was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) seconds: u64,
    pub(super) sent: Duration,
}

pub(super) fn exptime(lease: Option<Lease>) -> Exptime {
    lease.map_or(Exptime::Never, |lease| Exptime::Seconds(lease.seconds))
}

/// The expected state of a file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// If it is known.
    pub(super) version: Option<Version>,
    pub(super) body: Body,
    pub(super) lease: Option<Lease>,
}

impl File {
    /// Returns how a file differs from this.
    pub(super) fn differs(&self, there: &Snapshot, now: Duration) -> Option<String> {
        if self.version.is_some_and(|version| version != there.version) {
            return Some(format!("is at {}: {self:?}", there.version));
        }
        if *there.contents != *self.body.bytes() {
            return Some(format!("has other contents: {self:?}"));
        }
        if !self.lives_like(there.exptime, now) {
            return Some(format!("lives otherwise, {:?} at {now:?}: {self:?}", there.exptime));
        }
        None
    }

    /// A lease has at most the time that was sent left, and at least that time minus the server's
    /// uptime.
    fn lives_like(&self, exptime: Exptime, now: Duration) -> bool {
        match (self.lease, exptime) {
            (None, Exptime::Never) => true,
            (Some(Lease { seconds, sent }), Exptime::Seconds(left)) => {
                left <= seconds && left + (now - sent).as_secs() + 1 >= seconds
            }
            _ => false,
        }
    }
}

/// Files by name.
pub(super) type Files = BTreeMap<String, File>;

#[derive(Clone, Debug)]
pub(super) enum Change {
    /// `cas` requires the current version of the file.
    Write {
        name: String,
        cas: Option<Version>,
        body: Body,
        lease: Option<Lease>,
    },
    Touch {
        name: String,
        version: Version,
        lease: Option<Lease>,
    },
    Delete {
        name: String,
        version: Option<Version>,
    },
    /// The server chooses the name.
    Create {
        prefix: String,
        body: Body,
    },
}

impl Change {
    /// Returns the contents of the request.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Change::Write { body, .. } | Change::Create { body, .. } => body.bytes(),
            Change::Touch { .. } | Change::Delete { .. } => Vec::new(),
        }
    }

    /// Applies it to the files, with its version if that is known. For `Create` with the name that
    /// the server chose.
    pub(super) fn apply(&self, files: &mut Files, version: Option<Version>, created: Option<&str>) {
        match self {
            Change::Write { name, body, lease, .. } => {
                files.insert(name.clone(), File { version, body: *body, lease: *lease });
            }
            Change::Touch { name, lease, .. } => {
                files.get_mut(name).expect("a file to touch").lease = *lease;
            }
            Change::Delete { name, .. } => drop(files.remove(name)),
            Change::Create { prefix, body } => {
                // Without a name there is no such file.
                let name = created.map_or(format!("{prefix}?"), str::to_string);
                let before = files.insert(name, File { version, body: *body, lease: None });
                assert!(before.is_none(), "a name is found once: {before:?}");
            }
        }
    }
}
