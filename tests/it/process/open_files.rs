//! The limit of open files: it is raised, and its end is survived.

use super::Serving;
use crate::programs::program;
use crate::server::{Folder, eventually};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

/// Starts a server under limits, in the syntax of ulimit.
fn limited(limit: &str, args: &str) -> Serving {
    let mut command = program("sh");
    let script = format!(r#"ulimit {limit} && exec "$0" serve --listen 127.0.0.1:0 {args}"#);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_telefile")]);
    Serving::from(command)
}

impl Serving {
    /// Changes the soft limit of open files of a running server. Returns the old one.
    fn allow_open_files(&self, max: u64) -> u64 {
        let pid = Some(Pid::from_child(&self.program.child));
        let none = Rlimit { current: Some(max), maximum: Some(200) };
        prlimit(pid, Resource::Nofile, none).unwrap().current.unwrap()
    }
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
fn a_server_recovers_from_a_lack_of_descriptors() {
    let serving = limited("-n 200", "");
    let mut inside = serving.client();
    assert_eq!(inside.ask("read f"), "ERR_FILE_NOT_FOUND");
    let before = serving.allow_open_files(0);
    let mut waiting = serving.client();
    serving.logs(&["cannot accept"]);
    assert_eq!(inside.ask("watch f 0 60"), "ERR_INTERNAL");
    assert_eq!(inside.ask("wait f 0 60"), "ERR_INTERNAL");
    serving.logs(&["a watch cannot wait"]);
    serving.logs(&["a wait cannot wait"]);
    assert_eq!(inside.ask("watch f 0 0"), "CHANGES 0 0");
    assert_eq!(inside.ask("wait f 0 0"), "OK 0");
    serving.allow_open_files(before);
    // Clients that were not accepted waited in the kernel's queue.
    assert_eq!(waiting.ask("read f"), "ERR_FILE_NOT_FOUND");
    inside.send("watch f 0 86400\r\n");
    eventually("it waits", || waiting.stat("watches") == 1);
    assert_eq!(waiting.ask("write f 0\r\n"), "OK 1");
    assert_eq!([inside.line(), inside.line()], ["CHANGES 1 1", "put 1 0 f"]);
    serving.stop(Signal::TERM);
}

#[test]
fn the_descriptors_suffice_for_all_clients_to_watch_and_use_text_files() {
    let folder = Folder::new();
    let serving = limited("-n 200", &format!("--root {}", folder.path().display()));
    serving.logs(&["only 200 files may be open", "connections"]);
    let mut inside = vec![serving.client()];
    let max = inside[0].stat("connections_max") as usize;
    assert!((40..100).contains(&max), "{max}");
    inside.resize_with(max, || serving.client());
    assert!(inside.iter_mut().all(|client| client.ask("stat f") == "ERR_FILE_NOT_FOUND"));
    assert_eq!(serving.client().line(), format!("ERR_LIMIT connections {max}"));
    // Each writes a text file in a folder of its own, and then watches another name.
    for (i, client) in inside.iter().enumerate() {
        client.send(format!("open d{i}/e/f TextFile\r\n"));
        client.send(format!("write d{i}/e/f 3\r\nabc\r\n").repeat(20));
        client.send(format!("read d{i}/e/f\r\n"));
        if i > 0 {
            client.send(format!("watch {i}/ 0 86400\r\n"));
        }
    }
    for (i, client) in inside.iter_mut().enumerate() {
        assert!(client.line().starts_with("FD "), "{i}");
        let written: Vec<_> = (0..20).map(|_| client.line()).collect();
        assert!(written.iter().all(|reply| reply.starts_with("OK ")), "{i}: {written:?}");
        assert!(client.line().starts_with("CONTENTS "), "{i}");
        assert_eq!(client.contents(3), b"abc");
    }
    let (asker, watching) = inside.split_first_mut().unwrap();
    eventually("all others watch", || asker.stat("watches") == max as u64 - 1);
    assert!(asker.ask("watch 0/ 0 1").starts_with("CHANGES "), "the last one can watch too");
    assert!(asker.ask("write 7/x 0\r\n").starts_with("OK "));
    assert!(watching[6].line().starts_with("CHANGES "));
    serving.stop(Signal::TERM);
}

#[test]
fn with_hardly_any_descriptors_one_client_is_served() {
    let serving = limited("-n 40", "");
    serving.logs(&["only 40 files may be open"]);
    let mut inside = serving.client();
    assert_eq!(inside.stat("connections_max"), 1);
    assert_eq!(serving.client().line(), "ERR_LIMIT connections 1");
    assert_eq!(inside.ask("watch f 0 0"), "CHANGES 0 0");
    serving.stop(Signal::TERM);
}
