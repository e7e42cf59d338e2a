//! Commands whose output a page shows: run again in the root of the repository, where their examples
//! are built. The output has to be the same, with any lines in place of a line `...`.

use super::chapters::only;
use super::normal::normal;
use crate::documents::{Block, Page, pages, root};
use crate::examples::built;
use crate::process::{run, telefile};
use crate::programs::{is_installed, program, skipped};
use std::path::Path;

#[test]
fn every_replayed_command_prints_what_its_page_shows() {
    let mut pages = pages();
    if let Some(number) = only() {
        let prefix = format!("tutorial/ch{number:02}-");
        pages.retain(|page| page.path.starts_with(&prefix));
    }
    let bad: Vec<_> = pages.iter().flat_map(check).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

/// Returns what is wrong with the replays of a page.
fn check(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter().filter(|block| block.replay().is_some());
    blocks.filter_map(|b| check_block(&b).err().map(|why| format!("{}: {why}", b.place))).collect()
}

fn check_block(block: &Block<'_>) -> Result<(), String> {
    let mut lines = block.body.lines();
    let command = lines.next().and_then(|line| line.strip_prefix("$ "));
    let command = command.ok_or("the first line of a replay is `$ COMMAND`")?;
    let expected: Vec<&str> = lines.collect();
    if block.language != "console" || expected.iter().any(|line| line.starts_with("$ ")) {
        return Err("a replay is a console block with one command".to_string());
    }
    if let Some(missing) = missing(block.replay().unwrap_or_default())? {
        skipped(&format!("{missing} is missing for {}", block.place));
        return Ok(());
    }
    let output = output(command);
    let came: Vec<&str> = output.lines().collect();
    match first_difference(&expected, &came) {
        None => Ok(()),
        Some(line) => Err(format!(
            "$ {command}\nprints something else than the page shows, from {line:?} on (a line `...` \
             stands for any lines). It printed:\n{output}"
        )),
    }
}

/// Returns the first of what a command needs that is missing: a program, or the rights of `root`.
fn missing(needs: &str) -> Result<Option<&str>, String> {
    if needs.is_empty() {
        return Ok(None);
    }
    let needs = needs.strip_prefix("needs ").ok_or("say <!-- replay: needs PROGRAM -->")?;
    let mut names = needs.split([' ', ',']).filter(|name| !name.is_empty());
    Ok(names.find(|name| match *name {
        "root" => !rustix::process::geteuid().is_root(),
        name => !is_installed(name),
    }))
}

/// Returns what a command prints, to stdout and stderr.
fn output(command: &str) -> String {
    const EXAMPLES: &str = "target/debug/examples/";
    let folder = format!("{}/", built("echo").parent().unwrap().display());
    let run_by_cargo = ["cargo run -q --example ", "cargo run --quiet --example "];
    let script = run_by_cargo.iter().fold(command.to_string(), |c, by| c.replace(by, EXAMPLES));
    let script = script.replace(EXAMPLES, &folder);
    let programs = telefile(&[]);
    let programs = Path::new(programs.get_program()).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap();
    let mut shell = program("sh");
    // Pages show descriptors by number: whatever this process has inherited is not passed on.
    let closed: String = (3..10).map(|fd| format!(" {fd}>&-")).collect();
    shell.args(["-c", &format!("exec{closed} 2>&1\n{script}\n")]).current_dir(root());
    shell.env("PATH", format!("{programs}:{path}"));
    run(shell).stdout.replace(&folder, EXAMPLES)
}

/// Compares lines of output. Returns the first expected line that is not there; "the end" if more
/// lines come than expected.
fn first_difference(expected: &[&str], came: &[&str]) -> Option<String> {
    const ANY: &str = "...";
    let expected: Vec<_> = expected.iter().map(|line| normal(line)).collect();
    let came: Vec<_> = came.iter().map(|line| normal(line)).collect();
    let (mut e, mut c, mut furthest) = (0, 0, 0);
    // The line behind the last `...`, and the number of lines that it stands for.
    let mut any = None;
    loop {
        furthest = furthest.max(e);
        if e == expected.len() && c == came.len() {
            return None;
        }
        if expected.get(e).is_some_and(|line| line == ANY) {
            e += 1;
            any = Some((e, c));
        } else if e < expected.len() && c < came.len() && expected[e] == came[c] {
            (e, c) = (e + 1, c + 1);
        } else if let Some((behind, from)) = any
            && from < came.len()
        {
            (e, c) = (behind, from + 1);
            any = Some((behind, from + 1));
        } else {
            return Some(expected.get(furthest).cloned().unwrap_or("the end".to_string()));
        }
    }
}

#[test]
fn lines_are_compared_whole_and_in_order() {
    let came = ["a", "b 1.5", "c", "b 2.5", "d"];
    for right in [
        &came[..],
        &["a", "...", "c", "...", "d"],
        &["...", "b 9.9", "d"],
        &["...", "d", "..."],
        &["..."],
        &["a", "...", "b 7.7", "d"],
    ] {
        assert_eq!(first_difference(right, &came), None, "{right:?}");
    }
    for (wrong, from) in [
        (&["a", "c"][..], "c"),
        (&["a", "...", "d", "c"], "c"),
        (&["a", "...", "c"], "the end"),
        (&["...", "e", "..."], "e"),
        (&["a", "b"], "b"),
        (&[], "the end"),
    ] {
        assert_eq!(first_difference(wrong, &came).as_deref(), Some(from), "{wrong:?}");
    }
}

#[test]
fn planted_wrong_output_is_found() {
    let check =
        |text: &str| check(&Page { path: "p.md".to_string(), text: text.to_string() }).len();
    assert_eq!(check("<!-- replay: -->\n```console\n$ echo a; echo b >&2\na\nb\n```\n"), 0);
    assert_eq!(check("<!-- replay: needs sh -->\n```console\n$ echo a\nb\n```\n"), 1);
    assert_eq!(check("<!-- replay: -->\n```console\n$ echo a\n```\n"), 1);
    assert_eq!(check("<!-- replay: -->\n```console\n$ true\n$ true\n```\n"), 1);
    assert_eq!(check("<!-- replay: -->\n```console\na\n```\n"), 1);
    assert_eq!(check("<!-- replay: sh -->\n```console\n$ true\n```\n"), 1);
    let needs = "needs sh, telefile-no-such-program";
    assert_eq!(missing(needs), Ok(Some("telefile-no-such-program")));
    let by_cargo =
        "$ cargo run -q --example config_reload\nconfig_reload: usage: config_reload ADDRESS NAME";
    assert_eq!(check(&format!("<!-- replay: -->\n```console\n{by_cargo}\n```\n")), 0);
}
