//! Links from one page to another lead somewhere.

use super::page::{Page, pages, root};
use std::path::{Component, Path, PathBuf};

#[test]
fn every_relative_link_leads_to_a_file_and_its_heading() {
    let (mut bad, mut count) = (Vec::new(), 0);
    for page in pages() {
        for (line, target) in links(&page) {
            count += 1;
            if let Err(why) = check(&page, target) {
                bad.push(format!("{}:{line}: {target}: {why}", page.path));
            }
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
    assert!(count > 50, "{count} links");
}

/// A page that no page links to is one that nobody finds.
#[test]
fn every_page_of_the_reference_is_linked_from_its_index() {
    let index = Page::load("tutorial/reference/README.md");
    let linked: Vec<_> = links(&index).into_iter().map(|(_, target)| target).collect();
    for page in pages() {
        if let Some(name) = page.path.strip_prefix("tutorial/reference/") {
            assert!(name == "README.md" || linked.contains(&name), "{name} is not in the index");
        }
    }
}

/// Returns the targets of the page's relative links, with their lines.
pub(crate) fn links(page: &Page) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in page.prose() {
        let targets = line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        found.extend(targets.filter(|target| !target.contains("://")).map(|t| (number, t)));
    }
    found
}

fn check(from: &Page, target: &str) -> Result<(), &'static str> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => PathBuf::from(&from.path),
        path => beside(&from.path, path).ok_or("leaves the repository")?,
    };
    if !root().join(&path).exists() {
        return Err("no such file");
    }
    if !anchor.is_empty() {
        let page = Page::load(path.to_str().expect("a path is UTF-8"));
        if !page.anchors().iter().any(|a| a == anchor) {
            return Err("no such heading");
        }
    }
    Ok(())
}

/// Resolves a path from the folder of another.
fn beside(from: &str, path: &str) -> Option<PathBuf> {
    let mut at = Path::new(from).parent()?.to_path_buf();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => at.pop().then_some(())?,
            part => at.push(part),
        }
    }
    Some(at)
}

#[test]
fn a_planted_bad_link_is_found() {
    let page = |text: &str| Page { path: "tutorial/reference/x.md".into(), text: text.into() };
    let text = "# Here\n[a](y.md#z) `[b](../../Cargo.toml)` [c](https://x.y/z)\n```\n[d](e)\n```\n";
    assert_eq!(links(&page(text)), [(2, "y.md#z"), (2, "../../Cargo.toml")]);
    let check = |target| check(&page(text), target);
    assert_eq!(check("../../Cargo.toml"), Ok(()));
    assert_eq!(check("protocol.md#framing"), Ok(()));
    assert_eq!(check("#here"), Err("no such file"), "the page is planted");
    assert_eq!(check("nobody.md"), Err("no such file"));
    assert_eq!(check("protocol.md#nobody"), Err("no such heading"));
    assert_eq!(check("../../../etc"), Err("leaves the repository"));
}
