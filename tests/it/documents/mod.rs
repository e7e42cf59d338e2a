//! The pages for people: what they show is run, what they link to exists.

#[cfg(feature = "cli")]
mod flags;
pub(crate) mod links;
pub(crate) mod page;
mod python;
#[cfg(feature = "cli")]
mod shell;

use super::server::{Running, Tables};
use super::transcript::{self, Elsewhere, Named};
pub(crate) use page::{Block, Page, pages, root};
use telefile::Server;
use telefile::wire::Request;

/// A README is read in a minute.
const MAX_README_LINES: usize = 150;

#[test]
fn the_readme_is_short() {
    let lines = Page::load("README.md").text.lines().count();
    assert!(lines <= MAX_README_LINES, "README.md has {lines} lines, more than {MAX_README_LINES}");
}

/// A block that nothing runs would be true only until the next change.
#[test]
fn every_block_is_run_or_says_why_not() {
    let library = Page::load("src/lib.rs").text;
    for page in pages() {
        for block in page.blocks() {
            let runs = match block.language {
                _ if block.quote().is_some() || block.solution().is_some() => true, // by `book`
                "rust" | "rust,no_run" | "rust,compile_fail" => {
                    library.contains(&format!("(\"../{}\")", page.path))
                }
                "console" | "sh" => true,
                "python" => block.body.starts_with(">>> "),
                "toml" if block.is_options() => true, // by `process::config`
                "toml" => block.body.starts_with("[dependencies]\ntelefile = { path = "),
                "" | "text" => block.transcript().is_some() || !block.has_requests(),
                _ => false,
            };
            assert!(runs, "{}: no test runs this block", block.place);
        }
    }
}

#[test]
fn every_transcript_of_a_page_is_true() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks() {
            if let Some(name) = block.transcript() {
                transcript::check_text(&format!("{}, {name}", block.place), &answered(block.body));
                count += 1;
            }
        }
    }
    assert!(count > 5, "{count} transcripts");
}

/// Returns a transcript as the servers of this run answer it: pages show the default limit of contents
/// where a table is not in etcd.
fn answered(transcript: &str) -> String {
    let limit = |max: usize| format!("ERR_LIMIT contents {max}\n");
    transcript.replace(&limit(64 << 20), &limit(Tables::asked().max_contents()))
}

/// Returns the transcripts of all pages.
pub(crate) fn transcripts() -> Vec<Named> {
    let mut found = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if let Some(name) = block.transcript() {
                found.push(Named::of_page(
                    &format!("{}, {name}", block.place),
                    &answered(block.body),
                ));
            }
        }
    }
    found
}

/// So a reader may run them against a server of his own, one after the other.
#[test]
fn every_transcript_of_a_page_also_runs_on_a_used_server() {
    let server = Running::start(Server::builder());
    server.client().write("used", b"before");
    let mut transcripts = transcripts();
    transcripts.retain(|transcript| !transcript.moves_clock());
    let elsewhere = Elsewhere::find(&server.addresses()[0].to_string(), true).unwrap();
    let summary = elsewhere.run(&transcripts, std::io::sink());
    assert!(summary.is_success() && summary.passed > 5, "{summary}");
}

/// A session with `nc` is shown as a terminal shows it: requests and their contents are sent, the
/// rest is received.
#[test]
fn every_typed_session_of_a_page_is_true() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(Block::is_typed) {
            let (_, session) = block.body.split_once("$ nc ").unwrap();
            let mut steps = String::new();
            let mut contents_follow = false;
            for line in session.lines().skip(1) {
                let request = Request::parse(line.as_bytes());
                let sent = contents_follow || request.is_ok();
                contents_follow = !contents_follow && request.is_ok_and(|r| r.numbytes().is_some());
                steps += &format!("{} {line}\n", if sent { '>' } else { '<' });
            }
            assert!(steps.lines().count() > 10, "{steps}");
            transcript::check_text(&block.place, &steps);
            count += 1;
        }
    }
    assert!(count > 0);
}
