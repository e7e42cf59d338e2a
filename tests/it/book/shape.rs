//! The shape of a chapter: its headings, what each part has, and how long it may be.

use super::chapters::Chapter;
use super::quotes::{MAX_LINES, Quote};
use std::ops::RangeInclusive;

/// Of a chapter, outside code blocks.
const WORDS: RangeInclusive<usize> = 900..=1600;

/// The headings after the sections that a chapter names itself.
const LAST_HEADINGS: [&str; 6] = [
    "From outside",
    "In the real server",
    "What always holds",
    "Checkpoint",
    "Exercises",
    "What is still missing",
];

/// How many sections a chapter names itself.
const OWN_SECTIONS: RangeInclusive<usize> = 2..=5;

const EXERCISES: [&str; 3] = ["Predict", "Break it", "Build it"];

/// How many things always hold.
const INVARIANTS: RangeInclusive<usize> = 2..=4;

/// Words that make a reader feel slow, or say nothing.
const BANNED: [&str; 8] =
    ["simply", "just", "obviously", "easy", "easily", "of course", "note that", "let's dive"];

/// Returns what is wrong with the shape of a chapter.
pub(super) fn check(chapter: &Chapter) -> Vec<String> {
    let mut bad = Vec::new();
    let path = &chapter.page.path;
    beginning(chapter, &mut bad);
    headings(chapter, &mut bad);
    parts(chapter, &mut bad);
    exercises(chapter, &mut bad);
    blocks(chapter, &mut bad);
    let words = chapter.words();
    if !WORDS.contains(&words) {
        bad.push(format!("{path}: {words} words outside code blocks, and not {WORDS:?}"));
    }
    for (number, line) in chapter.prose() {
        let lower = line.to_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || c == '\'';
        let found = BANNED.iter().find(|word| {
            lower.match_indices(**word).any(|(at, _)| {
                !lower[..at].ends_with(is_part) && !lower[at + word.len()..].starts_with(is_part)
            })
        });
        if let Some(word) = found {
            bad.push(format!("{path}:{number}: leave out {word:?}"));
        }
        let without_code: String = line.split('`').step_by(2).collect();
        if without_code.contains('!') && !without_code.contains("![") {
            bad.push(format!("{path}:{number}: end the sentence with a full stop"));
        }
    }
    bad
}

fn beginning(chapter: &Chapter, bad: &mut Vec<String>) {
    let path = &chapter.page.path;
    let text = chapter.prose().into_iter().filter(|(_, line)| !line.is_empty());
    let lines: Vec<&str> = text.map(|(_, line)| line).take(3).collect();
    let title = format!("# {}. ", chapter.number);
    match lines[..] {
        [heading, idea, needs] => {
            if !heading.starts_with(&title) {
                bad.push(format!("{path}:1: begin with {title:?} and the title"));
            }
            if !idea.ends_with('.') || idea.matches(". ").count() > 0 {
                bad.push(format!("{path}: say the idea in one sentence, in one line"));
            }
            if !needs.starts_with("You need: ") {
                bad.push(format!("{path}: the line \"You need: ...\" comes after the idea"));
            }
        }
        _ => bad.push(format!("{path}: it has no text")),
    }
}

fn headings(chapter: &Chapter, bad: &mut Vec<String>) {
    let path = &chapter.page.path;
    let names: Vec<_> = chapter.sections().iter().map(|section| section.name.clone()).collect();
    let own = names.len().saturating_sub(1 + LAST_HEADINGS.len());
    let is_right = names.first().is_some_and(|name| name == "A puzzle")
        && names.iter().skip(1 + own).eq(LAST_HEADINGS.iter());
    if !is_right {
        bad.push(format!("{path}: after \"A puzzle\" and its own sections come {LAST_HEADINGS:?}"));
    } else if !OWN_SECTIONS.contains(&own) {
        bad.push(format!("{path}: {own} sections of its own, and not {OWN_SECTIONS:?}"));
    }
}

fn parts(chapter: &Chapter, bad: &mut Vec<String>) {
    let path = &chapter.page.path;
    for section in chapter.sections() {
        let blocks = chapter.blocks_in(&section);
        let is_tested = blocks.iter().any(|block| {
            block.transcript().is_some() || (block.language == "console" && !block.is_not_run())
        });
        let wants = match &section.name[..] {
            "A puzzle" | "From outside" if !is_tested => "has no session or command that is run",
            "In the real server"
                if !blocks
                    .iter()
                    .any(|b| b.quote().is_some_and(|quote| quote.starts_with("src/"))) =>
            {
                "quotes nothing from src"
            }
            "What always holds"
                if !INVARIANTS.contains(
                    &section.lines.iter().filter(|(_, line)| line.starts_with("- ")).count(),
                ) =>
            {
                "is a list of two to four things"
            }
            "Checkpoint" if !blocks.iter().any(|block| is_checkpoint(chapter, block)) => {
                "replays `cargo run -q --example chNN_name`, down to its last line"
            }
            _ => continue,
        };
        bad.push(format!("{path}:{}: the section {:?} {wants}", section.line, section.name));
    }
}

fn is_checkpoint(chapter: &Chapter, block: &crate::documents::Block<'_>) -> bool {
    let command = format!("$ cargo run -q --example ch{:02}_", chapter.number);
    let last = block.body.lines().last().unwrap_or_default();
    block.replay().is_some()
        && block.body.starts_with(&command)
        && last != "..."
        && !last.starts_with('$')
}

