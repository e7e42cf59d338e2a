//! What is generated from the command line that clap parses: manual pages and completions.
#![cfg(feature = "durable")]

use super::install::files;
use super::{Ended, run, telefile};
use crate::programs::{has, is_installed, program, skipped};
use crate::server::Folder;
use std::fs;
use std::path::PathBuf;

/// Returns the manual pages, in a folder.
fn pages(folder: &Folder) -> Vec<PathBuf> {
    let pages = folder.path().join("pages");
    assert_eq!(run(telefile(&["man", pages.to_str().unwrap()])).status, 0);
    files(&pages).iter().map(|page| pages.join(page)).collect()
}

#[test]
fn each_manual_page_is_whole_and_without_mistakes() {
    let folder = Folder::new();
    for page in pages(&folder) {
        let text = fs::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(text.contains(&format!(".TH {name} 1 ")), "{text}");
        let mut headings = vec!["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"];
        if name != "telefile" {
            headings.push("\"SEE ALSO\"");
        }
        for heading in headings {
            assert!(text.contains(&format!(".SH {heading}\n")), "no {heading} in {name}");
        }
        if !is_installed("man") || !is_installed("groff") {
            continue;
        }
        let mut man = program("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(&page).env("MANWIDTH", "100");
        let shown = run(man);
        assert_eq!((shown.status, &shown.stderr[..]), (0, ""), "{name}");
        assert!(shown.stdout.contains("SYNOPSIS"), "{}", shown.stdout);
    }
    if !is_installed("man") || !is_installed("groff") {
        skipped("man and groff are not installed");
    }
}

#[test]
fn the_page_of_serve_has_every_option_and_example() {
    let folder = Folder::new();
    let pages = pages(&folder);
    let page = pages.iter().find(|page| page.ends_with("telefile-serve.1")).unwrap();
    let text = fs::read_to_string(page).unwrap().replace("\\-", "-");
    let help = run(telefile(&["serve", "--help"])).stdout;
    let flags = help.lines().map(str::trim_start).filter(|line| line.starts_with("--"));
    for flag in flags.map(|line| line.split(' ').next().unwrap()) {
        assert!(text.contains(flag), "{flag}");
    }
    let (_, examples) = help.split_once("Examples:\n").unwrap();
    for example in examples.lines() {
        assert!(text.contains(example.trim_start()), "{example}");
    }
}

/// Returns what a shell completes when Tab is pressed behind these words.
fn completed(words: &[&str]) -> String {
    let script = ". \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _telefile telefile \"${@: -1}\" \"${@: -2:1}\"; echo \"${COMPREPLY[@]}\"";
    let folder = Folder::new();
    let path = folder.path().join("completions");
    fs::write(&path, run(telefile(&["completions", "bash"])).stdout).unwrap();
    let mut bash = program("bash");
    bash.args(["-c", script]).arg(&path).args(words);
    let Ended { status, stdout, stderr } = run(bash);
    assert_eq!((status, &stderr[..]), (0, ""));
    stdout.trim_end().to_string()
}

#[test]
fn bash_completes_verbs_and_flags() {
    if !has("bash") {
        return;
    }
    assert_eq!(completed(&["telefile", "ser"]), "serve");
    assert_eq!(completed(&["telefile", "serve", "--tok"]), "--token-file");
    let all = completed(&["telefile", ""]);
    let all: Vec<_> = all.split(' ').collect();
    assert!(all.contains(&"read") && all.contains(&"completions"), "{all:?}");
    assert!(!all.contains(&"lock-witness") && !all.contains(&"man"), "{all:?}");
}

#[test]
fn each_shell_accepts_its_completions() {
    for (shell, word) in [
        ("bash", "complete -F _telefile"),
        ("zsh", "#compdef telefile"),
        ("fish", "complete -c telefile"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = run(telefile(&["completions", shell]));
        assert_eq!((script.status, &script.stderr[..]), (0, ""));
        assert!(script.stdout.contains(word), "{shell}: {}", script.stdout);
        if !["bash", "zsh", "fish"].contains(&shell) || !has(shell) {
            continue;
        }
        let folder = Folder::new();
        let path = folder.path().join("completions");
        fs::write(&path, script.stdout).unwrap();
        let mut check = program(shell);
        check.arg("-n").arg(&path);
        let Ended { status, stdout, stderr } = run(check);
        assert_eq!((status, &stdout[..], &stderr[..]), (0, "", ""), "{shell}");
    }
    run(telefile(&["completions", "tcsh"])).failed(2, &["tcsh", "bash"]);
    run(telefile(&["completions"])).failed(2, &["<SHELL>"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_reported() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let path = path.to_str().unwrap();
        run(telefile(&["man", path])).failed(1, &[path]);
    }
}
