//! A Markdown page: its code blocks, its headings and its text.

use std::fs;
use std::path::{Path, PathBuf};

/// A file, by its path from the root of the repository.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A code block.
pub(crate) struct Block<'a> {
    /// The page and the line of its first line, for messages.
    pub(crate) place: String,
    pub(crate) language: &'a str,
    pub(crate) body: &'a str,
    /// Where the body begins in the page.
    pub(crate) at: usize,
    /// The comment `<!-- ... -->` on the line before it.
    mark: Option<&'a str>,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every page: those at the root, those below `tutorial`, and that of the client in Python.
pub(crate) fn pages() -> Vec<Page> {
    fn markdown(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let mut found: Vec<_> = entries.map(|e| folder.join(e.unwrap().file_name())).collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
        found
    }
    let folders = ["", "tutorial", "tutorial/reference", "clients/python"];
    let mut paths: Vec<_> = folders.iter().flat_map(|f| markdown(Path::new(f))).collect();
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    paths.iter().map(|path| Page::load(path.to_str().unwrap())).collect()
}

impl Page {
    pub(crate) fn load(path: &str) -> Page {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Page { path: path.to_string(), text }
    }

    /// # Panics
    /// If a block does not end.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let (mut blocks, mut before, mut at) = (Vec::new(), "", 0);
        let mut lines = (1..).zip(self.text.split_inclusive('\n'));
        while let Some((number, line)) = lines.next() {
            at += line.len();
            if let Some(language) = line.strip_prefix("```") {
                let place = format!("{}:{number}", self.path);
                let (start, language) = (at, language.trim_end());
                let end = loop {
                    let (_, line) = lines.next().unwrap_or_else(|| panic!("{place} has no end"));
                    at += line.len();
                    if line.trim_end() == "```" {
                        break at - line.len();
                    }
                };
                let mark = before.strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->"));
                let body = &self.text[start..end];
                blocks.push(Block { place, language, body, at: start, mark });
            }
            before = line.trim_end();
        }
        blocks
    }

    /// Returns the lines outside code blocks, each with its number.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut inside = false;
        let mut lines: Vec<_> = (1..).zip(self.text.lines()).collect();
        lines.retain(|(_, line)| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        lines
    }

    /// Returns the anchors of the headings, as forges and mdBook make them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let anchor = |heading: &str| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        let prose = self.prose();
        let headings = prose.iter().map(|(_, line)| *line).filter(|line| line.starts_with('#'));
        headings.map(anchor).collect()
    }
}

impl Block<'_> {
    /// Returns the name of a transcript.
    pub(crate) fn transcript(&self) -> Option<&str> {
        self.mark?.strip_prefix("transcript: ")
    }

    /// Returns the source that this is quoted from.
    pub(crate) fn quote(&self) -> Option<&str> {
        self.mark?.strip_prefix("quote: ")
    }

    /// Returns the item of an exercise that this solves.
    pub(crate) fn solution(&self) -> Option<&str> {
        self.mark?.strip_prefix("solution: ")
    }

    /// Returns what a command needs whose output this shows.
    pub(crate) fn replay(&self) -> Option<&str> {
        Some(self.mark?.strip_prefix("replay:")?.trim())
    }

    /// Returns whether this is a file of options of `telefile serve`.
    pub(crate) fn is_options(&self) -> bool {
        self.mark == Some("options")
    }

    /// Returns whether the page says why nothing runs this.
    pub(crate) fn is_not_run(&self) -> bool {
        self.mark
            .is_some_and(|mark| mark.strip_prefix("not run: ").is_some_and(|why| !why.is_empty()))
    }

    /// Returns whether this shows a session that is typed into `nc`.
    pub(crate) fn is_typed(&self) -> bool {
        self.language == "console" && self.body.contains("$ nc ")
    }

    /// Returns whether there are lines that a transcript would send.
    pub(crate) fn has_requests(&self) -> bool {
        self.body.lines().any(|line| line.trim_start_matches(char::is_uppercase).starts_with("> "))
    }
}

#[test]
fn a_page_is_blocks_marks_and_headings() {
    let text = "# The `A` of B-c\n```sh\none\n# two\n```\n\n<!-- not run: never -->\n```\n> x\n```\n## D_e\n";
    let page = Page { path: "p.md".to_string(), text: text.to_string() };
    let [first, second] = &page.blocks()[..] else { panic!("two blocks") };
    assert_eq!((first.language, first.body, first.is_not_run()), ("sh", "one\n# two\n", false));
    assert_eq!((second.language, second.body, second.is_not_run()), ("", "> x\n", true));
    assert!(second.has_requests() && !first.has_requests() && second.place == "p.md:8");
    assert_eq!(page.anchors(), ["the-a-of-b-c", "d_e"]);
}
