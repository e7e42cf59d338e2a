//! What a dry run prints: the plan of a round, and what the entries on the server say about it.

use super::decide::{Action, Thing, Versioned, decide};
use super::disk::scan::Found;
use super::error::Error;
use super::folder::Folder;
use super::path::RelPath;
use super::report::{Event, Report};
use super::round::Plan;
use super::server::entry::Entry;
use super::state::index::Row;
use std::collections::HashMap;

impl Folder<'_> {
    /// Prints what a round would do.
    pub(super) fn print(&mut self, plan: Plan, report: &mut Report) -> Result<(), Error> {
        let Plan { push, delete_remote, delete_local, fetch } = plan;
        for (what, path) in self.fetches(fetch, report)? {
            self.print_line(what, &path);
        }
        delete_local.iter().for_each(|(path, ..)| self.print_line("move to the trash", path));
        push.iter().for_each(|upload| self.print_line("push", &upload.path));
        delete_remote.iter().for_each(|(path, _)| self.print_line("delete on the server", path));
        Ok(())
    }

    fn print_line(&mut self, what: &str, path: &RelPath) {
        self.observer.say(Event::Plan(&format!("{what} {path}")));
    }

    /// Returns what a round would do about paths whose entries have changed. Only where there is something
    /// here as well is the entry read.
    fn fetches(
        &mut self,
        fetch: Vec<(RelPath, Option<Found>)>,
        report: &mut Report,
    ) -> Result<Vec<(&'static str, RelPath)>, Error> {
        let keys = fetch.iter().filter(|(_, found)| found.is_some()).map(|(path, _)| path.key());
        let keys: Vec<_> = keys.collect();
        let mut remote = HashMap::new();
        self.remote()?.each_entry(&keys, |key, read| {
            let entry = read.and_then(|(version, text)| Some((version, Entry::parse(&text)?)));
            let Some((version, entry)) = entry else { return };
            let thing = Thing { kind: entry.content.kind(), mode: entry.mode };
            remote.insert(key.clone(), Versioned { thing, version });
        })?;
        let mut actions = Vec::new();
        for (path, mut found) in fetch {
            let Some(local) = self.resolve(&path, &mut found, report)? else { continue };
            let remote = remote.get(&path.key()).copied();
            let action = match (local, remote) {
                (Some(_), Some(remote)) => {
                    decide(self.index.get(&path).map(Row::base), local, Some(remote))
                }
                _ => Action::Pull,
            };
            match action {
                Action::Pull => actions.push(("pull", path)),
                Action::PullMode => actions.push(("set the mode of", path)),
                Action::Conflict => actions.push(("keep both versions of", path)),
                _ => {}
            }
        }
        Ok(actions)
    }
}
