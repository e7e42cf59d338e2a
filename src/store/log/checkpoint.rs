//! A checkpoint: what several batches make of each name together, so that the tree changes it once.

use super::batch::{Body, Large, Record};
use super::batches::Batches;
use super::pieces::{Pieces, Span};
use super::segment::{Location, Sealed, Segment};
use crate::files::store::{Life, Mutation};
use crate::name::Name;
use crate::store::error::{Result, damaged};
use crate::store::format::Stamp;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What sealed segments change in the tree.
#[derive(Debug)]
pub(in crate::store) struct Checkpoint {
    pub(super) names: BTreeMap<Name, Change>,
    /// The contents that the tree keeps beside their names.
    pub(super) inline: Pieces,
    /// Large contents. Some may be replaced by others behind them.
    pub(super) large: Vec<Location>,
    /// The stamp that the tree has afterwards.
    pub(in crate::store) last: Stamp,
}

/// What becomes of a name. There are many of them.
#[derive(Debug)]
pub(super) struct Change {
    /// The version that the tree has, unless this is only a touch. 0: none.
    old: u64,
    /// The removal that the tree remembers, and has to forget. 0: none.
    removed: u64,
    pub(super) to: To,
}

const _: () = assert!(size_of::<(Name, Change)>() <= 80);

#[derive(Debug)]
pub(super) enum To {
    File { version: u64, life: Life, bytes: Bytes },
    Life(Life),
    Removal(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Bytes {
    Code,
    Inline(Span),
    /// The place in [`Checkpoint::large`].
    Large(u32),
}

impl Change {
    pub(super) fn removed(&self) -> Option<u64> {
        Some(self.removed).filter(|version| *version > 0)
    }
}

impl Checkpoint {
    /// Merges the batches of sealed segments whose numbers are in the range; `None` if there are none.
    ///
    /// # Errors
    /// Those of the disk, and damage.
    pub(super) fn merge(sealed: &[Sealed], range: RangeInclusive<u64>) -> Result<Option<Self>> {
        let mut checkpoint = None;
        for Sealed { segment, end, last } in sealed {
            if range.is_empty() || last.batch < *range.start() {
                continue;
            }
            // Its stamp becomes that of the last batch that it has, never of one that it does not have.
            let empty = || Checkpoint {
                names: BTreeMap::new(),
                inline: Pieces::default(),
                large: Vec::new(),
                last: *last,
            };
            if checkpoint.get_or_insert_with(empty).add(segment, *end, &range)? {
                break;
            }
        }
        Ok(checkpoint)
    }

    /// Adds the batches of a segment up to `end`, which are whole. Returns whether the last of the
    /// range was among them.
    fn add(
        &mut self,
        segment: &Arc<Segment>,
        end: u64,
        range: &RangeInclusive<u64>,
    ) -> Result<bool> {
        let mut batches = Batches::new(segment, end);
        while let Some((at, batch)) = batches.next()? {
            let stamp = batch.place.stamp;
            if range.contains(&stamp.batch) {
                batch.records(|record| self.change(record, segment, at))?;
                self.last = stamp;
            }
            if stamp.batch >= *range.end() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn change(&mut self, record: Record<'_>, segment: &Arc<Segment>, at: u64) -> Result<()> {
        match record {
            Record::Put { name, version, old, removed, life, body } => {
                let bytes = match body {
                    Body::Code => Bytes::Code,
                    Body::Inline(bytes) => Bytes::Inline(self.inline.add(bytes)),
                    Body::Large { at: within, numbytes } => {
                        let large = Large { version, at: at + within, numbytes };
                        self.large.push(Location { segment: segment.clone(), large });
                        Bytes::Large(self.large.len() as u32 - 1)
                    }
                };
                self.set(name, old, removed, To::File { version, life, bytes });
            }
            Record::Touch { name, life } => {
                match self.names.get_mut(&name).map(|change| &mut change.to) {
                    None => self.set(name, None, None, To::Life(life)),
                    Some(To::File { life: last, .. } | To::Life(last)) => *last = life,
                    Some(To::Removal(_)) => {
                        let name = name.as_name_ref().for_log();
                        return Err(damaged(format!("the log touches {name}, which was removed")));
                    }
                }
            }
            Record::Remove { name, version, old } => {
                self.set(name, Some(old), None, To::Removal(version));
            }
            Record::Pass { name, version, removed } => {
                self.set(name, None, removed, To::Removal(version));
            }
        }
        Ok(())
    }

    fn set(&mut self, name: Name, old: Option<u64>, removed: Option<u64>, to: To) {
        match self.names.get_mut(&name) {
            Some(change) if !matches!(change.to, To::Life(_)) => change.to = to,
            _ => {
                let (old, removed) = (old.unwrap_or(0), removed.unwrap_or(0));
                self.names.insert(name, Change { old, removed, to });
            }
        }
    }

    /// Calls `each` with each change to the tree, in the order of the names. Large contents are in
    /// memory one at a time.
    pub(in crate::store) fn mutations(
        &self,
        mut each: impl FnMut(&Mutation) -> Result<()>,
    ) -> Result<()> {
        for (name, change) in &self.names {
            let (name, removed) = (name.clone(), change.removed());
            let old = Some(change.old).filter(|version| *version > 0);
            each(&match (&change.to, old) {
                (To::File { version, life, bytes }, _) => {
                    let contents = match bytes {
                        Bytes::Code => None,
                        Bytes::Inline(span) => Some(self.inline.get(*span).into()),
                        Bytes::Large(at) => Some(self.large[*at as usize].read()?),
                    };
                    let (version, life) = (*version, *life);
                    Mutation::Put { name, version, old, removed, life, contents }
                }
                (To::Life(life), _) => Mutation::Touch { name, life: *life },
                (To::Removal(version), Some(old)) => {
                    Mutation::Remove { name, version: *version, old }
                }
                (To::Removal(version), None) => Mutation::Pass { name, version: *version, removed },
            })?;
        }
        Ok(())
    }
}
