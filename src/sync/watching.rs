//! The watcher of the folder over time: started, found dead, and started again now and then.

use super::disk::watcher::Watcher;
use super::folder::Folder;
use std::time::{Duration, Instant};

/// The watcher, if there is one.
pub(super) struct Watching {
    watcher: Option<Watcher>,
    /// When it was last attempted to start one.
    tried: Option<Instant>,
    /// Why the folder is scanned each time, after that was said. It stays until a later watcher has
    /// given a sign of life.
    why_not: Option<String>,
}

impl Watching {
    pub(super) fn new() -> Self {
        Watching { watcher: None, tried: None, why_not: None }
    }

    pub(super) fn watcher(&mut self) -> Option<&mut Watcher> {
        self.watcher.as_mut()
    }

    /// Looks after the watcher; starts one if `pause` has passed since the last attempt. Returns whether
    /// one was started, so that what happened before has to be scanned.
    pub(super) fn tend(&mut self, folder: &mut Folder<'_>, now: Instant, pause: Duration) -> bool {
        if !folder.settings.watch {
            return false;
        }
        if let Some(why) = self.watcher.as_ref().and_then(|watcher| watcher.why_dead(now)) {
            self.watcher = None;
            self.fail(folder, "the watcher has died", why);
        }
        if self.watcher.as_ref().is_some_and(Watcher::is_alive) && self.why_not.take().is_some() {
            folder.notice("the folder is watched again");
        }
        let is_early = self.tried.is_some_and(|tried| now - tried < pause);
        if self.watcher.is_some() || is_early {
            return false;
        }
        self.tried = Some(now);
        match Watcher::start(&folder.path, folder.observer.stop().waker()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(why) => self.fail(folder, "the folder cannot be watched", why),
        }
        self.watcher.is_some()
    }

    fn fail(&mut self, folder: &mut Folder<'_>, what: &str, why: String) {
        if self.why_not.as_ref() != Some(&why) {
            folder.notice(format!("{what}, so it is scanned each time: {why}"));
            self.why_not = Some(why);
        }
    }

    /// Returns what the status says.
    pub(super) fn state(&self) -> String {
        match (&self.why_not, self.tried) {
            (Some(why), _) => format!("none, so the folder is scanned each time: {why}"),
            (None, Some(_)) => "alive".to_string(),
            (None, None) => "off".to_string(),
        }
    }
}
