//! What to do about one path: a pure function of what both sides last had in common, what is here,
//! and what is on the server. It looks at no clock.

use super::hash::Hash;
use crate::version::Version;

/// What makes two files or folders equal: never a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// The permission bits.
    pub(super) mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dir,
    File(Hash),
}

/// A thing at a version of its entry on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versioned {
    pub(super) thing: Thing,
    pub(super) version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Neither side has the path any longer: only the row goes.
    Forget,
    /// Both sides are the same: only the row changes.
    Adopt,
    /// Set the entry, which is at this version.
    Push(Version),
    /// Delete the entry, which is at this version.
    DeleteRemote(Version),
    /// Take what the server has. The local one, if there is any, is the one of the base.
    Pull,
    /// Only the mode differs, or the local one has changed to the same content: take the mode.
    PullMode,
    /// The local one goes to the trash.
    DeleteLocal,
    /// Both have changed: rename the local one, then take what the server has.
    Conflict,
}

/// Decides what to do about one path.
pub(super) fn decide(
    base: Option<Versioned>,
    local: Option<Thing>,
    remote: Option<Versioned>,
) -> Action {
    let version = |side: Option<Versioned>| side.map_or(Version::ABSENT, |v| v.version);
    let local_changed = local != base.map(|base| base.thing);
    let remote_changed = version(remote) != version(base);
    match (local_changed, remote_changed) {
        (false, false) => Action::Nothing,
        (true, false) => match local {
            Some(_) => Action::Push(version(base)),
            None => Action::DeleteRemote(version(base)),
        },
        (local_changed, true) => match (local, remote.map(|remote| remote.thing)) {
            (None, None) => Action::Forget,
            (Some(local), Some(remote)) if local == remote => Action::Adopt,
            (Some(local), Some(remote)) if local.kind == remote.kind => Action::PullMode,
            (None, Some(_)) => Action::Pull,
            (Some(_), None) if local_changed => Action::Push(Version::ABSENT),
            (Some(_), None) => Action::DeleteLocal,
            (Some(_), Some(_)) if local_changed => Action::Conflict,
            (Some(_), Some(_)) => Action::Pull,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> Thing {
        Thing { kind: Kind::File(Hash::of(content.as_bytes())), mode: 0o644 }
    }

    const DIR: Thing = Thing { kind: Kind::Dir, mode: 0o755 };

    fn at(thing: Thing, version: u64) -> Option<Versioned> {
        Some(Versioned { thing, version: Version(version) })
    }

    #[test]
    fn the_whole_table() {
        use Action::*;
        let (a, b, c) = (file("a"), file("b"), file("c"));
        let private = Thing { mode: 0o600, ..a };
        let closed = Thing { mode: 0o700, ..DIR };
        for (base, local, remote, expected) in [
            // First contact.
            (None, None, None, Nothing),
            (None, Some(a), None, Push(Version::ABSENT)),
            (None, None, at(a, 5), Pull),
            (None, Some(a), at(a, 5), Adopt),
            (None, Some(a), at(b, 5), Conflict),
            (None, Some(a), at(private, 5), PullMode),
            (None, Some(DIR), at(DIR, 5), Adopt),
            (None, Some(DIR), at(closed, 5), PullMode),
            (None, Some(a), at(DIR, 5), Conflict),
            (None, Some(DIR), at(a, 5), Conflict),
            // One side has changed.
            (at(a, 5), Some(a), at(a, 5), Nothing),
            (at(a, 5), Some(b), at(a, 5), Push(Version(5))),
            (at(a, 5), Some(private), at(a, 5), Push(Version(5))),
            (at(a, 5), Some(DIR), at(a, 5), Push(Version(5))),
            (at(a, 5), None, at(a, 5), DeleteRemote(Version(5))),
            (at(a, 5), Some(a), at(b, 6), Pull),
            (at(a, 5), Some(a), at(private, 6), PullMode),
            (at(a, 5), Some(a), at(DIR, 6), Pull),
            (at(DIR, 5), Some(DIR), at(a, 6), Pull),
            (at(a, 5), Some(a), None, DeleteLocal),
            (at(DIR, 5), Some(DIR), None, DeleteLocal),
            // The server has the same content again, at another version.
            (at(a, 5), Some(a), at(a, 9), Adopt),
            // Both have changed.
            (at(a, 5), Some(b), at(b, 6), Adopt),
            (at(a, 5), Some(b), at(c, 6), Conflict),
            (at(a, 5), Some(private), at(Thing { mode: 0o640, ..a }, 6), PullMode),
            (at(a, 5), None, None, Forget),
            (at(a, 5), None, at(b, 6), Pull),
            (at(a, 5), Some(b), None, Push(Version::ABSENT)),
            (at(a, 5), Some(DIR), at(b, 6), Conflict),
            (at(DIR, 5), Some(a), None, Push(Version::ABSENT)),
        ] {
            assert_eq!(decide(base, local, remote), expected, "{base:?} {local:?} {remote:?}");
        }
    }

    /// Each combination of three contents, two modes, a folder and nothing, on all three sides.
    #[test]
    fn no_action_takes_away_a_local_change_and_no_push_misses_a_remote_one() {
        let (a, b) = (file("a"), file("b"));
        let things = [None, Some(a), Some(b), Some(Thing { mode: 0o600, ..a }), Some(DIR)];
        for base in things {
            for local in things {
                for remote in things {
                    for version in [5, 6].map(Version) {
                        let base = base.map(|thing| Versioned { thing, version: Version(5) });
                        let remote = remote.map(|thing| Versioned { thing, version });
                        let action = decide(base, local, remote);
                        let changed = local != base.map(|base| base.thing);
                        let case = format!("{base:?} {local:?} {remote:?}: {action:?}");
                        if changed && local.is_some() {
                            assert!(
                                !matches!(action, Action::Pull | Action::DeleteLocal),
                                "{case}"
                            );
                        }
                        if let Action::Push(at) | Action::DeleteRemote(at) = action {
                            assert_eq!(
                                at,
                                remote.map_or(Version::ABSENT, |remote| remote.version),
                                "{case}"
                            );
                        }
                    }
                }
            }
        }
    }
}
