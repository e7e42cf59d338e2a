//! A backup as a stream: the table as it was at one revision, read page by page while it changes.

use super::cluster::Cluster;
use super::election::PATIENCE;
use super::gateway::Range;
use super::scan::{self, Scan, in_key, located};
use crate::files::store::{Backup, Head, Life, Row, RowContents};
use crate::name::Name;
use crate::store::error::damaged;
use crate::store::format::Stamp;
use crate::store::stream::Encoder;
use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::Arc;

/// A piece has at least this many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The bytes of a backup.
struct Source {
    cluster: Arc<Cluster>,
    encoder: Encoder,
    files: Scan,
    removals: Scan,
    /// Files of which nothing is encoded yet.
    rows: VecDeque<Row>,
    are_all_rows: bool,
    is_finished: bool,
    piece: Vec<u8>,
    /// How much of the piece is read.
    consumed: usize,
}

/// Begins a backup of everything that is committed.
///
/// # Errors
/// There is no table, it is damaged, or etcd does not answer.
pub(super) fn open(cluster: Arc<Cluster>) -> io::Result<impl BufRead> {
    let (head, revision) = latest(&cluster)?;
    Ok(Source::new(cluster, &head, revision))
}

/// Does the same, and counts the bytes before that: reads each file, but not large contents.
///
/// # Errors
/// Those of [`open`].
pub(super) fn begin(cluster: Arc<Cluster>) -> io::Result<Backup> {
    let (head, revision) = latest(&cluster)?;
    let numbytes = count(&cluster, &head, revision)?;
    let source = Source::new(cluster, &head, revision);
    Ok(Backup { version: head.version, numbytes, bytes: Box::new(source) })
}

/// Returns the last head that was committed, and the revision at which it is there.
fn latest(cluster: &Cluster) -> io::Result<(Head, i64)> {
    let key = cluster.keys.head();
    let range = Range::one(&key);
    let reply = cluster.gateway.range(&range, PATIENCE)?;
    let revision = reply.revision()?;
    let Some(found) = reply.one(&key)? else {
        let key = String::from_utf8_lossy(&key).into_owned();
        return Err(io::Error::new(
            ErrorKind::NotFound,
            format!("etcd: there is no table: no key {key}"),
        ));
    };
    Ok((Stamp::decode(&found.value).map_err(|e| in_key(&found.key, e))?.head, revision))
}

/// Returns how many bytes the backup has.
fn count(cluster: &Arc<Cluster>, head: &Head, revision: i64) -> io::Result<u64> {
    let mut source = Source::new(cluster.clone(), head, revision);
    let mut numbytes = 0;
    while !source.is_finished {
        numbytes += source.piece.len() as u64;
        source.piece.clear();
        source.advance(|_, _, numbytes_of_contents| {
            numbytes += numbytes_of_contents;
            Ok(None)
        })?;
    }
    Ok(numbytes + source.piece.len() as u64)
}

impl Source {
    fn new(cluster: Arc<Cluster>, head: &Head, revision: i64) -> Self {
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let encoder = Encoder::start(&mut piece, head);
        Source {
            files: Scan::new(cluster.keys.files(), revision),
            removals: Scan::new(cluster.keys.removals(), revision),
            cluster,
            encoder,
            rows: VecDeque::new(),
            are_all_rows: false,
            is_finished: false,
            piece,
            consumed: 0,
        }
    }

    /// Encodes some more. `contents` gets the cluster, and the version and the length of large
    /// contents, and returns them, if they are to be encoded.
    fn advance(
        &mut self,
        mut contents: impl FnMut(&Cluster, u64, u64) -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<()> {
        while self.piece.len() < PIECE_BYTES && !self.is_finished {
            match self.rows.pop_front() {
                Some(row) => self.file(row, &mut contents)?,
                None if self.are_all_rows => return self.removals(),
                None => {
                    let page = self.files.page(&self.cluster)?;
                    self.are_all_rows = page.is_empty();
                    for found in page {
                        self.rows.push_back(scan::row(&self.cluster.keys, &found)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        row: Row,
        contents: &mut impl FnMut(&Cluster, u64, u64) -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<()> {
        let Some((name, version, life)) = lasting(&row) else { return Ok(()) };
        let numbytes = row.contents.numbytes();
        self.encoder.file(&mut self.piece, name, version, life, numbytes);
        match &row.contents {
            RowContents::Code => {}
            RowContents::Inline(bytes) => self.encoder.contents(&mut self.piece, bytes),
            RowContents::Stored(_) => {
                if let Some(bytes) = contents(&self.cluster, version, numbytes)? {
                    self.encoder.contents(&mut self.piece, &bytes);
                }
            }
        }
        Ok(())
    }

    /// Encodes a page of removals, and the end after the last one.
    fn removals(&mut self) -> io::Result<()> {
        let page = self.removals.page(&self.cluster)?;
        self.is_finished = page.is_empty();
        for found in page {
            let (version, name) = scan::removal(&self.cluster.keys, &found)?;
            self.encoder.removal(&mut self.piece, version, &name);
        }
        if self.is_finished {
            self.encoder.finish(&mut self.piece);
        }
        Ok(())
    }
}

/// Returns what a backup has of a file: nothing of one that ends with its server.
fn lasting(row: &Row) -> Option<(&Name, u64, Life)> {
    match (&row.contents, row.life) {
        (RowContents::Code, _) | (_, Life::Connection) => None,
        _ => Some((&row.name, row.version, row.life)),
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.consumed == self.piece.len() && !self.is_finished {
            self.piece.clear();
            self.consumed = 0;
            let revision = self.files.revision();
            self.advance(|cluster, version, numbytes| {
                let found = scan::contents(cluster, version, revision)?;
                match found.filter(|found| found.len() as u64 == numbytes) {
                    Some(found) => Ok(Some(found)),
                    None => Err(located(damaged(format!("contents {version} are missing")))),
                }
            })?;
        }
        Ok(&self.piece[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count;
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let count = ready.read(bytes)?;
        self.consume(count);
        Ok(count)
    }
}
