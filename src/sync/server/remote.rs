//! What folder synchronisation needs of a client: the only file here that sends requests.

use super::entry::{ChunkRef, MAX_CHUNK_BYTES};
use crate::client::{self, Answer, Builder, Change, Client};
use crate::exptime::Exptime;
use crate::refusal::Refusal;
use crate::sync::error::Error;
use crate::sync::hash::Hash;
use crate::sync::path::RelPath;
use crate::sync::settings::Settings;
#[cfg(test)]
use crate::sync::steps::{Fault, has, restarting};
use crate::sync::steps::{shown, step};
use crate::version::{Epoch, Version};
use std::sync::OnceLock;
use std::time::Duration;

/// The most bytes that the names of one list may take, with `NAME_BYTES` for each. Not even a server
/// that never ends its list fills the memory.
const MAX_NAMES_BYTES: usize = if cfg!(test) { 1 << 20 } else { 512 << 20 };
const NAME_BYTES: usize = 64;

/// A connection to a server, for one session.
#[derive(Debug)]
pub(in crate::sync) struct Remote {
    pub(in crate::sync) client: Client,
    pub(in crate::sync) builder: Builder,
    pub(in crate::sync) address: String,
    /// A further connection, for large entries, one at a time.
    pub(in crate::sync) large: OnceLock<Client>,
    /// `s/<id>/`
    pub(in crate::sync) prefix: String,
}

/// What a compare-and-swap did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Cas {
    Done(Version),
    /// The file is at another version.
    Version(Version),
}

/// A file's version and contents.
pub(in crate::sync) type Read = (Version, Vec<u8>);

/// Names and versions below a prefix, and the version of the table to watch from.
#[derive(Debug, Default)]
pub(in crate::sync) struct Names {
    pub(in crate::sync) table: Version,
    /// Without the prefix. `None` is the name of a deleted file.
    pub(in crate::sync) versions: Vec<(String, Option<Version>)>,
}

impl Remote {
    pub(in crate::sync) fn connect(
        builder: Builder,
        address: &str,
        id: &str,
    ) -> Result<Self, Error> {
        let client = builder.clone().connect(address)?;
        Ok(Remote::of(client, builder, address, id))
    }

    /// Takes a client that is connected already.
    pub(in crate::sync) fn new(client: Client, settings: &Settings, id: &str) -> Self {
        Remote::of(client, settings.builder(), &settings.address, id)
    }

    fn of(client: Client, builder: Builder, address: &str, id: &str) -> Self {
        let (prefix, address) = (format!("s/{id}/"), address.to_string());
        Remote { client, builder, address, large: OnceLock::new(), prefix }
    }

    pub(in crate::sync) fn epoch(&self) -> Epoch {
        self.client.epoch()
    }

    /// Returns the version of the table.
    pub(in crate::sync) fn latest_version(&self) -> Result<Version, Error> {
        Ok(self.client.latest_version()?)
    }

    /// Returns whether the session exists.
    pub(in crate::sync) fn exists(&self) -> Result<bool, Error> {
        self.has("m")
    }

    /// Makes the session again, on a server that has lost its table.
    pub(in crate::sync) fn make_again(&self) -> Result<(), Error> {
        self.cas("m", Version::ABSENT, b"", Exptime::Never).map(drop)
    }

    /// Returns whether the server's files end with it.
    pub(in crate::sync) fn is_in_memory(&self) -> Result<bool, Error> {
        let stats = self.client.stats()?;
        Ok(stats.iter().any(|(name, value)| name == "store" && value == "memory"))
    }

