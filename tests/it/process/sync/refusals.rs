//! What is refused before anything is changed, with which exit status and words.

use super::{User, start};
use crate::process::{Serving, run, telefile};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, mkdirat, openat};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};

#[test]
fn wrong_arguments_are_status_2() {
    let user = User::new();
    let port = user.port();
    for (args, words) in [
        (&["127.0.0.1", &port, "a"] as &[&str], &["<TIME>"] as &[&str]),
        (&["127.0.0.1", &port, "a", "0"], &["'0'", "TIME"]),
        (&["127.0.0.1", &port, "a", "soon"], &["'soon'", "TIME"]),
        (&["127.0.0.1", "70000", "a", "1"], &["'70000'", "PORT"]),
        (&["--forget", "127.0.0.1", &port], &["ID is missing"]),
        (&["--forget", "--once", "127.0.0.1", &port, "x"], &["--forget", "--once"]),
        (&["--status", "--forget"], &["--status"]),
        (&["--status", "--once"], &["--status", "--once"]),
        (&["--status", "127.0.0.1"], &["--status", "HOST"]),
    ] {
        run(user.command(args)).failed(2, words);
    }
}

/// Returns a port that refuses connections while the socket is open.
fn nobody() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address.port().to_string())
}

#[test]
fn no_server_is_status_3() {
    let user = User::new();
    user.write("a/one", "1");
    let (_socket, port) = nobody();
    for flag in ["--once", "--dry-run"] {
        run(user.command(&["127.0.0.1", &port, "a", "1", flag])).failed(3, &["no connection"]);
    }
    assert!(!user.has_marker("a"));
}

#[test]
fn without_once_a_server_that_is_not_there_is_waited_for() {
    let user = User::new();
    let (_socket, port) = nobody();
    fs::create_dir(user.path("a")).unwrap();
    let mut running = start(user.command(&["127.0.0.1", &port, "a", "1"]));
    assert!(running.stderr.now().contains("next attempt in"), "{}", running.stderr.now());
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
}

#[test]
fn ids_and_folders_that_do_not_fit_are_status_1() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    let other = user.does("b", &[], "nothing to do");
    let unknown = "0".repeat(32);
    user.once("c", &[&unknown]).failed(1, &["does not know 00000000...", "--new"]);
    user.once("c", &["0123"]).failed(1, &["0123", "32 hex digits"]);
    assert!(!user.has_marker("c"), "nothing is left behind");
    user.once("a", &[&other]).failed(1, &[&id[..8], &other[..8], "--new"]);
    user.once("a", &["--ignore", "[z-a]"]).failed(1, &["[z-a]"]);
    user.once("d", &["--ignore", "[z-a]"]).failed(1, &["[z-a]"]);
    assert!(!user.has_marker("d"), "nothing is left behind");

    let port = user.port();
    let once = |folder| run(user.command(&["127.0.0.1", &port, folder, "1", "--once"]));
    once("nowhere").failed(1, &["nowhere", "No such file"]);
    once("a/one").failed(1, &["one", "Not a directory"]);
}

#[test]
fn a_folder_in_a_synchronised_one_is_refused_and_one_below_is_left_out() {
    let user = User::new();
    user.write("a/in/one", "1");
    user.does("a/in", &[], "1 sent");
    user.write("a/out", "2");
    let ended = user.once("a", &[]);
    assert_eq!(ended.status, 1);
    let expected = "telefile: 1 sent\ntelefile: in: left out: it is synchronised by itself\n";
    assert_eq!(ended.stderr, expected);

    user.once("a/other", &[]).failed(1, &["a/other", "synchronised itself"]);
    assert!(!user.has_marker("a/other"));
    fs::remove_dir(user.path("a/other")).unwrap();
    // The one below goes on as before.
    user.write("a/in/more", "3");
    user.does("a/in", &[], "1 sent");
    assert_eq!(user.once("a", &[]).stderr, expected.replace("1 sent\ntelefile: ", ""));
}

