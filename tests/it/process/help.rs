//! The help of every command.

use super::verbs::ended;
use super::{Ended, run, telefile};
use std::process::Stdio;

/// The verbs that the help of the whole program lists.
fn verbs() -> Vec<String> {
    let help = help(&["--help"]);
    let (_, commands) = help.split_once("\nCommands:\n").unwrap();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.trim_start().split(' ').next().unwrap().to_string()).collect()
}

/// What this prints on stdout, 100 columns wide as where there is no terminal.
#[track_caller]
fn help(args: &[&str]) -> String {
    let mut command = telefile(args);
    command.env_remove("COLUMNS");
    let Ended { status, stdout, stderr } = run(command);
    assert_eq!((status, &stderr[..]), (0, ""), "{args:?}");
    assert!(stdout.ends_with('\n') && !stdout.contains('\x1b'), "{args:?}: {stdout:?}");
    stdout
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = concat!("telefile ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((help(&["--version"]), help(&["-V"])), (version.to_string(), version.to_string()));
}

/// The whole of it is in help.txt, where a change of a help text shows in review.
#[cfg(feature = "durable")]
#[test]
fn the_help_is_that_of_the_snapshot() {
    let mut text = format!("$ telefile --help\n{}", help(&["--help"]));
    for verb in verbs().iter().filter(|verb| *verb != "help") {
        text += &format!("\n$ telefile {verb} --help\n{}", help(&[verb, "--help"]));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/process/help.txt");
    if std::env::var_os("TELEFILE_TEST_UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let snapshot = std::fs::read_to_string(path).unwrap();
    let lines = snapshot.lines().zip(text.lines());
    let different = lines.enumerate().find(|(_, (old, new))| old != new);
    assert!(
        snapshot == text,
        "help.txt differs from the help, first in {different:?}; to update it: \
         TELEFILE_TEST_UPDATE=1 cargo test --test it process::help"
    );
}

#[test]
fn each_verb_has_the_same_help_by_flag_and_by_command() {
    let verbs = verbs();
    assert!(verbs.len() > 15 && !verbs.iter().any(|verb| verb == "lock-witness"), "{verbs:?}");
    for verb in verbs.iter().filter(|verb| *verb != "help") {
        let long = help(&[verb, "--help"]);
        assert_eq!((help(&[verb, "-h"]), help(&["help", verb])), (long.clone(), long));
    }
    assert_eq!(help(&["help"]), help(&["--help"]));
    run(telefile(&["help", "sirve"])).failed(2, &["sirve", "try `telefile --help`"]);
}

#[test]
fn each_verb_shows_its_operands_and_how_to_find_the_server() {
    for (verb, operands) in [
        ("read", " <NAME>"),
        ("write", " <NAME>"),
        ("cas", " <NAME> <VERSION>"),
        ("create", " <PREFIX>"),
        ("touch", " <NAME> <VERSION> <SECS>"),
        ("list", " [PREFIX]"),
        ("wait", " <NAME> <VERSION> [SECS]"),
        ("watch", " <PREFIX> [REV]"),
        ("delete", " <NAME> [VERSION]"),
        ("add", " <NAME> <N>"),
        ("update", " <NAME> <COMMAND>..."),
        ("hold", " <NAME> <COMMAND>..."),
        ("stat", " <NAME>"),
        ("hello", ""),
        ("open", " <NAME> [TYPE]"),
        ("types", ""),
        ("stats", ""),
        ("connect", ""),
        ("bench", ""),
        ("lock", " <NAME> <COMMAND>..."),
    ] {
        let help = help(&[verb, "--help"]);
        let usage = format!("\nUsage: telefile {verb} [OPTIONS]{operands}\n");
        assert!(help.contains(&usage), "{usage}{help}");
        for word in ["--addr <ADDR>", "TELEFILE_ADDR", "127.0.0.1:8080", "--token-file <FILE>"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}

#[test]
fn the_help_of_serve_names_every_variable_and_no_value_of_one() {
    let mut command = telefile(&["serve", "--help"]);
    command.env("TELEFILE_TOKEN_FILE", "/private/place");
    let help = run(command).stdout;
    assert!(!help.contains("private"), "{help}");
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
fn help_whose_reader_is_closed_is_no_failure() {
    for args in [&["--help"][..], &["serve", "--help"], &["help", "lock"], &["--version"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = telefile(args);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        assert_eq!(ended(&mut child), 0, "{args:?}");
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        assert_eq!(stderr, "", "{args:?}");
    }
}
