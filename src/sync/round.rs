//! A round: compares what is here, what is on the server and what both last had in common, and acts.

use super::decide::{Action, Kind, Thing, Versioned, decide};
use super::disk::scan::{Found, Scan};
use super::disk::stat::FileKind;
use super::disk::unchanged::read_thing;
use super::error::Error;
use super::folder::Folder;
use super::path::RelPath;
use super::report::{Event, Report, Summary};
use super::state::index::Row;
use super::transfer::upload::Upload;
use crate::version::Version;
use std::collections::BTreeSet;

/// Why a folder is reported of which some names make too long a path.
const TOO_LONG: &str = "the paths of some names in it have more than 4095 bytes";

/// What a round is going to do, apart from what only the entries on the server can say.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) push: Vec<Upload>,
    pub(super) delete_remote: Vec<(RelPath, Version)>,
    pub(super) delete_local: Vec<(RelPath, Found, Thing)>,
    /// Paths whose entries have changed on the server, with what is here.
    pub(super) fetch: Vec<(RelPath, Option<Found>)>,
}

impl Folder<'_> {
    /// Does a round about everything, or about what is at and below some paths and what has changed on
    /// the server. Returns what it did, and which paths to look at again.
    pub(super) fn round(
        &mut self,
        scope: Option<&BTreeSet<RelPath>>,
    ) -> Result<(Summary, BTreeSet<RelPath>), Error> {
        self.connect()?;
        let wrong = self.load_ignored();
        let mut report = Report::default();
        let changed = {
            let Folder { listing, remote, .. } = self;
            listing.refresh(remote.as_ref().ok_or(Error::Stopped)?)?
        };
        let scope = scope.zip(changed).map(|(scope, changed)| scope | &changed);
        self.check_is_there()?;
        self.mend_marker()?;
        let scan = Scan::of(&self.root, &self.ignored, &self.index, scope.as_ref())?;
        self.check_is_there()?;
        let plan = self.plan(&scan, scope.as_ref(), &mut report)?;
        if !plan.delete_local.is_empty() {
            self.check_not_forgotten(self.remote()?)?;
        }
        self.guard(&plan)?;
        if self.settings.dry_run {
            self.print(plan, &mut report)?;
        } else {
            self.announce(&plan);
            self.act(plan, &mut report)?;
            match self.seal() {
                // A server without room: the old seal holds as well, until a later round.
                Err(e @ Error::Server(_)) if e.is_of_one_path() => {
                    self.state.log(&format!("the rows are not sealed: {e}"));
                }
                sealed => sealed?,
            }
        }
        let blocked = scan.blocked.iter().filter(|(path, _)| !wrong.contains_key(path));
        for (path, why) in wrong.iter().chain(blocked) {
            report.fail(path.clone(), why);
        }
        for folder in scan.too_long {
            report.fail(folder, TOO_LONG);
        }
        for key in self.listing.bad().clone() {
            report.fail_key(&key);
        }
        let again = report.again.clone();
        Ok((report.summary(), again))
    }

    fn act(&mut self, plan: Plan, report: &mut Report) -> Result<(), Error> {
        let Plan { mut push, delete_remote, delete_local, fetch } = plan;
        if !push.iter().any(Upload::is_large) {
            self.held = None;
        }
        self.recover()?;
        // Of a push that broke off.
        self.index.commit_found(&self.root)?;
        self.is_unfinished = true;
        match self.bring(fetch, delete_local, report) {
            // Local changes can still be sent.
            Err(e) if e.is_of_full_disk() => report.fail_all(e),
            brought => {
                brought?;
                self.is_unfinished = false;
            }
        }
        // A moved file is pushed before its old name is deleted, so that its chunks stay. A file in the
        // place of a folder is pushed when that is empty on the server: otherwise another client that
        // looks in between would keep the folder as a conflict copy.
        let over_folders = extract_over_folders(&mut push, &delete_remote);
        self.push(push, report)?;
        self.delete_remote(delete_remote, report)?;
        match over_folders.is_empty() {
            true => Ok(()),
            false => self.push(over_folders, report),
        }
    }

    /// Brings what has changed on the server into the folder.
    fn bring(
        &mut self,
        fetch: Vec<(RelPath, Option<Found>)>,
        delete: Vec<(RelPath, Found, Thing)>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let waiting = self.pull(fetch, report)?;
        self.delete_local(delete, report)?;
        self.pull_over_folders(waiting, report)?;
        self.finish_folders(report)?;
        self.index.commit_found(&self.root)
    }

    fn plan(
        &mut self,
        scan: &Scan,
        scope: Option<&BTreeSet<RelPath>>,
        report: &mut Report,
    ) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        let mut paths: BTreeSet<RelPath> = scan.found.keys().cloned().collect();
        match scope {
            None => {
                paths.extend(self.index.rows().keys().cloned());
                paths.extend(self.listing.versions().keys().cloned());
            }
            Some(scope) => {
                for path in scope {
                    let below = |other: &&RelPath| *other == path || other.is_below(path);
                    let rows = self.index.rows().range(path.clone()..);
                    // `a.b` is between `a` and `a/b`.
                    let rows = rows.map(|(path, _)| path);
                    let near = rows.take_while(|row| row.as_bytes().starts_with(path.as_bytes()));
                    paths.extend(near.filter(below).cloned());
                    paths.insert(path.clone());
                }
            }
        }
        for path in paths {
            if let Some(why) = scan.why_blocked(&path) {
                if self.listing.version(&path)
                    != self.index.get(&path).map_or(Version::ABSENT, |r| r.version)
                {
                    report.fail(path, why);
                }
                continue;
            }
            let found = scan.found.get(&path).copied();
            let is_dir = self.index.get(&path).is_some_and(|row| row.thing.kind == Kind::Dir);
            if found.is_none() && self.ignored.has_any_of(&path, is_dir) {
                // If it is no longer ignored one day, that is first contact.
                self.index.remove(&path);
                continue;
            }
            // Such as one that was deleted on another machine: what is ignored keeps it here alone.
            let is_dir = found.is_some_and(|found| found.stat.kind == FileKind::Dir);
            if is_dir
                && self.index.get(&path).is_none()
                && self.listing.version(&path) == Version::ABSENT
                && scan.has_only_ignored(&path)
            {
                continue;
            }
            self.plan_path(path, found, &mut plan, report)?;
        }
        Ok(plan)
    }

    fn plan_path(
        &mut self,
        path: RelPath,
        mut found: Option<Found>,
        plan: &mut Plan,
        report: &mut Report,
    ) -> Result<(), Error> {
        let row = self.index.get(&path).copied();
        let (known, version) =
            (row.map_or(Version::ABSENT, |row| row.version), self.listing.version(&path));
        if version != Version::ABSENT && version != known {
            plan.fetch.push((path, found));
            return Ok(());
        }
        let is_unread = found.is_some_and(|found| found.thing.is_none());
        if is_unread && (version == known || row.is_none()) {
            // Whether it has changed is found out when it is sent.
            let found = found.expect("it is unread");
            plan.push.push(Upload { path, version, found });
            return Ok(());
        }
        let local = match self.resolve(&path, &mut found, report)? {
            Some(local) => local,
            None => return Ok(()),
        };
        let base = row.map(|row| row.base());
        let remote = base.filter(|_| version == known);
        match (decide(base, local, remote), found) {
            (Action::Push(version), Some(found)) => {
                plan.push.push(Upload { path, version, found });
            }
            (Action::DeleteRemote(version), _) => plan.delete_remote.push((path, version)),
            (Action::DeleteLocal, Some(found)) => {
                plan.delete_local.extend(local.map(|thing| (path, found, thing)));
            }
            (Action::Forget, _) => self.index.remove(&path),
            _ => {}
        }
        Ok(())
    }

    /// Returns what is at a path, reading it if need be. `None`: it is just being changed.
    pub(super) fn resolve(
        &mut self,
        path: &RelPath,
        found: &mut Option<Found>,
        report: &mut Report,
    ) -> Result<Option<Option<Thing>>, Error> {
        let Some(found) = found else { return Ok(Some(None)) };
        match read_thing(&self.root, path, found) {
            Ok(Ok(thing)) => {
                found.thing = Some(thing);
                Ok(Some(Some(thing)))
            }
            Ok(Err(_busy)) => {
                report.again.insert(path.clone());
                Ok(None)
            }
            Err(e) if e.is_of_one_path() => {
                report.fail(path.clone(), e);
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn announce(&mut self, plan: &Plan) {
        let files = plan.fetch.len() + plan.push.len();
        let is_file = |upload: &&Upload| upload.found.stat.kind == FileKind::File;
        let bytes = plan.push.iter().filter(is_file).map(|upload| upload.found.stat.size).sum();
        if files > 0 {
            self.observer.say(Event::Planned { files: files as u64, bytes });
        }
    }

    /// Notes that both sides are the same at a path.
    pub(super) fn adopt(&mut self, path: RelPath, found: Found, remote: Versioned) {
        let Versioned { thing, version } = remote;
        self.index.set_found(path, Row { thing, version, stat: found.stat });
    }
}

/// Removes from `push` the files that are in the place of a folder in which something is deleted, and
/// returns them.
fn extract_over_folders(push: &mut Vec<Upload>, deleted: &[(RelPath, Version)]) -> Vec<Upload> {
    let mut folders = BTreeSet::new();
    for (path, _) in deleted {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            parent = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    let is_over = |upload: &mut Upload| {
        upload.found.stat.kind == FileKind::File && folders.contains(&upload.path)
    };
    push.extract_if(.., is_over).collect()
}
