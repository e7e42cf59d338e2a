//! What `telefile sync` shows: bars on a terminal, plain lines elsewhere. The id goes to stdout, all
//! else to stderr.

use crate::cli::bar::{ProgressBar, bar_of_bytes};
use crate::cli::failure::{one_line, program};
use crate::cli::streams::{put, say};
use crate::sync::{Event, Observer, Summary};
use std::io::{IsTerminal, Write};

/// Shows the progress on stderr.
pub(super) struct Progress {
    /// `None`: stderr is no terminal.
    bar: Option<ProgressBar>,
    files: u64,
    done: u64,
    /// Of the contents of these files, as far as they are known.
    bytes: u64,
    /// A dry run has printed what a round would do.
    has_plan: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::hidden);
        Progress { bar, files: 0, done: 0, bytes: 0, has_plan: false }
    }

    fn say(&self, line: &str) {
        let line = one_line(&format!("{}: {line}", program()));
        let write = || drop(writeln!(std::io::stderr(), "{line}"));
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn plan(&mut self, files: u64, bytes: u64) {
        let Some(bar) = &mut self.bar else { return };
        if bar.is_hidden() || bar.is_finished() {
            *bar = bar_of_bytes(None);
        }
        self.files += files;
        self.bytes += bytes;
        if self.bytes > 0 {
            bar.set_length(self.bytes);
        }
    }

    fn end(&mut self, summary: &Summary) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (self.files, self.done, self.bytes) = (0, 0, 0);
        let is_said = self.has_plan || !summary.left_out.is_empty();
        if !summary.is_quiet() || !is_said {
            self.say(&summary.to_string());
        }
        for (path, why) in &summary.left_out {
            self.say(&format!("{path}: left out: {why}"));
        }
    }
}

impl Observer for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Id(id) => say(&format!("id: {id}\n")),
            Event::Plan(line) => {
                self.has_plan = true;
                drop(put(format!("{line}\n")));
            }
            Event::Notice(text) => self.say(text),
            Event::Planned { files, bytes } => self.plan(files, bytes),
            Event::Moved(bytes) => self.bar.iter().for_each(|bar| bar.inc(bytes)),
            Event::Finished(_) => {
                self.done += 1;
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{}/{} files and folders", self.done, self.files));
                }
            }
            Event::Round(summary) => self.end(summary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_empty_until_the_size_of_what_comes_is_known() {
        // After a plan the end of a round is not said.
        let bar = Some(ProgressBar::hidden());
        let mut progress = Progress { bar, has_plan: true, ..Progress::new() };
        let mut length = |event: Event<'_>| {
            progress.event(event);
            progress.bar.as_ref().unwrap().length()
        };
        assert_eq!(length(Event::Planned { files: 2, bytes: 0 }), None);
        assert_eq!(length(Event::Planned { files: 0, bytes: 7 }), Some(7));
        assert_eq!(length(Event::Planned { files: 0, bytes: 3 }), Some(10));
        length(Event::Round(&Summary::default()));
        assert_eq!(length(Event::Planned { files: 1, bytes: 0 }), None);
    }
}
