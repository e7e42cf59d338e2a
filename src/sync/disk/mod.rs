//! The folder on this machine: looks at it, watches it and changes it, without ever following a symlink.

pub(super) mod apply;
pub(super) mod beneath;
pub(super) mod conflict;
pub(super) mod ignored;
pub(super) mod ignoring;
pub(super) mod marker;
pub(super) mod patterns;
pub(super) mod recover;
pub(super) mod root;
pub(super) mod scan;
pub(super) mod spelling;
pub(super) mod stat;
pub(super) mod temporary;
pub(super) mod trash;
pub(super) mod unchanged;
pub(super) mod watcher;
