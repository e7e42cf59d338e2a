//! The transcripts against a server elsewhere, one after the other, and the outcome of each.
//!
//! They write and delete there, so the server must have no files, unless the caller allows it.

use super::parse::Transcript;
use super::run::{Cut, run};
use super::target::{Target, Transport};
use super::{Named, modes};
use std::fmt;
use std::io::Write;
use std::time::Duration;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server elsewhere that has answered.
pub(crate) struct Elsewhere {
    address: String,
    target: Target,
}

/// The outcomes of the transcripts, by name.
#[derive(Default)]
pub(crate) struct Summary {
    server: String,
    pub(crate) passed: usize,
    /// With what was expected and what arrived.
    pub(crate) failed: Vec<(String, String)>,
    /// With what the transcript needs.
    pub(crate) skipped: Vec<(String, String)>,
    /// Why the transcripts after the last one were not run, and how many.
    pub(crate) stopped: Option<(String, usize)>,
}

impl Elsewhere {
    /// Asks the server for a sign of life and for its files.
    ///
    /// # Errors
    /// There is no answer within seconds, or there are files, or the server does not say, and
    /// `may_delete` is false.
    pub(crate) fn find(address: &str, may_delete: bool) -> Result<Elsewhere, String> {
        Elsewhere::find_within(PATIENCE, address, may_delete)
    }

    /// The same, with another time that a reply may take.
    fn find_within(patience: Duration, address: &str, may_delete: bool) -> Result<Self, String> {
        let target = Target::elsewhere(address, patience)?;
        let found = Elsewhere { address: address.to_string(), target };
        found.probe()?;
        let refused = |what: &str| {
            format!(
                "{address} {what}, and the transcripts write and delete files there: start a server \
                 of its own for them, or set TELEFILE_TEST_DELETE=1"
            )
        };
        match found.target.files() {
            _ if may_delete => Ok(found),
            Some(0) => Ok(found),
            Some(n) => Err(refused(&format!("has files ({n})"))),
            None => Err(refused("does not say whether it has files")),
        }
    }

    /// Returns whether it answers `hello`, with any line.
    fn probe(&self) -> Result<(), String> {
        self.target.probe().map_err(|e| format!("{} does not answer: {e}", self.address))
    }

    /// Runs these transcripts and writes a line for each into `report`. Stops if one fails and the
    /// server no longer answers.
    pub(crate) fn run(&self, all: &[Named], mut report: impl Write) -> Summary {
        let mut summary = Summary { server: self.address.clone(), ..Summary::default() };
        for (n, Named { name, transcript }) in all.iter().enumerate() {
            let outcome = match transcript.settings.needs() {
                Some(needs) => {
                    summary.skipped.push((name.to_string(), needs.clone()));
                    format!("skipped, needs {needs}")
                }
                None => match self.check(transcript) {
                    Ok(()) => {
                        summary.passed += 1;
                        "ok".to_string()
                    }
                    Err(why) => {
                        summary.failed.push((name.to_string(), why));
                        "FAILED".to_string()
                    }
                },
            };
            let _ = writeln!(report, "{name} ... {outcome}");
            if outcome == "FAILED"
                && let Err(e) = self.probe()
            {
                summary.stopped = Some((e, all.len() - n - 1));
                break;
            }
        }
        summary
    }

    fn check(&self, transcript: &Transcript) -> Result<(), String> {
        let (steps, names) = (transcript.steps.iter().collect::<Vec<_>>(), transcript.names());
        let real_time = if transcript.moves_clock() { 1 } else { usize::MAX };
        let modes = modes().into_iter().filter(|mode| mode.transport == Transport::Tcp);
        for mode in modes.take(real_time) {
            self.target.delete_names(&names)?;
            match mode.cut {
                Cut::Pipelined => match transcript.pipelined(false) {
                    Some(steps) => run(&steps, &mode, &self.target)?,
                    None => continue,
                },
                _ => run(&steps, &mode, &self.target)?,
            }
        }
        self.target.delete_names(&names)
    }
}

