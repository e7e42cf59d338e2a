//! Flags, operands and environment variables: which are accepted, and how a wrong one is reported.

use super::verbs::at;
use super::{Serving, run, telefile};
use crate::programs::skipped;
use crate::server::{Client, Folder};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
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
fn a_bad_command_line_is_reported_in_one_line() {
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
        (&["serve", "--connections=5", "--connections=5"], "multiple times"),
        (&["serve", "--insecure", "--insecure"], "multiple times"),
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

/// A value that begins with `-` looks like a flag. What the tip says is done to it works.
#[test]
fn the_tip_for_a_value_that_looks_like_a_flag_is_right() {
    let serving = Serving::local(&[]);
    for (args, tip) in [
        (&["list", "--after", "-f"][..], "tip: to pass '-f' to '--after', use '--after=-f'"),
        (&["list", "--after", "-foo", "p"], "to pass '-foo' to '--after', use '--after=-foo'"),
        (&["list", "--after", "--nomes"], "to pass '--nomes' to '--after', use '--after=--nomes'"),
        (&["read", "-f"], "tip: to pass '-f' as a value, use '-- -f'"),
        (&["list", "--names", "-f"], "tip: to pass '-f' as a value, use '-- -f'"),
        (&["list", "p", "-f"], "tip: to pass '-f' as a value, use '-- -f'"),
        (&["serve", "--data", "-d"], "tip: to pass '-d' to '--data', use '--data=-d'"),
    ] {
        let failed = run(telefile(args));
        failed.failed(2, &[tip]);
        assert_eq!(failed.stderr.matches("to pass").count(), 1, "{}", failed.stderr);
    }
    let address = serving.addresses[0].to_string();
    for value in [&["--after=-f"][..], &["--", "-f"]] {
        let listed = run(telefile(&[&["list", "--addr", &address], value].concat()));
        assert_eq!((listed.status, &listed.stdout[..]), (0, ""), "{listed:?}");
    }
}

/// Each verb with what it needs and one thing more or less, and a word of the message.
#[test]
fn a_wrong_argument_of_any_verb_is_reported() {
    for (verb, operands, rest) in [
        ("read", &["NAME"][..], &[][..]),
        ("write", &["NAME"], &[]),
        ("cas", &["NAME", "VERSION"], &[]),
        ("create", &["PREFIX"], &[]),
        ("touch", &["NAME", "VERSION", "SECS"], &[]),
        ("delete", &["NAME"], &["VERSION"]),
        ("stat", &["NAME"], &[]),
        ("list", &[], &["PREFIX"]),
        ("wait", &["NAME", "VERSION"], &["SECS"]),
        ("watch", &["PREFIX"], &["REV"]),
        ("open", &["NAME"], &["TYPE"]),
        ("hello", &[], &[]),
        ("types", &[], &[]),
        ("stats", &[], &[]),
        ("connect", &[], &[]),
        ("bench", &[], &[]),
        ("serve", &[], &[]),
        #[cfg(feature = "durable")]
        ("backup", &["FILE", "DIR"], &[]),
        #[cfg(feature = "durable")]
        ("restore", &["FILE", "DIR"], &[]),
    ] {
        let hint = format!("telefile {verb} --help");
        let given = |count: usize| [vec![verb], vec!["1"; count]].concat();
        for (at, missing) in operands.iter().enumerate() {
            let word = if verb == "restore" { "<FILE>" } else { &format!("<{missing}>") };
            run(telefile(&given(at))).failed(2, &[word, &hint]);
        }
        let all = given(operands.len() + rest.len());
        let surplus = [&all[..], &["surplus"]].concat();
        run(telefile(&surplus)).failed(2, &["'surplus'", &hint]);
        let unknown = [&all[..], &["--no-such-flag=1"]].concat();
        run(telefile(&unknown)).failed(2, &["'--no-such-flag'", &hint]);
        if !["serve", "backup", "restore"].contains(&verb) {
            let twice = [&all[..], &["--addr=h:1", "--addr", "h:2"]].concat();
            run(telefile(&twice)).failed(2, &["'--addr <ADDR>'", "multiple times", &hint]);
        }
    }
}

#[test]
fn a_value_out_of_range_is_reported_with_its_flag() {
    let seconds = "the least is 0.001 seconds";
    for (args, words) in [
        (&["read", "f", "--timeout", "0"][..], &["--timeout <SECS>", seconds][..]),
        (&["read", "f", "--timeout=1e12"], &["--timeout <SECS>", "3155760000 seconds"]),
        (&["read", "f", "--max-contents", "1E"], &["--max-contents <BYTES>", "64M"]),
        (&["write", "f", "--exptime", "-1"], &["--exptime <SECS>", "would end at once"]),
        (&["write", "f", "--exptime", "1.5"], &["--exptime <SECS>", "a whole number"]),
        (&["cas", "f", "9223372036854775808"], &["<VERSION>", "not a version"]),
        (&["touch", "f", "1", "-1"], &["<SECS>", "would end at once"]),
        (&["list", "--limit", "0"], &["--limit <N>", "at least 1"]),
        (&["list", "--epoch", "7"], &["--epoch <EPOCH>", "16 hex digits"]),
        (&["wait", "f", "1", "-1"], &["[SECS]", "at least 0"]),
        (&["watch", "f", "--for", "-1"], &["--for <SECS>", "at least 0"]),
        (&["bench", "--conns=0"], &["--conns <N>", "at least 1"]),
        (&["bench", "--size", "1T"], &["--size <BYTES>", "over 1G"]),
        (&["bench", "--mix", "1001/0/0"], &["--mix <R/W/C>", "90/10/0"]),
    ] {
        run(telefile(args)).failed(2, words);
    }
}

#[test]
fn a_flag_and_its_value_are_two_arguments_or_one_with_an_equals_sign() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"1234567");
    let address = serving.addresses[0].to_string();
    let joined = [&format!("--addr={address}")[..], "--max-contents=1K"];
    let apart = ["--addr", &address[..], "--max-contents", "1K"];
    for flags in [&joined[..], &apart] {
        for args in [[&["read", "f"], flags].concat(), [&["read"], flags, &["f"]].concat()] {
            assert_eq!(run(telefile(&args)).stdout, "1234567", "{args:?}");
        }
    }
}

