//! The plan of a batch: what each temporary file is for, so that after a crash none is taken for rubbish
//! that may be the only copy of what a user wrote.

use super::apply::{Change, Place};
use super::decide::{Kind, Thing};
use super::error::Error;
use super::hash::Hash;
use super::marker::TRASH_DAYS;
use super::path::{RelPath, decode, encode};
use super::root::Rename;
use super::stat::FileKind;
use super::steps::step;
use super::temporary::{NEW, PART, fixed, hash_of, remove_if_there, swap_name};
use super::time::Utc;
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
    pub(super) fn write_plan(&self, changes: &[Change]) -> Result<(), Error> {
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
            file.sync_data()?;
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
        if text.is_empty() { Ok(()) } else { write().map_err(Error::about("the plan of a batch")) }
    }

    pub(super) fn remove_plan(&self) -> Result<(), Error> {
        let removed = remove_if_there(&self.marker.temporary, &fixed(PLAN));
        removed.map_err(Error::about("the plan of a batch"))
    }

    /// Moves files out of the marker's folder into the trash.
    pub(super) fn throw_away(&self, old: Vec<(RelPath, RelPath)>) -> Result<(), Error> {
        if old.is_empty() {
            return Ok(());
        }
        let trash = self.marker.new_trash().map_err(Error::about("the trash"))?;
        for (name, path) in old {
            let moved = trash
                .make_parents(&path)
                .and_then(|()| self.marker.temporary.rename(&name, &trash, &path, Rename::ToFree));
            moved.map_err(Error::about("the trash"))?;
            step("an old file is in the trash")?;
        }
        Ok(())
    }

    /// Looks at what a crash has left: a temporary file may be the only copy of what a user wrote.
    /// Returns the conflict copies that were made of such.
    pub(super) fn recover(&self) -> Result<Vec<RelPath>, Error> {
        let temporary = &self.marker.temporary;
        let about = || Error::about("temporary files");
        let plan = self.read_plan().map_err(about())?;
        let (mut copies, mut old) = (Vec::new(), Vec::new());
        for name in temporary.names(None).map_err(about())? {
            let Some(name) = RelPath::new(&name) else { continue };
            let number = str::from_utf8(name.as_bytes()).ok().and_then(|text| {
                text.strip_prefix("swap-").or(text.strip_prefix("out-"))?.parse::<usize>().ok()
            });
            let Some(number) = number else {
                self.clear(&name).map_err(about())?;
                continue;
            };
            let planned = plan.iter().find(|planned| planned.number == number);
            let known = match temporary.stat(&name).map_err(about())?.map(|stat| stat.kind) {
                Some(FileKind::File) => {
                    let hash = hash_of(temporary, &name)?;
                    planned.is_some_and(|p| p.old == Some(hash) || p.new == Some(hash))
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
