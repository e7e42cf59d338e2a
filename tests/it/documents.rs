//! The sessions that the documents show, run against the server.

use super::transcript;
use std::fs;
use telefile::wire::Request;

fn document(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_session_of_the_protocol_document_is_true() {
    let text = document("tutorial/reference/protocol.md");
    let mut sessions = text.split("<!-- transcript: ").skip(1).peekable();
    assert!(sessions.peek().is_some());
    for session in sessions {
        let (name, rest) = session.split_once(" -->\n```\n").unwrap();
        let (steps, _) = rest.split_once("\n```").unwrap();
        transcript::check_text(&format!("protocol.md, {name}"), steps);
    }
    let unmarked = text.matches("\n```\n> ").count() - text.matches(" -->\n```\n> ").count();
    assert_eq!(unmarked, 0, "a session without its mark is not run");
}

/// The session is shown as a terminal shows it; what is a request, or its contents, was sent.
#[test]
fn the_session_of_the_readme_is_true() {
    let text = document("README.md");
    let (_, session) = text.split_once("$ telnet localhost 8080").unwrap();
    let (session, _) = session.split_once("```").unwrap();
    let mut steps = String::new();
    let mut contents_follow = false;
    for line in session.lines().skip(1) {
        let request = Request::parse(line.as_bytes());
        let sent = contents_follow || request.is_ok();
        contents_follow = !contents_follow && request.is_ok_and(|r| r.numbytes().is_some());
        steps += &format!("{} {line}\n", if sent { '>' } else { '<' });
    }
    assert!(steps.lines().count() > 10, "{steps}");
    transcript::check_text("README.md", &steps);
}
