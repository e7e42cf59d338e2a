//! Sessions: how a folder gets an id, and keeps it.

use super::{User, id_of, start};
use crate::process::{Program, Serving, run, telefile};
use crate::server::eventually;
use rustix::process::Signal;
use std::fs;

#[test]
fn the_first_start_pushes_a_folder_and_an_id_joins_it() {
    let user = User::new();
    user.write("a/notes/one", "1");
    fs::create_dir(user.path("a/empty")).unwrap();
    let id = user.does("a", &[], "3 sent (2 folders)");
    assert_eq!(user.does("b", &[&id], "3 received (2 folders)"), id);
    assert_eq!(user.read("b/notes/one"), "1");
    assert_eq!(user.names("b"), ["empty", "notes"]);
    assert_eq!(user.serving.client().stat("sessions"), 1);
}

#[test]
fn a_later_start_needs_no_id() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    user.does("b", &[&id], "1 received");
    user.write("a/two", "2");
    assert_eq!(user.does("a", &[], "1 sent"), id);
    fs::remove_file(user.path("b/one")).unwrap();
    assert_eq!(user.does("b", &[], "1 received, 1 deleted on the server"), id);
    assert_eq!(user.does("a", &[], "1 moved to the trash"), id);
    assert_eq!(user.names("a"), ["two"]);
    // The id that it has anyway may be said.
    assert_eq!(user.does("a", &[&id], "nothing to do"), id);
}

#[test]
fn the_id_may_come_from_the_environment() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    let mut command = user.sync("b", &["--once"]);
    command.env("TELEFILE_SYNC_ID", &id);
    assert_eq!(id_of(&run(command).stdout), id);
    assert_eq!(user.read("b/one"), "1");
    // An empty variable counts as unset, and the command line weighs more.
    let mut command = user.sync("c", &["--once"]);
    command.env("TELEFILE_SYNC_ID", "");
    let other = id_of(&run(command).stdout);
    assert_ne!(other, id);
    let mut command = user.sync("d", &["--once", &id]);
    command.env("TELEFILE_SYNC_ID", &other);
    assert_eq!(id_of(&run(command).stdout), id);

    let mut command = user.command(&["--forget", "127.0.0.1", &user.port()]);
    command.env("TELEFILE_SYNC_ID", &other);
    assert_eq!(run(command).stdout, "files removed: 0\n");
}

#[test]
fn an_id_may_be_pasted_or_in_upper_case() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    for (folder, text) in [
        ("b", id.to_ascii_uppercase()),
        ("c", format!("id: {id}")),
        ("d", format!(" id:{}\n", id.to_ascii_uppercase())),
    ] {
        assert_eq!(user.does(folder, &[&text], "1 received"), id);
        assert_eq!(user.does(folder, &[&text], "nothing to do"), id);
    }
    let mut command = user.sync("e", &["--once"]);
    command.env("TELEFILE_SYNC_ID", format!("id: {id}"));
    assert_eq!(id_of(&run(command).stdout), id);
    let text = format!("id: {}", id.to_ascii_uppercase());
    let ended = run(user.command(&["--forget", "127.0.0.1", &user.port(), &text]));
    assert_eq!((ended.status, &*ended.stdout), (0, "files removed: 1\n"), "{ended:?}");
}

#[test]
fn the_id_of_another_folder_in_the_environment_changes_none_that_has_one() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    let other = user.does("b", &[], "nothing to do");
    let with_other = |args: &[&str]| {
        let mut command = user.sync("a", &[&["--once"], args].concat());
        command.env("TELEFILE_SYNC_ID", &other);
        run(command)
    };
    let ended = with_other(&[]);
    let expected = format!(
        "telefile: the folder keeps its id {}...; {}... is for folders without one\n\
         telefile: nothing to do\n",
        &id[..8],
        &other[..8]
    );
    assert_eq!((ended.status, id_of(&ended.stdout), ended.stderr), (0, id.clone(), expected));
    // On the command line it is meant.
    user.once("a", &[&other]).failed(1, &[&id[..8], &other[..8], "--new"]);
    assert_eq!(id_of(&with_other(&["--new"]).stdout), other);
}

#[test]
fn a_forgotten_id_is_refused_and_new_makes_another() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    let forget = || run(user.command(&["--forget", "127.0.0.1", &user.port(), &id]));
    let ended = forget();
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (0, "files removed: 1\n", ""));
    assert_eq!(user.serving.client().stat("session_bytes"), 0);
    forget().failed(1, &["the server does not know", &id[..8]]);
    user.once("a", &[]).failed(1, &[&id[..8], "was removed from the server", "--new"]);
    assert_eq!(user.read("a/one"), "1");

    let other = user.does("a", &["--new"], "1 sent");
    assert_ne!(other, id);
    assert_eq!(user.does("a", &[], "nothing to do"), other);
}

