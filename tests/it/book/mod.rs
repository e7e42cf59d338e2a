//! The book in `tutorial`: its code is that of the repository, its sessions and commands are run, its
//! exercises have the effect that the page says, and its chapters have the same shape.
//!
//! `CONTRIBUTING.md` has the directives of a chapter. `documents` checks what all pages have in common:
//! transcripts, shell blocks and links. `exercises` builds copies, and is a stage of its own in
//! `tests/stages.sh`.

mod chapters;
mod examples;
#[cfg(feature = "cli")]
mod exercises;
mod glossary;
#[cfg(feature = "cli")]
mod normal;
mod pictures;
mod plots;
mod quotes;
#[cfg(feature = "cli")]
mod replay;
mod rust_item;
#[cfg(feature = "cli")]
mod scratch;
mod shape;
#[cfg(feature = "cli")]
mod small_server;
#[cfg(feature = "cli")]
mod stubs;
mod summary;

use crate::documents::{Page, pages, root};
use chapters::chapters;
use std::fs;

/// With `TUTORIAL_BLESS=1` the quotes are pasted again, and the chapters listed again.
fn is_blessed() -> bool {
    std::env::var("TUTORIAL_BLESS").is_ok_and(|value| value == "1")
}

/// Returns the pages of the book.
fn book() -> Vec<Page> {
    let mut pages = pages();
    pages.retain(|page| page.path.starts_with("tutorial/"));
    pages
}

fn report(bad: Vec<String>) {
    assert!(bad.is_empty(), "\n{}\n", bad.join("\n"));
}

#[test]
fn every_quote_is_the_text_of_its_source() {
    for page in book().iter().filter(|_| is_blessed()) {
        let blessed = quotes::blessed(page);
        if blessed != page.text {
            fs::write(root().join(&page.path), blessed).unwrap();
        }
    }
    let chapters = chapters().into_iter().map(|chapter| chapter.page);
    let others = book().into_iter().filter(|page| page.text.contains("<!-- quote: "));
    let mut pages: Vec<_> = others.chain(chapters).collect();
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages.dedup_by(|a, b| a.path == b.path);
    report(pages.iter().flat_map(quotes::check).collect());
}

#[test]
fn every_chapter_has_the_same_shape() {
    report(chapters().iter().flat_map(shape::check).collect());
}

#[test]
fn every_term_is_explained_in_a_chapter_and_listed_in_the_glossary() {
    let (glossary, chapters) = (Page::load("tutorial/glossary.md"), chapters());
    let mut bad = glossary::check(&glossary, &chapters);
    bad.extend(glossary::missing(&glossary));
    report(bad);
}

#[test]
fn every_picture_shows_words_of_its_chapter() {
    let chapters = chapters();
    let mut bad: Vec<_> = chapters.iter().flat_map(pictures::check).collect();
    bad.extend(pictures::check_all(&chapters, &pictures::files(), &book()));
    report(bad);
}

#[test]
fn the_contents_list_every_page() {
    let (path, pages) = ("tutorial/SUMMARY.md", book());
    if is_blessed() {
        let blessed = summary::blessed(&Page::load(path), &chapters());
        fs::write(root().join(path), blessed).unwrap();
    }
    report(summary::check(&Page::load(path), &pages));
}

#[test]
fn no_link_leads_out_of_the_book() {
    report(book().iter().flat_map(summary::check_links).collect());
}

#[test]
fn the_documentation_of_the_crate_names_pages_that_exist() {
    let library = Page::load("src/lib.rs").text;
    let names = library.split("`tutorial/").skip(1).filter_map(|rest| rest.split('`').next());
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    assert!(names.len() > 1, "{names:?}");
    let missing = names.iter().filter(|name| !root().join("tutorial").join(name).exists());
    report(missing.map(|name| format!("src/lib.rs: there is no tutorial/{name}")).collect());
}
