//! The shell sessions of the pages, run by sh. The blocks of a page share a folder, a server and a
//! table in `./data`, and run in order. A `console` block shows what each command prints; a script,
//! in a `sh` block, has to succeed.

use super::page::{Block, Page, pages};
use crate::process::{Serving, run, telefile};
use crate::programs::program;
use crate::server::Folder;
use rustix::process::Signal;
use std::path::Path;

/// Follows the output of each command, with its exit status.
const MARK: &str = "=== ended with status";

#[test]
fn every_shell_session_of_a_page_is_true() {
    let (mut bad, mut count) = (Vec::new(), 0);
    for page in pages() {
        match check(&page) {
            Ok(commands) => count += commands,
            Err(why) => bad.push(why),
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
    assert!(count > 15, "{count} commands");
}

#[test]
fn a_planted_wrong_output_is_found() {
    let check = |text: &str| {
        check(&Page { path: "x.md".to_string(), text: text.to_string() }).map_err(|why| {
            assert!(why.starts_with("x.md:"), "{why}");
        })
    };
    assert_eq!(
        check("```console\n$ echo a; echo b >&2\na\nb\n$ false\n$ echo $?\n1\n```\n"),
        Ok(3)
    );
    assert_eq!(check("```sh\nx=1\n\ntest $x = 1\n```\n```sh\ntrue\n```\n"), Ok(2));
    assert_eq!(check("<!-- not run: it fails -->\n```sh\nfalse\n```\n"), Ok(0));
    assert_eq!(check("```console\n$ echo a\nb\n```\n"), Err(()));
    assert_eq!(check("```console\n$ echo a\n```\n"), Err(()));
    assert_eq!(check("```sh\nfalse\ntrue\n```\n"), Err(()));
    assert_eq!(check("```sh\necho $unset\n```\n"), Err(()));
}

/// Runs the blocks of a page. Returns how many commands and scripts it has.
fn check(page: &Page) -> Result<usize, String> {
    let mut blocks = page.blocks();
    blocks.retain(|block| {
        ["console", "sh"].contains(&block.language)
            && !block.is_not_run()
            && !block.is_typed()
            && block.replay().is_none()
    });
    if blocks.is_empty() {
        return Ok(0);
    }
    let folder = Folder::new();
    make_table(&folder.path().join("data"));
    let root = folder.path().join("files");
    let serving = Serving::local(&["--root", root.to_str().unwrap()]);
    let mut count = 0;
    for block in &blocks {
        count += check_block(block, &serving, folder.path())?;
    }
    Ok(count)
}

fn check_block(block: &Block<'_>, serving: &Serving, folder: &Path) -> Result<usize, String> {
    let is_script = block.language == "sh";
    let commands = match is_script {
        true => vec![(format!("(set -eu\n{})", block.body), String::new())],
        false => commands(block.body),
    };
    let mut script = "exec 2>&1\n".to_string();
    for (command, _) in &commands {
        script +=
            &format!("{command}\nstatus=$?; printf '%s %s\\n' '{MARK}' $status; (exit $status)\n");
    }
    let output = shell(serving, folder, &script);
    let mut rest = &output[..];
    for (command, expected) in &commands {
        let (came, behind) = rest.split_once(MARK).unwrap_or((rest, " none\n"));
        let (status, behind) = behind.split_once('\n').unwrap();
        rest = behind;
        if if is_script { status != " 0" } else { came != expected } {
            let place = &block.place;
            return Err(format!(
                "{place}:\n$ {command}\n{came}(status{status}), and not\n{expected}"
            ));
        }
    }
    Ok(commands.len())
}

/// Returns the commands of a `console` block, each with what it prints.
fn commands(body: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in body.split_inclusive('\n') {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.trim_end().to_string(), String::new())),
            (None, Some((_, output))) => output.push_str(line),
            (None, None) => panic!("a session begins with a command: {body}"),
        }
    }
    commands
}

/// Runs a script where `telefile` is the program of these tests, and finds the server.
fn shell(serving: &Serving, folder: &Path, script: &str) -> String {
    let built = telefile(&[]);
    let built = Path::new(built.get_program()).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap();
    let mut shell = program("sh");
    shell.args(["-c", script]).current_dir(folder).env("PATH", format!("{built}:{path}"));
    shell.env("TELEFILE_ADDR", serving.addresses[0].to_string());
    run(shell).stdout
}

/// Leaves a table with a file in a folder.
fn make_table(folder: &Path) {
    let serving = Serving::local(&["--data", folder.to_str().unwrap()]);
    assert_eq!(serving.client().write("f", b"x").trim_end(), "OK 1");
    serving.stop(Signal::INT);
}