#[test]
fn a_dry_run_prints_the_plan_and_leaves_nothing_behind() {
    let user = User::new();
    user.write("a/one", "1");
    let ended = run(user.sync("a", &["--dry-run"]));
    let expected = (0, "id: -\npush one\n", "");
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), expected);
    assert!(!user.has_marker("a") && !user.path("state").exists());
    assert_eq!(user.serving.client().stat("sessions"), 0);

    let id = user.does("a", &[], "1 sent");
    user.does("b", &[&id], "1 received");
    user.write("b/two", "2");
    user.write("a/three", "3");
    fs::remove_file(user.path("a/one")).unwrap();
    user.does("b", &[], "1 sent");
    let before = user.serving.client().stat("version");
    let ended = run(user.sync("a", &["--dry-run"]));
    let plan = format!("id: {id}\npull two\npush three\ndelete on the server one\n");
    assert_eq!((ended.status, ended.stdout), (0, plan));
    assert_eq!(user.serving.client().stat("version"), before);
    assert_eq!(user.names("a"), ["three"]);
}

#[test]
fn the_status_tells_of_each_folder_of_the_user() {
    let user = User::new();
    let status = || run(user.command(&["--status"]));
    assert_eq!((status().status, status().stdout), (0, "no folders\n".to_string()));
    user.write("a/one", "1");
    user.does("a", &[], "1 sent");
    let path = fs::canonicalize(user.path("a")).unwrap();
    let text = status().stdout;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0], path.display().to_string());
    assert!(lines[1].starts_with("  last round: 20") && lines[1].ends_with("Z: 1 sent"), "{text}");
    assert_eq!(lines[2], "  pending 0, conflict copies 0, left out 0");
    assert_eq!(lines[3], "  process: none");

    std::os::unix::fs::symlink("one", user.path("a/link")).unwrap();
    let mut running = start(user.sync("a", &[]));
    let pid = running.child.id();
    let end = format!(
        "left out 1\n  process: {pid}\n  watcher: alive\n  server: connected to 127.0.0.1:{}\n",
        user.port()
    );
    eventually("the status is written", || status().stdout.ends_with(&end));
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
    assert!(status().stdout.ends_with("left out 1\n  process: none\n"));
}

#[test]
fn one_round_collects_unused_chunks_when_that_is_due() {
    let user = User::new();
    user.write("a/large", &"large ".repeat(100_000));
    let id = user.does("a", &[], "1 sent");
    fs::remove_file(user.path("a/large")).unwrap();
    user.does("a", &[], "1 deleted on the server");
    let chunks = || {
        let address = user.serving.addresses[0].to_string();
        let prefix = format!("s/{id}/c/");
        run(telefile(&["list", "--addr", &address, "--names", &prefix])).stdout.lines().count()
    };
    user.does("a", &[], "nothing to do");
    assert!(chunks() > 0, "it is not due in the first hour");

    let state = fs::read_dir(user.path("state/telefile")).unwrap().next().unwrap().unwrap();
    let collected = state.path().join("collected");
    assert!(fs::read_to_string(&collected).unwrap().starts_with("20"));
    fs::write(collected, "20261127T101112Z\n").unwrap();
    user.does("a", &[], "nothing to do");
    assert_eq!(chunks(), 0);
}

#[test]
fn one_round_waits_for_a_server_if_it_is_to() {
    let user = User::new();
    user.write("a/one", "1");
    let address = format!("unix:{}", user.path("socket").display());
    let mut once = Program::start(user.command(&[&address, "0", "a", "1", "--once"]));
    assert_eq!(once.wait(), 3);
    for args in [&["--once"][..], &["--dry-run"]] {
        let wait = [&[&*address, "0", "a", "1", "--retry", "3600"], args].concat();
        let mut program = Program::start(user.command(&wait));
        eventually("it says so", || program.stderr.now().contains("next attempt in"));
        let serving = Serving::start(&["--listen", &address]);
        assert_eq!(program.wait(), 0, "{}", program.stderr.now());
        serving.stop(Signal::TERM);
    }
    let id = id_of(&run(user.sync("b", &["--once"])).stdout);
    let forget = ["--retry", "0.01", "--forget", &address, "0", &id];
    let mut program = Program::start(user.command(&forget));
    assert_eq!(program.wait(), 3);
    assert!(program.stderr.whole().contains("; trying again\n"));
}

#[test]
fn the_status_of_each_folder_is_an_object_in_json() {
    let user = User::new();
    user.write("a/one", "1");
    user.does("a", &[], "1 sent");
    let said = run(user.command(&["--status", "--json"])).stdout;
    let folder = user.path("a").canonicalize().unwrap();
    let begin = format!(r#"{{"folder":"{}","last_round":""#, folder.display());
    let end = r#""did":"1 sent","pending":0,"conflicts":0,"left_out":0,"waiting":""}"#;
    assert!(said.starts_with(&begin) && said.ends_with(&format!("{end}\n")), "{said}");
    assert_eq!(run(user.command(&["--json", "127.0.0.1", "1", "a", "1"])).status, 2);
}
