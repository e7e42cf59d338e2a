//! The transcripts against a server of the reader's own: a small one in Python, that knows the first
//! commands alone.

use crate::documents::root;
use crate::programs::{has, program};
use crate::protocol;
use crate::transcript::Elsewhere;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// The transcripts that it passes; all others need more than read, write, cas and delete.
const PASSED: &[&str] = &[
    "a_bare_lf_or_crlf_ends_a_line",
    "a_cr_inside_a_line_closes",
    "a_numbytes_that_is_not_a_number_closes",
    "an_empty_line_gets_no_reply",
    "an_unknown_command_closes",
    "cas_writes_only_at_its_version",
    "contents_may_be_any_bytes",
    "contents_without_their_line_end_close",
    "every_complete_request_is_answered_after_a_half_close",
    "large_contents_arrive_whole",
    "quit_ends_the_connection_after_the_replies",
    "too_few_fields_before_contents_close",
    "tutorial/ch00-a-conversation.md, two-writers",
    "tutorial/ch05-tcp-is-a-tape.md, cut",
    "tutorial/ch06-iter-lines.md, limit",
    "tutorial/ch07-two-framings.md, letter",
    "tutorial/ch10-compare-and-swap.md, two additions",
    "tutorial/ch10-compare-and-swap.md, two additions with cas",
    "tutorial/ch21-proof.md, pieces",
    "tutorial/reference/protocol.md, sample",
];

/// What is not tried: a server that knows no Telnet waits for more bytes there.
const NOT_TRIED: &[&str] = &["telnet", "putty", "cr_nul"];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_of_60_lines_passes_the_transcripts_of_what_it_knows() {
    if !has("python3") {
        return;
    }
    let mut command = program("python3");
    command
        .arg(root().join("tests/it/book/small_server.py"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = Server(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on ").expect("an address");
    let mut report = Vec::new();
    let mut all = protocol::all();
    all.retain(|named| !NOT_TRIED.iter().any(|part| named.name.contains(part)));
    let summary = Elsewhere::find(address, true).unwrap().run(&all, &mut report);
    assert_eq!(summary.stopped, None);
    let report = String::from_utf8(report).unwrap();
    let passed: Vec<_> = report.lines().filter_map(|line| line.strip_suffix(" ... ok")).collect();
    // A page has its transcript in a line that changes.
    let without_line = |name: &str| match name.split_once(':') {
        Some((page, rest)) => {
            page.to_string() + rest.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        None => name.to_string(),
    };
    let passed: Vec<_> = passed.into_iter().map(without_line).collect();
    assert_eq!(passed, PASSED, "the list of what it passes is left, PASSED in {} right", file!());
}
