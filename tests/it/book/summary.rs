//! The table of contents, and links that also lead somewhere in the built book.

use super::chapters::Chapter;
use crate::documents::{Page, links};
use std::collections::BTreeSet;

/// Returns what is wrong with the table of contents: it has each page once, under its own heading,
/// and the chapters in order.
pub(super) fn check(summary: &Page, pages: &[Page]) -> Vec<String> {
    let mut bad = Vec::new();
    let mut listed = BTreeSet::new();
    let mut last_chapter = "";
    for (line, title, target) in entries(summary) {
        let place = format!("{}:{line}", summary.path);
        if !listed.insert(target) {
            bad.push(format!("{place}: {target} is there twice"));
        }
        if target.starts_with("ch") {
            if target < last_chapter {
                bad.push(format!("{place}: {target} comes before {last_chapter}"));
            }
            last_chapter = target;
        }
        let page = pages.iter().find(|page| page.path == format!("tutorial/{target}"));
        match page.map(heading) {
            None => bad.push(format!("{place}: there is no page {target}")),
            Some(heading) if target.starts_with("ch") && heading != title => {
                bad.push(format!("{place}: {target} is called {heading:?}"));
            }
            Some(_) => {}
        }
    }
    for page in pages {
        let name = page.path.strip_prefix("tutorial/").filter(|name| *name != "SUMMARY.md");
        if let Some(name) = name.filter(|name| !listed.contains(name)) {
            bad.push(format!("{}: {name} is missing", summary.path));
        }
    }
    if !bad.is_empty() {
        let command = "TUTORIAL_BLESS=1 cargo test --test it book::";
        bad.push(format!("{command} lists the chapters again"));
    }
    bad
}

/// Returns what is wrong with the links of a page: those out of the book break when it is built.
pub(super) fn check_links(page: &Page) -> Vec<String> {
    let depth = page.path.matches('/').count() - 1;
    let found = links::links(page).into_iter();
    let out = found.filter(|(_, target)| target.matches("../").count() > depth);
    let text = |(line, target)| {
        format!("{}:{line}: {target} is not part of the book: write its path as code", page.path)
    };
    out.map(text).collect()
}

/// Returns the table of contents with the chapters that there are.
pub(super) fn blessed(summary: &Page, chapters: &[Chapter]) -> String {
    let lines = chapters.iter().map(|chapter| {
        let name = chapter.page.path.trim_start_matches("tutorial/");
        format!("- [{}]({name})\n", heading(&chapter.page))
    });
    let all: String = lines.collect();
    let is_chapter = |line: &str| line.starts_with("- [") && line.contains("](ch");
    let mut text = String::new();
    for line in summary.text.split_inclusive('\n').filter(|line| !is_chapter(line)) {
        text += line;
        if line == "# The chapters\n" {
            text += "\n";
            text += &all;
        }
    }
    text.replace("\n\n\n", "\n\n")
}

fn entries(summary: &Page) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for (number, line) in summary.prose() {
        if let Some((title, target)) = line.trim_start_matches(['-', ' ']).split_once("](") {
            found.push((number, title.trim_start_matches('['), target.trim_end_matches(')')));
        }
    }
    found
}

fn heading(page: &Page) -> &str {
    page.text.lines().next().unwrap_or_default().trim_start_matches("# ")
}

#[test]
fn planted_faults_of_the_contents_are_found() {
    let page = |path: &str, text: &str| Page { path: path.to_string(), text: text.to_string() };
    let pages = [
        page("README.md", "# Not in the book\n"),
        page("tutorial/README.md", "# Book\n"),
        page("tutorial/SUMMARY.md", ""),
        page("tutorial/ch00-a.md", "# 0. A\n"),
        page("tutorial/ch01-b.md", "# 1. B\n"),
    ];
    let right = "# Summary\n\n[Begin](README.md)\n\n# The chapters\n\n- [0. A](ch00-a.md)\n- [1. B](ch01-b.md)\n\n# More\n";
    let summary = |text: &str| page("tutorial/SUMMARY.md", text);
    assert_eq!(check(&summary(right), &pages), [""; 0]);
    for (from, to, message) in [
        ("- [1. B](ch01-b.md)\n", "", "ch01-b.md is missing"),
        ("[0. A]", "[0. X]", "is called \"0. A\""),
        (
            "- [0. A](ch00-a.md)\n- [1. B](ch01-b.md)",
            "- [1. B](ch01-b.md)\n- [0. A](ch00-a.md)",
            "comes before",
        ),
        ("# More\n", "- [C](c.md)\n", "there is no page c.md"),
        ("# More\n", "[Begin](README.md)\n", "README.md is there twice"),
    ] {
        let wrong = summary(&right.replace(from, to));
        let found = check(&wrong, &pages);
        assert!(found.iter().any(|why| why.contains(message)), "{message}: {found:?}");
        let chapters = pages
            .iter()
            .skip(3)
            .enumerate()
            .map(|(number, p)| Chapter { number, page: page(&p.path, &p.text) });
        if to.is_empty() || to.contains("ch") || to.contains('X') {
            assert_eq!(blessed(&wrong, &chapters.collect::<Vec<_>>()), right);
        }
    }
}

#[test]
fn planted_links_out_of_the_book_are_found() {
    let page = |path: &str| Page {
        path: path.to_string(),
        text: "[a](x.md) [b](../y.md) `../../z`\n```text\n[c](../../z)\n```\n[d](../../z)\n"
            .to_string(),
    };
    let out = check_links(&page("tutorial/reference/p.md"));
    assert!(out.len() == 1 && out[0].starts_with("tutorial/reference/p.md:5: ../../z"), "{out:?}");
    assert_eq!(check_links(&page("tutorial/p.md")).len(), 2);
}
