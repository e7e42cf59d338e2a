//! Transcripts: what clients send and what the server has to answer, as text in `tests/protocol`.
//!
//! ```text
//! # a comment
//! % max_contents 10        a setting of the server, before the first step: also max_memory,
//!                          connections, idle_timeout, token; `store memory` or `store durable`, whatever
//!                          the run uses; `store local`: memory if the run uses etcd; `fresh`: only on a server of its own;
//!                          `not_pipelined`: a client has to read before it sends more
//! > read foo               a line that the client sends; `A> read foo` if there are several clients
//! >> read                  bytes as written here, without a line end
//! < ERR_FILE_NOT_FOUND     the expected line, and a \r\n
//! << \xff\xfc\x06          expected bytes as written here, without a line end
//! ! shut                   the client ends its sending side
//! ! closed                 the server ends the connection, and nothing else arrives
//! ! reset                  the client vanishes: the last thing that it sends is a reset
//! ? watches 1              waits until `stats` shows this value to another client
//! T+ 1.5                   the server's clock moves by this many seconds
//! ```
//!
//! A client connects at its first step. In sent and expected text `\r \n \t \0 \xff \\ \<` are bytes, and
//! `<ab*3>` is `ababab`. `<v2>` is the second version of the server: exactly 2 on a server of its own;
//! elsewhere the version that arrives first, the same from then on, and more than `<v1>`. `<n2>` is
//! the same in 20 digits. In expected text `<number>`, `<epoch>` (the same each time), `<id1>` (a session's) and `<rest>` (of
//! the line) stand for what cannot be known; `<lines>` are as many lines as the last `<count>`.
//!
//! `TELEFILE_TEST_SEED` repeats one random split. Against a server `elsewhere`, waits take real time.

mod elsewhere;
mod holes;
mod parse;
mod run;
mod target;
mod text;

pub(crate) use elsewhere::Elsewhere;

use parse::Transcript;
use run::{Cut, Mode, run};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use target::{Target, Transport};

/// How many random splits of a transcript each run of the tests tries.
const RANDOM_SPLITS: u64 = 4;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/protocol")
}

/// Runs the transcript in each mode.
///
/// # Panics
/// With the whole exchange, if something other than expected arrives.
pub(crate) fn check(file: &str) {
    let result = check_fresh(&load(file));
    result.unwrap_or_else(|failure| panic!("tests/protocol/{file}: {failure}"));
}

/// A transcript that also runs on a server that others have used.
pub(crate) struct Named {
    pub(crate) name: String,
    transcript: Transcript,
}

impl Named {
    /// Returns the transcript of a file in `tests/protocol`.
    pub(crate) fn of_protocol(name: &str) -> Named {
        Named { name: name.to_string(), transcript: load(&format!("{name}.txt")) }
    }

    /// Returns a transcript of a page, which shows the versions of a new server.
    ///
    /// # Panics
    /// If it has a mistake.
    pub(crate) fn of_page(name: &str, text: &str) -> Named {
        let transcript = Transcript::parse(&holes::for_versions(text));
        Named {
            name: name.to_string(),
            transcript: transcript.unwrap_or_else(|e| panic!("{name}: {e}")),
        }
    }

    pub(crate) fn moves_clock(&self) -> bool {
        self.transcript.moves_clock()
    }
}

/// # Panics
/// If the transcript has a mistake.
fn load(file: &str) -> Transcript {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    Transcript::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Runs a transcript from another file, on servers of its own.
///
/// # Panics
/// With the whole exchange, if something other than expected arrives.
pub(crate) fn check_text(source: &str, text: &str) {
    let transcript = Transcript::parse(text).unwrap_or_else(|e| panic!("{source}: {e}"));
    check_fresh(&transcript).unwrap_or_else(|failure| panic!("{source}: {failure}"));
}

fn check_fresh(transcript: &Transcript) -> Result<(), String> {
    let steps: Vec<_> = transcript.steps.iter().collect();
    for mode in modes() {
        let target = Target::fresh(&transcript.settings);
        match mode.cut {
            Cut::Pipelined => match transcript.pipelined(true) {
                Some(steps) => run(&steps, &mode, &target)?,
                None => continue,
            },
            _ => run(&steps, &mode, &target)?,
        }
    }
    Ok(())
}

fn modes() -> Vec<Mode> {
    const LF: &str = "\n";
    const CRLF: &str = "\r\n";
    let mode = |cut, line_end, transport| Mode { cut, line_end, transport };
    let random = |seed: u64| {
        let line_end = if seed.is_multiple_of(2) { LF } else { CRLF };
        let unix = (seed / 2).is_multiple_of(2);
        mode(Cut::Random(seed), line_end, if unix { Transport::Unix } else { Transport::Tcp })
    };
    if let Ok(seed) = std::env::var("TELEFILE_TEST_SEED") {
        return vec![random(seed.parse().expect("TELEFILE_TEST_SEED is a number"))];
    }
    let mut modes = vec![
        mode(Cut::Whole, LF, Transport::Tcp),
        mode(Cut::Whole, CRLF, Transport::Unix),
        mode(Cut::Bytes, CRLF, Transport::Tcp),
        mode(Cut::Bytes, LF, Transport::Unix),
        mode(Cut::Pipelined, CRLF, Transport::Tcp),
        mode(Cut::Pipelined, LF, Transport::Unix),
    ];
    let seed = RandomState::new().hash_one(()) & !0xff;
    modes.extend((seed..seed + RANDOM_SPLITS).map(random));
    modes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> String {
        check_fresh(&Transcript::parse(text).unwrap()).unwrap_err()
    }

    #[test]
    fn a_wrong_reply_fails_and_shows_the_exchange() {
        let failure = failure("> write f 1\n> x\n< OK <v1>\n> read f\n< CONTENTS <v1> 1 5\n");
        for part in [
            "line 5, whole, \\n, tcp",
            "> write f 1\n",
            "< OK 1\\r\\n\n",
            "expected  < CONTENTS <v1> 1 5\n",
            "came      CONTENTS 1 1 0\\r\\n",
        ] {
            assert!(failure.contains(part), "{part:?} is not in\n{failure}");
        }
    }

    #[test]
    fn a_missing_a_surplus_and_an_unexpected_end_fail() {
        let surplus = failure("> read f\n> read f\n< ERR_FILE_NOT_FOUND\n");
        assert!(surplus.contains("came      ERR_FILE_NOT_FOUND\\r\\n"), "{surplus}");
        let missing = failure("> read f\n! shut\n< ERR_FILE_NOT_FOUND\n< OK\n");
        assert!(missing.contains(", then the end"), "{missing}");
        let open = failure("> quit\n> read f\n< ERR_FILE_NOT_FOUND\n");
        assert!(open.contains(", then the end"), "{open}");
    }

    #[test]
    fn a_version_is_exact_on_a_fresh_server() {
        let failure = failure("> write f 0\n>\n< OK <v2>\n");
        assert!(failure.contains("came      OK 1\\r\\n"), "{failure}");
    }
}