impl Summary {
    pub(crate) fn is_success(&self) -> bool {
        self.failed.is_empty() && self.stopped.is_none()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, why) in &self.failed {
            writeln!(f, "\n{name}: {why}")?;
        }
        let mut reasons: Vec<&str> = self.skipped.iter().map(|(_, needs)| &needs[..]).collect();
        reasons.sort();
        for same in reasons.chunk_by(|a, b| a == b) {
            writeln!(f, "skipped {}: needs {}", same.len(), same[0])?;
        }
        if let Some((why, left)) = &self.stopped {
            writeln!(f, "stopped, {left} not run: {why}")?;
        }
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        write!(f, "{}: {passed} passed, {failed} failed, {skipped} skipped", self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder;
    use super::*;
    use crate::server::Running;
    use std::fs;
    use std::io::{self, BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;
    use telefile::Server;

    const SOME: [&str; 4] = [
        "a_failed_cas_keeps_the_expiry",
        "contents_that_look_like_commands_are_contents",
        "a_wrong_token_is_denied_and_closes",
        "hello_shows_the_idle_timeout",
    ];

    fn some() -> Vec<Named> {
        SOME.map(Named::of_protocol).into()
    }

    /// For servers that fall silent.
    const NO_PATIENCE: Duration = Duration::from_millis(300);

    #[test]
    fn a_summary_counts_and_names_the_server_which_is_left_without_files() {
        let server = Running::start(Server::builder());
        let address = server.addresses()[0].to_string();
        let mut report = Vec::new();
        let summary = Elsewhere::find(&address, false).unwrap().run(&some(), &mut report);
        assert!(summary.is_success());
        assert_eq!(
            summary.to_string(),
            format!(
                "skipped 1: needs a token\nskipped 1: needs idle_timeout 2.5\n\
                 {address}: 2 passed, 0 failed, 2 skipped"
            )
        );
        let report = String::from_utf8(report).unwrap();
        assert!(report.starts_with("a_failed_cas_keeps_the_expiry ... ok\n"), "{report}");
        assert_eq!(report.lines().count(), SOME.len());
        assert!(Elsewhere::find(&address, false).is_ok(), "nothing is left");
    }

    /// So no transcript mentions a version before it has arrived, or relies on one.
    #[test]
    fn a_transcript_that_needs_nothing_runs_on_a_server_that_others_have_used() {
        let server = Running::start(Server::builder());
        server.client().write("used", b"before");
        let address = server.addresses()[0].to_string();
        let found = Elsewhere::find(&address, true).unwrap();
        for file in fs::read_dir(folder()).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let transcript = super::super::load(&file);
            if transcript.settings.needs().is_none() && !transcript.moves_clock() {
                found.target.delete_names(&transcript.names()).unwrap();
                let steps: Vec<_> = transcript.steps.iter().collect();
                let outcome = run(&steps, &modes()[0], &found.target);
                outcome.unwrap_or_else(|failure| panic!("{file}: {failure}"));
                found.target.delete_names(&transcript.names()).unwrap(); // of which others list some
            }
        }
    }

    #[test]
    fn a_server_with_files_is_left_alone_unless_the_caller_says_so() {
        let server = Running::start(Server::builder());
        let address = server.addresses()[0].to_string();
        server.client().write(".secret/mine", b"is in no list");
        let e = Elsewhere::find(&address, false).err().unwrap();
        assert!(e.starts_with(&format!("{address} has files (1)")), "{e}");
        assert!(e.contains("TELEFILE_TEST_DELETE=1"), "{e}");
        assert_eq!(
            Elsewhere::find(&address, true).unwrap().run(&some()[1..2], io::sink()).passed,
            1
        );
    }

    #[test]
    fn a_server_that_is_silent_or_does_not_listen_is_named_before_any_transcript() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let e = Elsewhere::find_within(NO_PATIENCE, &address, true).err().unwrap();
        assert!(e.starts_with(&format!("{address} does not answer: ")), "{e}");
        drop(listener);
        let e = Elsewhere::find(&address, true).err().unwrap();
        assert!(e.starts_with(&format!("{address} does not answer: ")), "{e}");
    }

    /// Answers each line with `reply`, on this many connections, and is silent from then on.
    fn imposter(reply: &'static str, connections: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for n in 0.. {
                let mut stream = listener.accept().unwrap().0;
                thread::spawn(move || {
                    let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
                    for _ in lines.map_while(Result::ok) {
                        if n < connections && stream.write_all(reply.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    #[test]
    fn wrong_replies_fail_and_a_server_that_falls_silent_ends_the_run() {
        let address = imposter("ERR_CMD_ERR\r\n", usize::MAX);
        let e = Elsewhere::find(&address, false).err().unwrap();
        assert!(e.starts_with(&format!("{address} does not say whether it has files")), "{e}");
        let summary = Elsewhere::find(&address, true).unwrap().run(&some()[..2], io::sink());
        assert_eq!((summary.passed, summary.failed.len(), &summary.stopped), (0, 2, &None));
        assert!(summary.to_string().contains("came      ERR_CMD_ERR"), "{summary}");

        let address = imposter("ERR_CMD_ERR\r\n", 3);
        let found = Elsewhere::find_within(NO_PATIENCE, &address, true).unwrap();
        let summary = found.run(&some(), io::sink());
        assert_eq!((summary.passed, summary.failed.len()), (0, 1));
        assert_eq!(summary.stopped.as_ref().unwrap().1, 3, "{summary}");
        assert!(!summary.is_success());
    }
}