    pub(in crate::sync) fn has(&self, name: &str) -> Result<bool, Error> {
        match self.client.stat(&format!("{}{name}", self.prefix)) {
            Ok(_) => Ok(true),
            Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Returns the contents of a small file that another client has written; `None` if it does not
    /// exist. Of a large one nothing is returned but that it exists.
    pub(in crate::sync) fn small(&self, name: &str) -> Result<Option<String>, Error> {
        match self.client.read(&*format!("{}{name}", self.prefix)) {
            Ok(read) => Ok(Some(String::from_utf8_lossy(&read.contents).into_owned())),
            Err(client::Error::TooLarge { .. }) => Ok(Some(String::new())),
            Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    pub(in crate::sync) fn cas(
        &self,
        name: &str,
        version: Version,
        contents: &[u8],
        exptime: Exptime,
    ) -> Result<Cas, Error> {
        let name = format!("{}{name}", self.prefix);
        cas_of(self.client.cas_expiring(&name, version, contents, exptime))
    }

    /// Makes a file that ends with this connection, with a name of its own; returns the name.
    pub(in crate::sync) fn raise(&self, name: &str) -> Result<String, Error> {
        let prefix = format!("{}{name}", self.prefix);
        let (_, name) = self.client.create(&prefix, b"", Exptime::Connection)?;
        Ok(name.strip_prefix(&self.prefix).unwrap_or_default().to_string())
    }

    /// Deletes a file, at a version if one is given. `Done` also if there is none.
    pub(in crate::sync) fn delete(
        &self,
        name: &str,
        version: Option<Version>,
    ) -> Result<Cas, Error> {
        let deleted = self.client.delete(&format!("{}{name}", self.prefix), version);
        cas_of(deleted.map(|()| Version::ABSENT)).map(|cas| match cas {
            Cas::Version(Version::ABSENT) => Cas::Done(Version::ABSENT),
            cas => cas,
        })
    }

    /// Returns all names below `part`, in order.
    pub(in crate::sync) fn list(&self, part: &str) -> Result<Names, Error> {
        let prefix = format!("{}{part}", self.prefix);
        let listed = self.client.list(&prefix)?;
        let (mut names, mut bytes) = (Names { table: listed.version(), versions: vec![] }, 0);
        for file in listed {
            let file = file?;
            let name = file.name.strip_prefix(&prefix).unwrap_or_default();
            bytes += name.len() + NAME_BYTES;
            if bytes > MAX_NAMES_BYTES {
                return Err(wrong(format!("more names than fit into memory, up to {name:?}")));
            }
            names.versions.push((name.to_string(), Some(shown(&file.name, file.version))));
        }
        Ok(names)
    }

    /// Returns what has changed below `part` since the version `table`, and waits at most `time` for it.
    /// `None` if the server has forgotten.
    pub(in crate::sync) fn watch(
        &self,
        part: &str,
        table: Version,
        time: Duration,
    ) -> Result<Option<Names>, Error> {
        let prefix = format!("{}{part}", self.prefix);
        let changes = match self.client.watch(&prefix, table, time) {
            Ok(changes) => changes,
            Err(e) => {
                return match e.refusal() {
                    Some(Refusal::Compacted(_)) => Ok(None),
                    _ => Err(e.into()),
                };
            }
        };
        let version =
            |change: &Change| change.numbytes.map(|_| shown(&change.name, change.version));
        let versions = changes.changes.iter().filter_map(|change| {
            Some((change.name.strip_prefix(&prefix)?.to_string(), version(change)))
        });
        Ok(Some(Names { table: changes.version, versions: versions.collect() }))
    }

    /// Returns which of these chunks the server does not have.
    pub(in crate::sync) fn missing(&self, chunks: &[ChunkRef]) -> Result<Vec<bool>, Error> {
        let names: Vec<_> = chunks.iter().map(|chunk| self.chunk_name(chunk.hash)).collect();
        let mut pipeline = self.client.pipeline();
        for name in &names {
            pipeline.stat(name)?;
        }
        let missing = |answer: Result<Answer, _>| match answer {
            // One that somebody else has put there under this name would never be replaced.
            Ok(Answer::Stat(stat)) => Ok(stat.numbytes > MAX_CHUNK_BYTES),
            Ok(_) => Ok(true),
            Err(e) => cas_of(Err(e)).map(|_| true),
        };
        pipeline.send().map(missing).collect()
    }

    /// Stores chunks. One that exists is as good. Calls `refused` with the number of each that the server
    /// refuses, and why.
    pub(in crate::sync) fn put_chunks(
        &self,
        chunks: &[(Hash, &[u8])],
        mut refused: impl FnMut(usize, Error),
    ) -> Result<(), Error> {
        let names: Vec<_> = chunks.iter().map(|(hash, _)| self.chunk_name(*hash)).collect();
        let mut pipeline = self.client.pipeline();
        for (name, (_, bytes)) in names.iter().zip(chunks) {
            pipeline.cas(name, Version::ABSENT, *bytes)?;
        }
        pipeline.send().enumerate().try_for_each(|(n, answer)| {
            step("a chunk is stored")?;
            match cas_of(answer.map(|_| Version::ABSENT)) {
                Err(e) if e.is_of_one_path() => refused(n, e),
                stored => drop(stored?),
            }
            Ok(())
        })
    }

    /// Sets entries, each at a version, and calls `done` with what each of them did.
    pub(in crate::sync) fn put_entries(
        &self,
        entries: &[(RelPath, Version, Vec<u8>)],
        done: impl FnMut(usize, Result<Cas, Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let names: Vec<_> = entries.iter().map(|(path, ..)| self.entry_name(path)).collect();
        #[cfg(test)]
        if has(Fault::VersionsRestart) {
            let versions = names.iter().zip(entries).map(|(name, (_, version, bytes))| {
                restarting::cas(&self.client, name, *version, Some(bytes))
            });
            return report(versions, done);
        }
        let mut pipeline = self.client.pipeline();
        for (name, (_, version, bytes)) in names.iter().zip(entries) {
            pipeline.cas(name, *version, bytes)?;
        }
        report(pipeline.send().map(|answer| answer.map(version_of)), done)
    }

    /// Deletes entries, each at a version, and calls `done` with what each of them did.
    pub(in crate::sync) fn delete_entries(
        &self,
        entries: &[(RelPath, Version)],
        done: impl FnMut(usize, Result<Cas, Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let names: Vec<_> = entries.iter().map(|(path, _)| self.entry_name(path)).collect();
        #[cfg(test)]
        if has(Fault::VersionsRestart) {
            let versions = names
                .iter()
                .zip(entries)
                .map(|(name, (_, version))| restarting::cas(&self.client, name, *version, None));
            return report(versions, done);
        }
        let mut pipeline = self.client.pipeline();
        for (name, (_, version)) in names.iter().zip(entries) {
            pipeline.delete(name, Some(*version))?;
        }
        report(pipeline.send().map(|answer| answer.map(version_of)), done)
    }

    /// Deletes files without regard to their versions.
    pub(in crate::sync) fn delete_all(&self, names: &[String]) -> Result<(), Error> {
        let names: Vec<_> = names.iter().map(|name| format!("{}{name}", self.prefix)).collect();
        let mut pipeline = self.client.pipeline();
        for name in &names {
            pipeline.delete(name, None)?;
        }
        pipeline.send().try_for_each(|answer| {
            step("a chunk is deleted")?;
            cas_of(answer.map(|_| Version::ABSENT)).map(drop)
        })
    }

    pub(in crate::sync) fn entry_name(&self, path: &RelPath) -> String {
        format!("{}e/{}", self.prefix, path.key())
    }

    pub(in crate::sync) fn chunk_name(&self, hash: Hash) -> String {
        format!("{}c/{hash}", self.prefix)
    }
}

/// Makes an error of a list that no honest server sends.
pub(in crate::sync) fn wrong(what: String) -> Error {
    client::Error::Protocol(format!("the server lists {what}")).into()
}

fn report(
    versions: impl Iterator<Item = Result<Version, client::Error>>,
    mut done: impl FnMut(usize, Result<Cas, Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    versions.enumerate().try_for_each(|(n, version)| done(n, cas_of(version)))
}

/// Returns the version that an answer is, if it is one.
fn version_of(answer: Answer) -> Version {
    if let Answer::Version(version) = answer { version } else { Version::ABSENT }
}

fn cas_of(done: Result<Version, client::Error>) -> Result<Cas, Error> {
    done.map(Cas::Done).or_else(|e| match e.refusal() {
        Some(Refusal::Version(version)) => Ok(Cas::Version(*version)),
        Some(Refusal::NotFound) => Ok(Cas::Version(Version::ABSENT)),
        _ => Err(e.into()),
    })
}
