//! A folder that this process synchronises, and the connection to its server.

use super::decide::Versioned;
use super::disk::apply::Place;
use super::disk::conflict::is_copy;
use super::disk::ignored::Ignored;
use super::disk::marker::Marker;
use super::disk::patterns::choose_patterns;
use super::disk::root::Root;
use super::disk::stat::Stat;
use super::disk::trash::Look;
use super::error::Error;
use super::guard::Recent;
use super::hash::Hash;
use super::id::{NOT_MADE, choose_id};
use super::path::{MARKER, RelPath};
use super::preflight::{check_not_nested, check_system, test_renames};
use super::report::{Event, Progress};
use super::server::entry::MAX_CLIENT_BYTES;
use super::server::listing::Listing;
use super::server::remote::Remote;
use super::settings::Settings;
use super::state::State;
use super::state::index::Index;
use super::time::Utc;
use super::transfer::refused::Refused;
use crate::client::Client;
use crate::name::{IdForLog, is_session_id};
use crate::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Folder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) path: PathBuf,
    pub(super) root: Root,
    /// Of the folder, when it was opened.
    stat: Stat,
    pub(super) marker: Marker,
    pub(super) id: String,
    pub(super) state: State,
    pub(super) index: Index,
    pub(super) listing: Listing,
    /// `None` after the connection was lost.
    pub(super) remote: Option<Remote>,
    /// This client's name, in entries and conflict copies.
    pub(super) client: String,
    /// The patterns beside those of the ignore file.
    pub(super) patterns: Vec<String>,
    pub(super) ignored: Ignored,
    pub(super) exchanges: bool,
    /// When the collector last ran for this folder; `None` before somebody asks.
    pub(super) collected: Option<Utc>,
    /// The key of an entry that the collector does not understand, after it was reported.
    pub(super) unknown: Option<String>,
    /// Which collector large files wait for, and since when, after that was said.
    pub(super) held: Option<String>,
    /// The number of temporary files that this process has made.
    pub(super) temporaries: usize,
    /// Folders that were made in this round, and the modes that they will get.
    pub(super) new_folders: Vec<(RelPath, Versioned)>,
    /// Folders and files whose names or modes are not flushed yet, and what their rows will say.
    pub(super) unflushed: Vec<(RelPath, Stat, Versioned)>,
    /// Whether a round did not come to its end: temporary files may be left.
    pub(super) is_unfinished: bool,
    /// Folders that are known in this round to have exactly this name on the disk.
    pub(super) spelled: BTreeSet<RelPath>,
    /// The versions of entries whose chunks were missing when they were last read.
    pub(super) damaged: BTreeMap<RelPath, Version>,
    /// Large files that the server has refused.
    pub(super) refused: Refused,
    /// Recent deletions.
    pub(super) recent: Recent,
    pub(super) observer: Progress<'a>,
}

impl<'a> Folder<'a> {
    /// Does the checks that need no server.
    pub(super) fn check(settings: &Settings) -> Result<(), Error> {
        let path = fs::canonicalize(&settings.path).map_err(Error::of(&settings.path))?;
        check_system(&Root::open(&path).map_err(Error::of(&path))?)?;
        check_not_nested(&path)?;
        Ignored::new(b"", &settings.ignore).map_err(Error::Refused)?;
        match settings.id.as_deref().filter(|id| !is_session_id(id)) {
            Some(id) => Err(Error::Refused(format!("{} is no id: 32 hex digits", IdForLog(id)))),
            None => Ok(()),
        }
    }

    /// Opens a folder, and finds its session on the server.
    pub(super) fn open(
        settings: &'a Settings,
        client: Client,
        observer: Progress<'a>,
    ) -> Result<Self, Error> {
        let path = fs::canonicalize(&settings.path).map_err(Error::of(&settings.path))?;
        let root = Root::open(&path).map_err(Error::of(&path))?;
        let marker = Marker::open(&root).map_err(|e| e.below(&path))?;
        // An empty one may be that of a start that was refused.
        let had_marker = marker.id()?.is_some();
        let identity = marker.identity()?;
        let home = settings.state_home()?;
        let id = choose_id(settings, &client, &marker, had_marker, &home, &path)?;
        let patterns = choose_patterns(settings, &marker)?;
        let mut state = State::at(&home, &id, &path);
        let mut index = match settings.dry_run {
            true if !state.folder.exists() => Index::in_memory(),
            true => {
                state.lock()?;
                Index::open(&state.folder)?
            }
            false => {
                state.make()?;
                state.hold()?;
                // Before the id: without that nothing is sent.
                marker.set_patterns(&patterns)?;
                marker.set_id(&id)?;
                Index::open(&state.folder)?
            }
        };
        let known = state.marker().filter(|_| !index.rows().is_empty());
        let is_copy = !settings.new && known.is_some_and(|known| known != identity);
        if settings.new || is_copy {
            index.forget_all();
        }
        let exchanges = test_renames(&marker)?;
        let (ignored, _) = Ignored::new(b"", &patterns).map_err(Error::Refused)?;
        let stat = root.stat_self().map_err(Error::of(&path))?;
        let name = client_name(&state);
        let mut folder = Folder {
            settings,
            path,
            root,
            stat,
            marker,
            remote: Some(Remote::new(client, settings, &id)),
            id,
            state,
            index,
            listing: Listing::default(),
            client: name,
            patterns,
            ignored,
            exchanges,
            collected: None,
            unknown: None,
            held: None,
            temporaries: 0,
            new_folders: Vec::new(),
            unflushed: Vec::new(),
            is_unfinished: true,
            spelled: BTreeSet::new(),
            damaged: BTreeMap::new(),
            refused: Refused::default(),
            recent: Recent::default(),
            observer,
        };
        let is_made = folder.id != NOT_MADE;
        folder.observer.say(Event::Id(if is_made { &folder.id } else { "-" }));
        if let Some(other) = settings.id.as_deref().filter(|id| *id != folder.id && !settings.new) {
            let (own, other) = (IdForLog(&folder.id), IdForLog(other));
            let text = format!("the folder keeps its id {own}; {other} is for folders without one");
            folder.notice(text);
        }
        let kept: Vec<_> = folder.patterns.iter().filter(|pattern| !pattern.is_empty()).collect();
        if settings.ignore.is_empty() && !kept.is_empty() {
            let text = format!("left alone as at an earlier start: {kept:?}");
            folder.notice(text);
        }
        if is_copy {
            folder.notice(
                "the folder is a copy of the one that was synchronised: both sides are merged, nothing \
                 is deleted",
            );
        }
        folder.begin()?;
        if !settings.dry_run {
            // The forgotten rows are on the disk by now.
            folder.state.set_marker(&identity)?;
        }
        Ok(folder)
    }

