use super::{Ended, Serving, run, telefile};
use crate::server::{Client, Folder};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use telefile::net::Address;

fn file(folder: &Folder, name: &str, contents: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_string()
}

fn with(mut command: Command, variables: &[(&str, &str)]) -> Command {
    command.envs(variables.iter().copied());
    command
}

#[test]
fn help_and_version_are_no_failure() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["-V"],
        &["serve", "--help"],
        &["serve", "-h"],
        &["bench", "--help"],
    ] {
        let Ended { status, stdout, stderr } = run(telefile(args));
        assert_eq!((status, &stderr[..]), (0, ""), "{args:?}");
        assert!(stdout.ends_with('\n'), "{args:?}: {stdout:?}");
    }
    let version = concat!("telefile ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(telefile(&["--version"])).stdout, version);
    let help = run(telefile(&["--help"])).stdout;
    assert!(help.contains("serve") && help.contains("bench"), "{help}");
}

#[test]
fn help_names_every_flag_and_variable() {
    let help = run(telefile(&["serve", "--help"])).stdout;
    for name in [
        "listen",
        "connections",
        "max-contents",
        "max-memory",
        "root",
        "idle-timeout",
        "write-timeout",
        "token-file",
        "insecure",
        "dedicated",
    ] {
        let variable = format!("TELEFILE_{}", name.replace('-', "_").to_uppercase());
        assert!(help.contains(&format!("--{name}")) && help.contains(&variable), "{name}: {help}");
    }
}

#[test]
fn a_bad_command_line_is_told_in_one_line() {
    for (args, word) in [
        (&[][..], "--help"),
        (&["sirve"], "sirve"),
        (&["--listen"], "--listen"),
        (&["serve", "--no-such-flag"], "--no-such-flag"),
        (&["serve", "-x"], "-x"),
        (&["serve", "stray"], "stray"),
        (&["serve", "--listen"], "--listen"),
        (&["serve", "--listen", "8080"], "8080"),
        (&["serve", "--listen", "127.0.0.1:70000"], "127.0.0.1:70000"),
        (&["serve", "--listen", "unix:"], "unix:"),
        (&["serve", "--connections", "0"], "--connections"),
        (&["serve", "--connections", "many"], "many"),
        (&["serve", "--connections", "-1"], "--connections"),
        (&["serve", "--connections=5", "--connections=5"], "twice"),
        (&["serve", "--insecure", "--insecure"], "twice"),
        (&["serve", "--insecure=1"], "--insecure"),
        (&["serve", "--max-contents", "64MB"], "64MB"),
        (&["serve", "--max-memory", ""], "--max-memory"),
        (&["serve", "--idle-timeout", "0"], "--idle-timeout"),
        (&["serve", "--write-timeout", "soon"], "soon"),
        (&["bench", "--mix", "1/2"], "1/2"),
        (&["bench", "--conns", "0"], "--conns"),
        (&["bench", "--depth", "1000", "--size", "1M"], "--depth"),
        (&["bench", "--mix", "0/0/0"], "0/0/0"),
    ] {
        run(telefile(args)).failed(2, &[word]);
    }
}