#[test]
fn a_symlink_is_left_out_and_said() {
    let user = User::new();
    user.write("a/one", "1");
    std::os::unix::fs::symlink("one", user.path("a/link")).unwrap();
    let ended = user.once("a", &[]);
    let expected =
        "telefile: 1 sent\ntelefile: link: left out: it is neither a file nor a folder\n";
    assert_eq!((ended.status, &*ended.stderr), (1, expected));
    user.does("a", &["--ignore", "link"], "nothing to do");
}

#[test]
fn a_second_client_on_a_folder_is_refused_until_the_first_has_ended() {
    let user = User::new();
    user.write("a/one", "1");
    let mut first = start(user.sync("a", &[]));
    user.once("a", &[]).failed(1, &["another process synchronises this folder"]);
    run(user.sync("a", &["--dry-run"])).failed(1, &["another process synchronises this folder"]);
    first.signal(Signal::TERM);
    assert_eq!(first.wait(), 0);
    user.does("a", &[], "nothing to do");
}

#[test]
fn a_second_client_with_the_same_state_is_refused() {
    let user = User::new();
    user.write("a/one", "1");
    user.does("a", &[], "1 sent");
    let state = fs::read_dir(user.path("state/telefile")).unwrap().next().unwrap().unwrap().path();
    let lock = File::open(state.join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    user.once("a", &[]).failed(1, &[&state.display().to_string(), "another process uses"]);
    drop(lock);
    user.does("a", &[], "nothing to do");
}

#[test]
fn a_stranger_at_a_new_address_gets_no_folder_by_mistake() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    let stranger = Serving::local(&[]);
    let port = stranger.addresses[0].to_string().rsplit(':').next().unwrap().to_string();
    let args = ["127.0.0.1", &port, "a", "1", "--once"];
    let words = [&id[..8], &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", user.port())];
    run(user.command(&args)).failed(1, &words);
    user.does("a", &[], "nothing to do");

    // A server that knows the id has a new address: nothing to ask.
    let localhost = run(user.command(&["localhost", &user.port(), "a", "1", "--once"]));
    assert_eq!(localhost.status, 0, "{localhost:?}");
    // The user says that the stranger is right.
    let ended = run(user.command(&[&args[..], &[&id, "--new"]].concat()));
    assert!(ended.status == 0 && ended.stderr.contains("1 sent"), "{ended:?}");
}

#[test]
fn a_server_may_listen_on_a_unix_socket() {
    let user = User::new();
    let socket = format!("unix:{}", user.path("socket").display());
    let _serving = Serving::start(&["--listen", &socket]);
    user.write("a/one", "1");
    let ended = run(user.command(&[&socket, "0", "a", "1", "--once"]));
    assert!(ended.status == 0 && ended.stderr.contains("1 sent"), "{ended:?}");
}

#[test]
fn a_path_that_is_too_long_is_said() {
    let user = User::new();
    let name = "L".repeat(240);
    fs::create_dir(user.path("a")).unwrap();
    let mut folder = File::open(user.path("a")).unwrap();
    for _ in 0..17 {
        mkdirat(&folder, &name, Mode::RWXU).unwrap();
        let opened = openat(&folder, &name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        folder = opened.unwrap().into();
    }
    let ended = user.once("a", &[]);
    let said = format!("{}: left out: the paths of some names in it", [&*name; 16].join("/"));
    assert!(ended.status == 1 && ended.stderr.contains(&said), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 2, "{ended:?}");
}

#[test]
fn a_server_with_a_token_refuses_a_client_without_it() {
    let user = User::new();
    let token = user.path("token");
    fs::write(&token, "secret\n").unwrap();
    let file = token.display().to_string();
    let serving = Serving::local(&["--token-file", &file]);
    let port = serving.addresses[0].to_string().rsplit(':').next().unwrap().to_string();
    fs::create_dir(user.path("a")).unwrap();
    let args = ["127.0.0.1", &port, "a", "1", "--once"];
    run(user.command(&args)).failed(8, &["token"]);
    let ended = run(user.command(&[&args[..], &["--token-file", &file]].concat()));
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.stderr.contains("in memory alone"), "{ended:?}");
}

#[test]
fn the_help_names_every_exit_status() {
    let help = run(telefile(&["sync", "--help"])).stdout;
    for status in ["0 done", "1 something", "2 usage", "3 no connection", "5 a guard rail"] {
        assert!(help.contains(status), "{status}: {help}");
    }
}
