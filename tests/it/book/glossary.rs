//! The terms: a chapter prints a term in bold where it first uses and explains it, and nothing else.
//! The glossary has each term, with a link to that chapter.

use super::chapters::{Chapter, prose};
use crate::documents::Page;
use std::collections::BTreeMap;

/// The terms of the notes that the book grew out of.
const OF_THE_NOTES: [&str; 15] = [
    "socket",
    "file descriptor",
    "sol_socket",
    "so_reuseaddr",
    "af_inet",
    "af_unix",
    "buffer",
    "memoryview",
    "with statement",
    "typing",
    "annotation",
    "generator",
    "typing.generator",
    "iter_lines",
    "bytes.index",
];

/// An entry of the glossary: `- **term**: its meaning ([chapter 1](ch01-....md))`.
struct Entry {
    line: usize,
    term: String,
    text: String,
}

/// Returns what is wrong with the terms, in the glossary and in the chapters.
pub(super) fn check(glossary: &Page, chapters: &[Chapter]) -> Vec<String> {
    let mut bad = Vec::new();
    let entries = entries(glossary);
    let path = &glossary.path;
    for pair in entries.windows(2) {
        if sort_key(&pair[0].term) >= sort_key(&pair[1].term) {
            let (line, term) = (pair[1].line, &pair[1].term);
            bad.push(format!(
                "{path}:{line}: {term:?} is not in alphabetical order, or there twice"
            ));
        }
    }
    let mut met: BTreeMap<String, String> = BTreeMap::new();
    for chapter in chapters {
        let page = &chapter.page.path;
        let name = page.trim_start_matches("tutorial/");
        for (line, term) in bold(&chapter.page) {
            let entry =
                entries.iter().find(|entry| term == entry.term || term == plural(&entry.term));
            match entry {
                None => bad
                    .push(format!("{page}:{line}: {term:?} is not in the glossary: add it there")),
                Some(entry) if !entry.text.contains(&format!("({name})")) => bad.push(format!(
                    "{path}:{}: {term:?} is explained in {name}: link that chapter",
                    entry.line
                )),
                Some(_) => {}
            }
            let term = entry.map_or(term, |entry| entry.term.clone());
            if let Some(before) = plain_use(chapter, line, &term) {
                bad.push(format!(
                    "{page}:{before}: {term:?} is used before line {line} explains it"
                ));
            }
            if let Some(before) = met.insert(term.clone(), format!("{page}:{line}")) {
                bad.push(format!("{page}:{line}: {term:?} is bold in {before} already"));
            }
        }
    }
    for Entry { line, term, text } in &entries {
        let linked = chapters.iter().any(|chapter| {
            text.contains(&format!("({})", chapter.page.path.trim_start_matches("tutorial/")))
        });
        if linked && !met.contains_key(term) {
            bad.push(format!("{path}:{line}: no chapter has {term:?} in bold"));
        }
        if !linked {
            bad.push(format!(
                "{path}:{line}: {term:?} has no link to the chapter that explains it"
            ));
        }
    }
    bad
}

/// Returns the first line that uses a term before this one. Headings, the idea and the puzzle may run
/// ahead of the explanation.
fn plain_use(chapter: &Chapter, line: usize, term: &str) -> Option<usize> {
    let begin = chapter.sections().get(1)?.line;
    let is_name = |c: char| c.is_alphanumeric() || "-_".contains(c);
    let goes_on = |rest: &str| rest.strip_prefix('.').unwrap_or(rest).starts_with(is_name);
    let has_term = |text: &str| {
        let without_code: String = text.split('`').step_by(2).collect();
        let lower = without_code.to_lowercase();
        let mut places = lower.match_indices(term);
        places.any(|(at, _)| !lower[..at].ends_with(is_name) && !goes_on(&lower[at + term.len()..]))
    };
    let lines = chapter.prose().into_iter();
    let mut before =
        lines.filter(|(n, text)| (begin..line).contains(n) && !text.starts_with(['!', '#']));
    before.find(|(_, text)| has_term(text)).map(|(n, _)| n)
}

