//! Python on the pages: each block is a session of its interpreter, and is run as a doctest. The tests of
//! the client in Python run those on its own page, which need a server.

use super::page::{Page, pages, root};
use crate::programs::{has, program};
use crate::server::Folder;
use std::fs;

#[test]
fn every_python_session_of_a_page_is_true() {
    if has("python3") {
        let mut pages = pages();
        pages.retain(|page| !page.path.starts_with("clients/"));
        let bad: Vec<_> = pages.iter().filter_map(|page| check(page).err()).collect();
        assert!(bad.is_empty(), "\n{}", bad.join("\n"));
    }
}

#[test]
fn a_planted_wrong_result_is_found() {
    let page = |result: &str| Page {
        path: "p.md".to_string(),
        text: format!("```python\n>>> x = 1\n```\n```python\n>>> x + 1\n{result}\n```\n"),
    };
    if has("python3") {
        assert_eq!(check(&page("2")), Ok(()));
        assert!(check(&page("3")).unwrap_err().starts_with("p.md: "));
    }
}

/// Runs the blocks of a page, one after the other in one interpreter.
fn check(page: &Page) -> Result<(), String> {
    let mut blocks = page.blocks();
    blocks.retain(|block| block.language == "python" && block.quote().is_none());
    if blocks.is_empty() {
        return Ok(());
    }
    let sessions: Vec<_> = blocks.iter().map(|block| block.body).collect();
    let folder = Folder::new();
    let file = folder.path().join("sessions");
    fs::write(&file, sessions.join("\n")).unwrap();
    let output = program("python3").args(["-m", "doctest"]).arg(file).current_dir(root()).output();
    let output = output.unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{}: {}", page.path, String::from_utf8_lossy(&output.stdout))),
    }
}