    fn begin(&mut self) -> Result<(), Error> {
        if self.settings.dry_run {
            self.index.set_epoch(self.remote()?.epoch());
            return Ok(());
        }
        if !self.exchanges {
            self.notice("files cannot change places here: a changed file is absent for a moment");
        }
        self.recover()?;
        self.empty_old_trash();
        if self.remote()?.is_in_memory()? {
            self.notice("the server keeps its files in memory alone: they end with it");
        }
        self.meet()?;
        self.state.set_server(&self.settings.address);
        Ok(())
    }

    /// Clears up after a round that did not come to its end, in this process or before.
    pub(super) fn recover(&mut self) -> Result<(), Error> {
        self.new_folders.clear();
        self.unflushed.clear();
        self.spelled.clear();
        if self.is_unfinished {
            // What a round has put in place before it was killed will pass for what was there, and
            // get rows, without having been flushed.
            self.root.sync_file_system().map_err(Error::about("the folder"))?;
            let Folder { root, marker, client, exchanges, index, .. } = self;
            let place = Place { root, marker, client, exchanges: *exchanges };
            for copy in place.recover(index)? {
                self.notice(format!("{copy}: kept after a crash"));
            }
        }
        self.is_unfinished = false;
        Ok(())
    }

    pub(super) fn empty_old_trash(&mut self) {
        if let Err(e) = self.marker.empty_old_trash(Look::now()) {
            self.notice(format!("the trash cannot be emptied: {e}"));
        }
    }

    /// Makes again what somebody has removed from the marker.
    pub(super) fn mend_marker(&mut self) -> Result<(), Error> {
        for name in self.marker.mend()? {
            self.notice(format!("{MARKER}/{name} was removed, so it was made again"));
        }
        Ok(())
    }

    pub(super) fn place(&self) -> Place<'_> {
        let Folder { root, marker, client, exchanges, .. } = self;
        Place { root, marker, client, exchanges: *exchanges }
    }

    pub(super) fn check_stop(&self) -> Result<(), Error> {
        self.observer.check()
    }

    /// Says something to people, and writes it into the log.
    pub(super) fn notice(&mut self, text: impl AsRef<str>) {
        self.state.log(text.as_ref());
        self.observer.notice(text.as_ref());
    }

    /// Checks that the folder is still the one that was opened, with its marker: not an empty folder
    /// under an unmounted disk, and not one that was moved away.
    pub(super) fn check_is_there(&self) -> Result<(), Error> {
        let gone = || Error::Guard(format!("{}: the folder is gone", self.path.display()));
        let root = Root::open(&self.path).map_err(|_| gone())?;
        let now = root.stat_self().map_err(Error::of(&self.path))?;
        if (now.device, now.inode) != (self.stat.device, self.stat.inode) {
            return Err(gone());
        }
        match self.marker.is_at(&root) {
            true => Ok(()),
            false => Err(Error::Guard(format!(
                "{}: {MARKER} is gone or another one; was the folder emptied, replaced or unmounted?",
                self.path.display()
            ))),
        }
    }

    /// Returns how many conflict copies are in the folder.
    pub(super) fn conflict_copies(&self) -> u64 {
        self.index.rows().keys().filter(|path| is_copy(path)).count() as u64
    }
}

/// Returns the machine's name and four digits of the folder's.
fn client_name(state: &State) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let host: String = host.chars().filter(plain).take(MAX_CLIENT_BYTES - 5).collect();
    let folder = Hash::of(state.folder.as_os_str().as_encoded_bytes()).short();
    format!("{host}-{}", &folder[..4])
}
