//! The chapters: which there are, and the sections of each.

use crate::documents::{Block, Page, pages};

/// The names of all chapters, in order.
pub(super) const NAMES: [&str; 23] = [
    "ch00-a-conversation",
    "ch01-a-socket-is-a-file-descriptor",
    "ch02-bind-listen-accept",
    "ch03-address-already-in-use",
    "ch04-no-network",
    "ch05-tcp-is-a-tape",
    "ch06-iter-lines",
    "ch07-two-framings",
    "ch08-a-command-is-a-type",
    "ch09-one-table-many-threads",
    "ch10-compare-and-swap",
    "ch11-a-file-that-expires",
    "ch12-descriptors",
    "ch13-files-as-code",
    "ch14-when-a-client-goes-away",
    "ch15-a-pool-of-threads",
    "ch16-closing-time",
    "ch17-a-message-framework",
    "ch18-waiting-for-a-change",
    "ch19-what-survives",
    "ch20-watching-a-folder",
    "ch21-proof",
    "ch22-measuring",
];

pub(super) struct Chapter {
    pub(super) number: usize,
    pub(super) page: Page,
}

/// A heading and the lines below it, also of code blocks, up to the next heading of its level.
pub(super) struct Section<'a> {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: Vec<(usize, &'a str)>,
}

/// Returns the chapters, in order.
pub(super) fn chapters() -> Vec<Chapter> {
    let pages = pages().into_iter().filter(|page| page.path.starts_with("tutorial/ch"));
    let chapters = pages.map(|page| {
        let name = page.path.strip_prefix("tutorial/").and_then(|name| name.strip_suffix(".md"));
        let number = NAMES.iter().position(|known| Some(*known) == name);
        Chapter { number: number.unwrap_or_else(|| panic!("{} is no chapter", page.path)), page }
    });
    chapters.collect()
}

/// Returns the chapter that alone is to be run: TUTORIAL_CHAPTER=5.
#[cfg(feature = "cli")]
pub(super) fn only() -> Option<usize> {
    std::env::var("TUTORIAL_CHAPTER").ok().map(|number| number.parse().expect("a number"))
}

impl Chapter {
    /// Returns the lines outside code blocks and comments, each with its number.
    pub(super) fn prose(&self) -> Vec<(usize, &str)> {
        prose(&self.page)
    }

    pub(super) fn words(&self) -> usize {
        let is_word = |word: &&str| word.contains(char::is_alphanumeric) && !word.starts_with('<');
        self.prose().iter().map(|(_, line)| line.split_whitespace().filter(is_word).count()).sum()
    }

    pub(super) fn sections(&self) -> Vec<Section<'_>> {
        let outside: Vec<usize> = self.page.prose().iter().map(|(number, _)| *number).collect();
        let lines: Vec<_> = (1..).zip(self.page.text.lines()).collect();
        split(&lines, "## ", &|number| outside.binary_search(&number).is_ok())
    }

    pub(super) fn blocks_in(&self, section: &Section<'_>) -> Vec<Block<'_>> {
        let line = |block: &Block<'_>| -> usize {
            let (_, line) = block.place.rsplit_once(':').expect("a page and a line");
            line.parse().expect("a number")
        };
        let last = section.lines.last().map_or(section.line, |(number, _)| *number);
        let mut blocks = self.page.blocks();
        blocks.retain(|block| (section.line..=last).contains(&line(block)));
        blocks
    }
}

impl Section<'_> {
    /// Returns the parts below headings of the next level. In code a heading would be an error.
    pub(super) fn parts(&self) -> Vec<Section<'_>> {
        split(&self.lines, "### ", &|_| true)
    }
}

/// Returns the lines of a page outside code blocks and comments, each with its number.
pub(super) fn prose(page: &Page) -> Vec<(usize, &str)> {
    let mut prose = page.prose();
    prose.retain(|(_, line)| !line.starts_with("<!--"));
    prose
}

fn split<'a>(
    lines: &[(usize, &'a str)],
    mark: &str,
    is_prose: &dyn Fn(usize) -> bool,
) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> = Vec::new();
    for (number, line) in lines {
        match line.strip_prefix(mark).filter(|_| is_prose(*number)) {
            Some(name) => {
                let (name, line) = (name.trim().to_string(), *number);
                sections.push(Section { name, line, lines: Vec::new() });
            }
            None => {
                if let Some(section) = sections.last_mut() {
                    section.lines.push((*number, line));
                }
            }
        }
    }
    sections
}

#[test]
fn no_chapter_is_missing() {
    let numbers: Vec<_> = chapters().iter().map(|chapter| chapter.number).collect();
    assert!(numbers.into_iter().eq(0..NAMES.len()));
}