fn exercises(chapter: &Chapter, bad: &mut Vec<String>) {
    let path = &chapter.page.path;
    let sections = chapter.sections();
    let Some(section) = sections.iter().find(|section| section.name == "Exercises") else { return };
    let parts = section.parts();
    let names: Vec<_> = parts.iter().map(|part| &part.name[..]).collect();
    if names != EXERCISES {
        bad.push(format!("{path}:{}: the exercises are {EXERCISES:?}", section.line));
        return;
    }
    for part in &parts {
        let count = |wanted: &str| part.lines.iter().filter(|(_, l)| l.trim() == wanted).count();
        let name = &part.name;
        if (count("<details><summary>Answer</summary>"), count("</details>")) != (1, 1) {
            bad.push(format!(
                "{path}:{}: {name:?} has one answer in <details><summary>Answer</summary>, and </details> \
                 on a line of its own",
                part.line
            ));
        }
        let has = |prefix: &str| {
            let lines = part.lines.iter();
            lines.filter(|(_, line)| line.starts_with(prefix)).count() > 0
        };
        if name == "Break it" && !has("<!-- break: ") {
            bad.push(format!("{path}:{}: {name:?} has no <!-- break: ... -->", part.line));
        }
        if name == "Build it" && !has("<!-- solution: ") {
            bad.push(format!("{path}:{}: {name:?} has no <!-- solution: ... -->", part.line));
        }
    }
}

fn blocks(chapter: &Chapter, bad: &mut Vec<String>) {
    for block in chapter.page.blocks() {
        let place = &block.place;
        let lines = block.body.lines().count();
        if lines > MAX_LINES {
            bad.push(format!("{place}: the block has {lines} lines, more than {MAX_LINES}"));
        }
        if let Some(Ok(quote)) = block.quote().map(Quote::parse) {
            let before = &chapter.page.text[..block.at];
            let paragraph = before.rsplit("\n\n").next().unwrap_or_default();
            let paragraph = match paragraph.starts_with("<!--") {
                true => before.rsplit("\n\n").nth(1).unwrap_or_default(),
                false => paragraph,
            };
            if !paragraph.contains(&format!("`{}`", quote.path)) {
                bad.push(format!(
                    "{place}: name `{}` in the sentence before the block",
                    quote.path
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Page;

    fn bad(text: &str) -> Vec<String> {
        let page = Page { path: "tutorial/ch05-x.md".to_string(), text: text.to_string() };
        check(&Chapter { number: 5, page })
    }

    /// A chapter without fault.
    fn right() -> String {
        let answer = "<details><summary>Answer</summary>\n\nYes.\n\n</details>\n";
        let session = "<!-- transcript: t -->\n```text\n> read f\n```\n";
        let quote = "From `src/a.rs`:\n\n<!-- quote: src/a.rs fn f -->\n```rust\nfn f() {}\n```\n";
        let replay = "<!-- replay: -->\n```console\n$ cargo run -q --example ch05_x\nlast\n```\n";
        format!(
            "# 5. A title\n\nOne idea.\n\nYou need: time.\n\n## A puzzle\n\n{session}\n## One\n\n{}\n\n## Two\n\n\
             {quote}\n## From outside\n\n{session}\n## In the real server\n\n{quote}\n\
             ## What always holds\n\n- A.\n- B.\n\n## Checkpoint\n\n{replay}\n## Exercises\n\n\
             ### Predict\n\n{answer}\n### Break it\n\n<!-- break: x -->\n\n{answer}\n\
             ### Build it\n\n{answer}\n<!-- solution: x -->\n```rust\n```\n\n## What is still missing\n",
            "word ".repeat(1000)
        )
    }

    #[test]
    fn planted_faults_of_the_shape_are_found() {
        assert_eq!(bad(&right()), [""; 0]);
        let many_lines = "x\n".repeat(MAX_LINES + 1);
        for (from, to, message) in [
            ("# 5. A", "# 6. A", "begin with \"# 5. \""),
            ("One idea.", "One idea. Two.", "in one sentence"),
            ("You need: time.", "Needs time.", "\"You need: ...\""),
            ("## A puzzle", "## Puzzle", "after \"A puzzle\""),
            ("## Checkpoint", "## The checkpoint", "after \"A puzzle\""),
            ("## Two\n", "", "1 sections of its own"),
            (
                "## A puzzle\n\n<!-- transcript: t -->",
                "## A puzzle\n\n",
                "\"A puzzle\" has no session",
            ),
            (
                "<!-- quote: src/a.rs fn f -->",
                "<!-- quote: examples/a.rs fn f -->",
                "quotes nothing from src",
            ),
            ("- B.\n", "", "two to four things"),
            ("- B.\n", "- B.\n- C.\n- D.\n- E.\n", "two to four things"),
            ("ch05_x\nlast\n", "ch05_x\n", "down to its last line"),
            ("example ch05_x", "example ch06_x", "down to its last line"),
            ("### Build it", "### Build", "the exercises are"),
            ("<!-- break: x -->", "", "has no <!-- break: ... -->"),
            ("<!-- solution: x -->", "", "has no <!-- solution: ... -->"),
            ("</details>", "", "has one answer"),
            ("word ", "", "words outside code blocks"),
            ("word ", "word word ", "words outside code blocks"),
            ("One idea.", "It is just one idea.", "leave out \"just\""),
            ("Yes.", "Yes!", "full stop"),
            ("From `src/a.rs`:", "Here:", "name `src/a.rs` in the sentence"),
            ("> read f\n", &many_lines, "more than 25"),
        ] {
            let found = bad(&right().replace(from, to));
            assert!(found.iter().any(|why| why.contains(message)), "{message}: {found:?}");
        }
    }
}
