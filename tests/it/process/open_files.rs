use super::{Serving, without_settings};
use crate::server::eventually;
use rustix::process::Signal;
use std::process::Command;

/// A server that a shell has put limits to, as ulimit takes them.
pub(super) fn limited(limit: &str, args: &str) -> Serving {
    let mut command = Command::new("sh");
    let script = format!(r#"ulimit {limit} && exec "$0" serve --listen 127.0.0.1:0 {args}"#);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_telefile")]);
    without_settings(&mut command);
    Serving::from(command)
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let serving = limited("-Sn 64", "--connections 400");
    let mut clients: Vec<_> = (0..300).map(|_| serving.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
    }
    assert_eq!(clients[0].stat("connections"), 300);
    let log = serving.stop(Signal::TERM);
    assert!(!log.contains("cannot accept"), "{log}");
}

#[test]
fn what_the_hard_limit_does_not_allow_is_told_and_survived() {
    let serving = limited("-n 40", "");
    serving.logs(&["only 40 files may be open"]);
    let mut inside = serving.client();
    assert_eq!(inside.ask("read f"), "ERR_FILE_NOT_FOUND");
    let waiting: Vec<_> = (0..60).map(|_| serving.client()).collect();
    serving.logs(&["cannot accept"]);
    assert_eq!(inside.ask("read f"), "ERR_FILE_NOT_FOUND");
    drop(waiting);
    // Those that were not taken wait in the kernel's queue, and there is room for them again.
    assert_eq!(serving.client().ask("read f"), "ERR_FILE_NOT_FOUND");
    serving.stop(Signal::TERM);
}

#[test]
fn no_more_clients_are_let_in_than_files_may_be_open() {
    let serving = limited("-n 100", "");
    serving.logs(&["only 100 files may be open"]);
    let mut inside: Vec<_> = (0..36).map(|_| serving.client()).collect();
    // Each watches another name, for which it needs one more.
    for (i, client) in inside.iter_mut().enumerate() {
        assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
        client.send(format!("watch {i}/ 0 86400\r\n"));
    }
    assert_eq!(serving.client().line(), "ERR_LIMIT connections 36");
    inside.pop();
    eventually("there is room", || serving.client().ask("write 7/x 0\r\n").starts_with("OK "));
    assert_eq!(inside[7].line(), "CHANGES 1 1");
    serving.stop(Signal::TERM);
}