#[test]
fn a_name_may_begin_with_a_dash() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    for name in ["-f", "--head", "-5"] {
        client.write(name, name.as_bytes());
        let read = ["read", "--", name];
        assert_eq!(run(at(&serving, &read)).stdout, name);
        run(at(&serving, &["read", "-f"])).failed(2, &["'-f'", "use '-- -f'"]);
    }
    assert_eq!(run(at(&serving, &["read", "-5"])).stdout, "-5", "no flag is a number");
    let after = ["list", "--names", "--after=-5"];
    assert_eq!(run(at(&serving, &after)).stdout, "-f\n");
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
        run(command).failed(2, &[&format!("a value is required for '{} <", args[1])]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no folder named --listen");
    // With `=` the value is clear.
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
fn an_argument_that_is_not_utf8_is_reported() {
    let bad = OsStr::from_bytes(b"\xff\xfe");
    for args in
        [&["serve", "--listen"][..], &["serve", "--connections"], &["serve"], &["read"], &[]]
    {
        let mut command = telefile(args);
        command.arg(bad);
        run(command).failed(2, &["\u{fffd}", "--help"]);
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_reported_with_its_name() {
    let mut command = telefile(&["serve"]);
    command.env("TELEFILE_LISTEN", OsStr::from_bytes(b"/tmp/s\xf6cket"));
    run(command).failed(2, &["TELEFILE_LISTEN", "not UTF-8"]);
}

#[test]
fn the_path_of_a_file_need_not_be_utf8() {
    let folder = Folder::new();
    let path = folder.path().join(OsStr::from_bytes(b"t\xf6ken"));
    if fs::write(&path, "s3cret").is_err() {
        return skipped("this file system has UTF-8 names alone");
    }
    let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("TELEFILE_TOKEN_FILE", &path);
    let serving = Serving::from(command);
    assert_eq!(serving.client().ask("stats"), "ERR_DENIED");
    let mut command = telefile(&["stats", "--addr", &serving.addresses[0].to_string()]);
    command.arg("--token-file").arg(&path);
    assert_eq!(run(command).status, 0);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let variables = [
        ("TELEFILE_LISTEN", "127.0.0.1:0"),
        ("TELEFILE_CONNECTIONS", ""),
        ("TELEFILE_TOKEN_FILE", ""),
        ("TELEFILE_INSECURE", ""),
    ];
    let serving = Serving::from(with(telefile(&["serve"]), &variables));
    assert_eq!(serving.client().stat("contents_max"), 64 << 20);
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
            ("TELEFILE_IDLE_TIMEOUT", "2"),
            ("TELEFILE_WRITE_TIMEOUT", "0.3"),
            ("TELEFILE_TOKEN_FILE", &token),
            ("TELEFILE_INSECURE", "0"),
            ("TELEFILE_METRICS", "127.0.0.1:0"),
            ("TELEFILE_DEDICATED", "1"),
            ("RUST_LOG", "debug"), // where the end of a connection is logged
        ],
    ));
    assert_eq!(serving.addresses[1].to_string(), unix);
    serving.logs(&["metrics on 127.0.0.1:"]);
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
    serving.logs(&["the peer reads too slowly"]); // the write time-out
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
fn a_bad_variable_is_reported_with_its_name() {
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
fn the_command_line_takes_precedence_over_the_environment() {
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
fn a_public_address_needs_a_token_or_consent() {
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
fn a_token_file_must_contain_a_token() {
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