/// Returns the terms of the notes that the glossary lacks.
pub(super) fn missing(glossary: &Page) -> Vec<String> {
    let entries = entries(glossary);
    let is_missing = |term: &&&str| !entries.iter().any(|entry| entry.term == **term);
    let missing = OF_THE_NOTES.iter().filter(is_missing);
    missing.map(|term| format!("{}: {term:?} of the notes is missing", glossary.path)).collect()
}

fn entries(glossary: &Page) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (line, text) in prose(glossary) {
        match text.strip_prefix("- **").and_then(|rest| rest.split_once("**: ")) {
            Some((term, text)) => {
                entries.push(Entry { line, term: plain(term), text: text.to_string() })
            }
            None if text.starts_with("  ") => {
                if let Some(entry) = entries.last_mut() {
                    entry.text += text;
                }
            }
            None => {}
        }
    }
    entries
}

/// Returns the terms in bold, each with its line.
fn bold(page: &Page) -> Vec<(usize, String)> {
    let terms = prose(page).into_iter().flat_map(|(number, line)| {
        let parts: Vec<_> = line.split("**").collect();
        let bold = parts.iter().skip(1).step_by(2).take((parts.len() - 1) / 2);
        bold.map(move |term| (number, plain(term))).collect::<Vec<_>>()
    });
    terms.collect()
}

fn plural(term: &str) -> String {
    format!("{term}s")
}

fn plain(term: &str) -> String {
    term.replace('`', "").to_lowercase()
}

fn sort_key(term: &str) -> String {
    term.replace(['.', '_', '-', ' '], "").to_lowercase()
}

#[test]
fn planted_faults_of_terms_are_found() {
    let chapter = |name: &str, text: &str| Chapter {
        number: 1,
        page: Page { path: format!("tutorial/{name}.md"), text: text.to_string() },
    };
    let glossary = |text: &str| Page { path: "g.md".to_string(), text: text.to_string() };
    let chapters = [
        chapter("a", "Two **sockets** are, a\n**`PORT`** too.\n```text\nx ** y ** z\n```\n"),
        chapter("b", "A **tape**.\n"),
    ];
    let right =
        "- **PORT**: x ([1](a.md))\n- **socket**: y\n  z ([1](a.md))\n- **tape**: ([2](b.md))\n";
    assert_eq!(check(&glossary(right), &chapters), [""; 0]);
    for (from, to, message) in [
        ("- **socket**: y\n", "", "\"sockets\" is not in the glossary"),
        ("(b.md)", "(a.md)", "\"tape\" is explained in b.md"),
        ("- **tape**", "- **rope**: ([2](b.md))\n- **tape**", "no chapter has \"rope\" in bold"),
        ("- **tape**", "- **rope**: none\n- **tape**", "\"rope\" has no link"),
        ("- **PORT**", "- **zoo**: none\n- **PORT**", "\"port\" is not in alphabetical order"),
    ] {
        let found = check(&glossary(&right.replace(from, to)), &chapters);
        assert!(found.iter().any(|why| why.contains(message)), "{message}: {found:?}");
    }
    assert_eq!(missing(&glossary(right)).len(), OF_THE_NOTES.len() - 1);
    let late = [chapter(
        "a",
        "## A puzzle\nA socket?\n## The socket\n`socket`\nMy socket.\nA **socket**.\n",
    )];
    let found = check(&glossary("- **socket**: ([1](a.md))\n"), &late);
    assert_eq!(found, ["tutorial/a.md:5: \"socket\" is used before line 6 explains it"]);
    let twice = [chapter("a", "**port** **socket**\n"), chapter("b", "**tape** **port**\n")];
    let found = check(&glossary(&right.replace("x (", "([2](b.md)) (")), &twice);
    assert_eq!(found, ["tutorial/b.md:1: \"port\" is bold in tutorial/a.md:1 already"]);
}
