//! The plan of a batch: what each temporary file is for. After a crash a temporary file may be the only
//! copy of what a user wrote, and the plan says so.

use super::apply::{Change, Place};
use super::marker::{TEMPORARY, TRASH};
use super::root::{Rename, Root, sync_file};
use super::stat::FileKind;
use super::temporary::{NEW, PART, fixed, hash_of, remove_if_there, swap_name};
use super::trash::TRASH_DAYS;
use crate::sync::decide::{Kind, Thing};
use crate::sync::error::Error;
use crate::sync::hash::Hash;
use crate::sync::path::{RelPath, decode, encode};
use crate::sync::state::index::{Index, Row};
use crate::sync::steps::step;
use crate::sync::time::Utc;
use std::io::{ErrorKind, Read, Write};

const PLAN: &str = "plan";
const NEW_PLAN: &str = "plan.new";

/// A line of the plan.
struct Planned {
    number: usize,
    old: Option<Hash>,
    new: Option<Hash>,
    path: RelPath,
}

impl Place<'_> {
    /// Writes down what the temporary files are for, and gives them the names that it says.
    pub(in crate::sync) fn write_plan(&self, changes: &[Change]) -> Result<(), Error> {
        let mut text = String::new();
        for (n, change) in changes.iter().enumerate() {
            let Some((_, old)) = change.old else { continue };
            let hash = |thing: Thing| match thing.kind {
                Kind::File(hash) => hash.to_string(),
                Kind::Dir => "-".to_string(),
            };
            let new = change.new.as_ref().map_or("-".to_string(), |new| hash(new.thing));
            let path = encode(change.path.as_bytes());
            text.push_str(&format!("{n} {} {new} {path}\n", hash(old)));
        }
        let temporary = &self.marker.temporary;
        let write = || {
            remove_if_there(temporary, &fixed(NEW_PLAN))?;
            let mut file = temporary.create_file(NEW_PLAN)?;
            file.write_all(text.as_bytes())?;
            sync_file(&file)?;
            remove_if_there(temporary, &fixed(PLAN))?;
            temporary.rename(&fixed(NEW_PLAN), temporary, &fixed(PLAN), Rename::ToFree)?;
            for (n, change) in changes.iter().enumerate() {
                if let (Some(_), Some(new)) = (&change.old, &change.new) {
                    let name = &new.temporary.name;
                    temporary.rename(name, temporary, &swap_name(n), Rename::ToFree)?;
                }
            }
            Ok(())
        };
        if text.is_empty() { Ok(()) } else { write().map_err(Error::of_marker(TEMPORARY)) }
    }

    pub(in crate::sync) fn remove_plan(&self) -> Result<(), Error> {
        let removed = remove_if_there(&self.marker.temporary, &fixed(PLAN));
        removed.map_err(Error::of_marker(TEMPORARY))
    }

    /// Moves files out of the marker's folder into the trash.
    pub(in crate::sync) fn throw_away(&self, old: Vec<(RelPath, RelPath)>) -> Result<(), Error> {
        let mut trash: Option<Root> = None;
        for (name, path) in old {
            let throw = |trash: &Root| {
                trash.make_parents(&path)?;
                self.marker.temporary.rename(&name, trash, &path, Rename::ToFree)
            };
            // A path may be there already: two files may have come out of one.
            let is_thrown = match trash.as_ref().map(throw) {
                None => false,
                Some(Err(e)) if e.kind() == ErrorKind::AlreadyExists => false,
                Some(thrown) => thrown.map(|()| true).map_err(Error::of_marker(TRASH))?,
            };
            if !is_thrown {
                let new = self.marker.new_trash().map_err(Error::of_marker(TRASH))?;
                throw(trash.insert(new)).map_err(Error::of_marker(TRASH))?;
            }
            step("an old file is in the trash")?;
        }
        Ok(())
    }

    /// Looks at what a crash or a failed round has left, and removes what was never in the folder.
    /// Returns the conflict copies that were made.
    pub(in crate::sync) fn recover(&self, index: &mut Index) -> Result<Vec<RelPath>, Error> {
        let copies = self.look_at_leftovers(index)?;
        let temporary = &self.marker.temporary;
        let clear = || {
            let names = temporary.names(None)?;
            let mut names = names.iter().filter_map(|name| RelPath::new(name));
            names.try_for_each(|name| self.clear(&name))
        };
        clear().map_err(Error::of_marker(TEMPORARY))?;
        Ok(copies)
    }

    /// Looks at what a batch has left: a temporary file may be the only copy of what a user wrote.
    /// Returns the conflict copies that were made of such.
    pub(in crate::sync) fn look_at_leftovers(
        &self,
        index: &mut Index,
    ) -> Result<Vec<RelPath>, Error> {
        let temporary = &self.marker.temporary;
        let about = || Error::of_marker(TEMPORARY);
        let plan = self.read_plan().map_err(about())?;
        let (mut copies, mut old) = (Vec::new(), Vec::new());
        for name in temporary.names(None).map_err(about())? {
            let Some(name) = RelPath::new(&name) else { continue };
            let number = str::from_utf8(name.as_bytes()).ok().and_then(|text| {
                text.strip_prefix("swap-").or(text.strip_prefix("out-"))?.parse::<usize>().ok()
            });
            let Some(number) = number else { continue };
            let planned = plan.iter().find(|planned| planned.number == number);
            let known = match temporary.stat(&name).map_err(about())?.map(|stat| stat.kind) {
                Some(FileKind::File) => {
                    // One that cannot be read is kept as well.
                    let hash = hash_of(temporary, &name).ok();
                    if let Some(planned) = planned.filter(|p| hash.is_some() && p.old == hash) {
                        // It came out, so what is at its path was put there since.
                        index.doubt_if(&planned.path, |row| planned.old == hash_in(row));
                    }
                    planned.is_some_and(|p| hash.is_some() && (p.old == hash || p.new == hash))
                }
                None => continue,
                Some(_) => false,
            };
            match planned {
                Some(planned) if known => old.push((name, planned.path.clone())),
                Some(planned) => copies.push(self.copy_aside(temporary, &name, &planned.path)?),
                None => copies.push(self.copy_aside(temporary, &name, &fixed("recovered"))?),
            }
            step("a temporary file is looked at")?;
        }
        index.commit()?;
        self.throw_away(old)?;
        self.remove_plan()?;
        Ok(copies)
    }

    /// Removes a file that has never been in the folder, unless a part of it may still be of use.
    fn clear(&self, name: &RelPath) -> std::io::Result<()> {
        let temporary = &self.marker.temporary;
        let begins = |with: &str| name.as_bytes().starts_with(with.as_bytes());
        let is_old =
            || {
                let stat = temporary.stat(name)?;
                std::io::Result::Ok(stat.is_some_and(|stat| {
                    stat.mtime < Utc::now().days_before(TRASH_DAYS).nanoseconds()
                }))
            };
        match begins(NEW) || begins(PART) && is_old()? {
            true => temporary.remove_file(name),
            false => Ok(()),
        }
    }

    fn read_plan(&self) -> std::io::Result<Vec<Planned>> {
        let mut text = String::new();
        match self.marker.temporary.open_file(&fixed(PLAN)) {
            Ok(mut file) => drop(file.read_to_string(&mut text)?),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let planned = |line: &str| {
            let mut fields = line.split(' ');
            let number = fields.next()?.parse().ok()?;
            let (old, new) = (Hash::parse(fields.next()?), Hash::parse(fields.next()?));
            let path = RelPath::new(&decode(fields.next()?)?)?;
            Some(Planned { number, old, new, path })
        };
        Ok(text.lines().filter_map(planned).collect())
    }
}

fn hash_in(row: &Row) -> Option<Hash> {
    match row.thing.kind {
        Kind::File(hash) => Some(hash),
        Kind::Dir => None,
    }
}
