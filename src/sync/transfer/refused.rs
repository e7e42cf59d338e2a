//! Large files that the server has refused, such as for lack of room. Sending one again in each round
//! would fill the server each time, and leave no room for others.

use super::upload::Upload;
use crate::sync::disk::stat::Stat;
use crate::sync::error::Error;
use crate::sync::path::RelPath;
use crate::sync::report::Report;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A file that was refused is sent again when it has changed, on a new connection, or after this time.
const PAUSE: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(in crate::sync) struct Refused {
    uploads: BTreeMap<RelPath, (Stat, Instant, String)>,
    /// Whether chunks may be on the server that no entry will have.
    pub(in crate::sync) has_left_chunks: bool,
}

impl Refused {
    /// Notes that the server has refused a part of a large file.
    pub(in crate::sync) fn add(&mut self, upload: &Upload, why: &Error) {
        let refused = (upload.found.stat, Instant::now(), why.to_string());
        self.uploads.insert(upload.path.clone(), refused);
        self.has_left_chunks = true;
    }

    /// Forgets all, on a new connection: the server may have been started with more room.
    pub(in crate::sync) fn clear(&mut self) {
        self.uploads.clear();
    }

    /// Removes what is not sent again yet from `uploads`, and reports it.
    pub(in crate::sync) fn hold_back(&mut self, uploads: &mut Vec<Upload>, report: &mut Report) {
        self.uploads.retain(|_, (_, at, _)| at.elapsed() < PAUSE);
        if self.uploads.is_empty() {
            return;
        }
        uploads.retain(|upload| match self.uploads.get(&upload.path) {
            Some((stat, _, why)) if *stat == upload.found.stat => {
                report.fail(upload.path.clone(), why);
                false
            }
            _ => true,
        });
    }
}