#[test]
fn a_flag_is_not_taken_for_the_value_of_the_flag_before() {
    let folder = Folder::new();
    let socket = format!("unix:{}", folder.path().join("socket").display());
    for args in [
        &["serve", "--root", "--listen", &socket][..],
        &["serve", "--listen", "--insecure"],
        &["list", "--addr", "--", "x"],
        &["bench", "--conns", "--depth", "1"],
    ] {
        let mut command = telefile(args);
        command.current_dir(folder.path());
        run(command).failed(2, &[&format!("{} needs", args[1]), &format!("got {};", args[2])]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no folder named --listen");
    // With `=` there is no doubt.
    let mut command = telefile(&["serve", "--root=--listen", "--listen", &socket]);
    command.current_dir(folder.path());
    drop(Serving::from(command));
}

#[test]
fn a_line_break_in_an_argument_does_not_break_the_line() {
    for (args, word) in [
        (&["si\nrve"][..], "rve"),
        (&["serve", "si\nrve"], "rve"),
        (&["serve", "--no\nsuch"], "such"),
        (&["serve", "--connections", "a\nb"], "--connections"),
        (&["serve", "--listen", "a\nb"], "--listen"),
    ] {
        run(telefile(args)).failed(2, &[word]);
    }
}

#[test]
fn what_is_not_utf8_is_told_too() {
    let bad = OsStr::from_bytes(b"\xff\xfe");
    for flag in ["--listen", "--token-file", "--connections"] {
        let mut command = telefile(&["serve", flag]);
        command.arg(bad);
        run(command).failed(2, &[]);
    }
    let mut command = telefile(&[]);
    command.arg(bad);
    run(command).failed(2, &[]);
}

#[test]
fn a_variable_that_is_not_utf8_is_not_passed_over() {
    // Else a server that should ask for a token would not. This one cannot start either way.
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let mut command = telefile(&["serve", "--listen", &address]);
    command.env("TELEFILE_TOKEN_FILE", OsStr::from_bytes(b"/tmp/t\xf6ken"));
    run(command).failed(2, &["TELEFILE_TOKEN_FILE"]);
}

#[test]
fn every_flag_has_a_variable() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let token = file(&folder, "token", "s3cret\n");
    let listen = format!("127.0.0.1:0, {unix}");
    let serving = Serving::from(with(
        telefile(&["serve"]),
        &[
            ("TELEFILE_LISTEN", &listen),
            ("TELEFILE_CONNECTIONS", "7"),
            ("TELEFILE_MAX_CONTENTS", "1M"),
            ("TELEFILE_MAX_MEMORY", "48M"),
            ("TELEFILE_IDLE_TIMEOUT", "0.5"),
            ("TELEFILE_WRITE_TIMEOUT", "0.3"),
            ("TELEFILE_TOKEN_FILE", &token),
            ("TELEFILE_INSECURE", "0"),
            ("TELEFILE_DEDICATED", "1"),
        ],
    ));
    assert_eq!(serving.addresses[1].to_string(), unix);
    let mut client = serving.client();
    assert_eq!(client.ask("stats"), "ERR_DENIED");
    assert!(client.ask("hello s3cret").starts_with("HELLO 1 "));
    assert_eq!(client.stat("connections_max"), 7);
    assert_eq!(client.stat("contents_max"), 1 << 20);
    assert_eq!(client.stat("memory_max"), 48 << 20);
    assert_eq!(client.write("f", &[b'x'; 1 << 20]), "OK 1");
    let deaf = serving.client();
    let (head, asked) = ("hello s3cret\r\n", "read f\r\n".repeat(64));
    deaf.send(format!("{head}{asked}"));
    serving.logs(&["the peer does not take its replies"]); // the write time-out
    assert_eq!(client.read_to_end(), ""); // the idle time-out, unless this took longer
    serving.stop(Signal::TERM);
}

#[test]
fn a_switch_from_the_environment_works() {
    for (value, starts) in [("1", true), ("0", false)] {
        let variables = [("TELEFILE_INSECURE", value), ("TELEFILE_LISTEN", "0.0.0.0:0")];
        let command = with(telefile(&["serve"]), &variables);
        if starts {
            drop(Serving::from(command));
        } else {
            run(command).failed(2, &["0.0.0.0:0"]);
        }
    }
}

#[test]
fn a_bad_variable_is_told_with_its_name() {
    for (variable, value) in [
        ("TELEFILE_LISTEN", "8080"),
        ("TELEFILE_CONNECTIONS", "0"),
        ("TELEFILE_MAX_CONTENTS", "x"),
        ("TELEFILE_MAX_MEMORY", "-1"),
        ("TELEFILE_IDLE_TIMEOUT", "0"),
        ("TELEFILE_WRITE_TIMEOUT", "x"),
        ("TELEFILE_INSECURE", "yes"),
        ("TELEFILE_DEDICATED", "true"),
    ] {
        run(with(telefile(&["serve"]), &[(variable, value)])).failed(2, &[variable, value]);
    }
}

#[test]
fn the_command_line_beats_the_environment() {
    let variables = [
        ("TELEFILE_LISTEN", "127.0.0.1:1,8080"), // not even looked at
        ("TELEFILE_CONNECTIONS", "7"),
        ("TELEFILE_MAX_CONTENTS", "1M"),
    ];
    let args = ["serve", "--listen", "127.0.0.1:0", "--connections", "8"];
    let serving = Serving::from(with(telefile(&args), &variables));
    assert_eq!(serving.addresses.len(), 1);
    let mut client = serving.client();
    assert_eq!(client.stat("connections_max"), 8);
    assert_eq!(client.stat("contents_max"), 1 << 20);
}

/// The address of this machine's own, on the port where all are served.
fn reached(serving: &Serving) -> Client {
    let Address::Tcp(tcp) = serving.addresses[0] else { panic!("TCP") };
    Client::connect(&format!("127.0.0.1:{}", tcp.port()).parse().unwrap())
}

#[test]
fn an_address_for_other_machines_needs_a_token_or_consent() {
    let folder = Folder::new();
    let open = ["--listen", "0.0.0.0:0"];
    let refused = run(telefile(&["serve", "--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0"]));
    refused.failed(2, &["0.0.0.0:0", "--token-file", "--insecure"]);

    let insecure = Serving::start(&[&open[..], &["--insecure"]].concat());
    assert_eq!(reached(&insecure).ask("read f"), "ERR_FILE_NOT_FOUND");
    drop(insecure);

    let token = file(&folder, "token", "s3cret");
    let guarded = Serving::start(&[&open[..], &["--token-file", &token]].concat());
    let mut client = reached(&guarded);
    assert_eq!(client.ask("read f"), "ERR_DENIED");
    assert!(client.ask("hello s3cret").starts_with("HELLO 1 "));
    assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
}

#[test]
fn a_token_file_has_to_have_a_token_in_it() {
    let folder = Folder::new();
    let missing = folder.path().join("missing").display().to_string();
    for (path, why) in [
        (file(&folder, "empty", ""), "the token is empty"),
        (file(&folder, "blank", " \r\n"), "the token is empty"),
        (file(&folder, "two", "hush words"), "space"),
        (file(&folder, "long", &"hush".repeat(200)), "400 bytes"),
        (missing, "No such file"),
        (folder.path().display().to_string(), "directory"),
    ] {
        // Another file may be there the next time: the command line is not wrong.
        for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["list"], &["connect"]] {
            let ended = run(telefile(&[args, &["--token-file", &path]].concat()));
            ended.failed(1, &[&path, why]);
            assert!(!ended.stderr.contains("hush"), "{ended:?}");
        }
    }
}
