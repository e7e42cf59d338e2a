//! Code on the pages that is quoted from the repository: the text of a block is the text of its source.

use super::rust_item;
use crate::documents::{Block, Page, root};
use std::fs;
use std::ops::Range;

/// What to do about a stale quote.
const BLESS: &str = "TUTORIAL_BLESS=1 cargo test --test it book::";

/// The longest block that a reader takes in at once.
pub(super) const MAX_LINES: usize = 25;

/// `PATH ITEM`, `PATH "first line" .. "last line"`, or `PATH ITEM "first line" .. "last line"`.
#[derive(Debug, PartialEq)]
pub(super) struct Quote<'a> {
    pub(super) path: &'a str,
    pub(super) item: &'a str,
    lines: Option<(&'a str, &'a str)>,
}

impl<'a> Quote<'a> {
    pub(super) fn parse(mark: &'a str) -> Result<Quote<'a>, String> {
        let (path, rest) = mark.split_once(' ').ok_or("say PATH and ITEM")?;
        let (item, lines) = rest.split_at(rest.find('"').unwrap_or(rest.len()));
        let lines = match lines {
            "" => None,
            lines => Some(pair(lines, " .. ").ok_or(r#"a part is "first line" .. "last line""#)?),
        };
        Ok(Quote { path, item: item.trim_end(), lines })
    }

    /// Returns the text that the source has now.
    pub(super) fn cut(&self, source: &str) -> Result<String, String> {
        let mut text = source;
        if !self.item.is_empty() {
            text = &source[rust_item::find(source, self.item)?];
        }
        if let Some((first, last)) = self.lines {
            text = &text[lines(text, first, last)?];
        }
        Ok(dedented(text))
    }
}

/// Returns the two parts of `"a" .. "b"`, as they are written.
pub(super) fn pair<'a>(text: &'a str, between: &str) -> Option<(&'a str, &'a str)> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    inside.split_once(&format!("\"{between}\""))
}

/// Returns the range of the first line that is `first`, trimmed, up to the next that is `last`.
fn lines(text: &str, first: &str, last: &str) -> Result<Range<usize>, String> {
    let is = |line: &str, wanted: &str| {
        line.trim() == wanted || line.trim() == wanted.replace("\\\"", "\"").replace("\\\\", "\\")
    };
    let (mut at, mut start) = (0, None);
    for line in text.split_inclusive('\n') {
        if start.is_none() && is(line, first) {
            start = Some(at);
        }
        at += line.len();
        if let Some(start) = start
            && is(line, last)
        {
            return Ok(start..at);
        }
    }
    match start {
        None => Err(format!("there is no line {first:?}")),
        Some(_) => Err(format!("there is no line {last:?} after {first:?}")),
    }
}

/// Removes the indentation that all lines have. The last line has an end.
fn dedented(text: &str) -> String {
    let full = text.lines().filter(|line| !line.trim().is_empty());
    let indent = full.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    text.lines()
        .map(|line| line.get(indent..).unwrap_or_default().trim_end().to_string() + "\n")
        .collect()
}

/// Returns what is wrong with the quotes of a page.
pub(super) fn check(page: &Page) -> Vec<String> {
    let mut bad = Vec::new();
    for block in page.blocks() {
        let place = &block.place;
        match quoted(&block) {
            None if block.language == "rust" && block.solution().is_none() => bad.push(format!(
                "{place}: this block has no source: put <!-- quote: PATH ITEM --> on the line before it"
            )),
            None => {}
            Some(Err(why)) => bad.push(format!("{place}: {why}")),
            Some(Ok(text)) if text != block.body => bad.push(format!(
                "{place}: the source has changed: read it, and run {BLESS} to paste it again:\n{text}"
            )),
            Some(Ok(_)) => {}
        }
    }
    bad
}

/// Returns what a quoting block has to be. It is never empty.
fn quoted(block: &Block<'_>) -> Option<Result<String, String>> {
    let mark = block.quote()?;
    let cut = || {
        let quote = Quote::parse(mark)?;
        let read = fs::read_to_string(root().join(quote.path));
        let source = read.map_err(|e| format!("{}: {e}", quote.path))?;
        quote.cut(&source).map_err(|why| format!("{}: {why}", quote.path))
    };
    Some(cut())
}

/// Pastes all quotes of a page again that have a source.
pub(super) fn blessed(page: &Page) -> String {
    let mut text = page.text.clone();
    for block in page.blocks().iter().rev() {
        if let Some(Ok(current)) = quoted(block) {
            text.replace_range(block.at..block.at + block.body.len(), &current);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "fn f() {\n    // A.\n    let a = \"x\\n\";\n\n    b();\n}\nfn g() {\n    b();\n}\n";

    fn cut(mark: &str) -> Result<String, String> {
        Quote::parse(mark)?.cut(SOURCE)
    }

    #[test]
    fn a_quote_is_an_item_or_lines_or_lines_of_an_item() {
        assert_eq!(cut("p fn g").unwrap(), "fn g() {\n    b();\n}\n");
        assert_eq!(cut(r#"p "// A." .. "b();""#).unwrap(), "// A.\nlet a = \"x\\n\";\n\nb();\n");
        assert_eq!(cut(r#"p fn g "b();" .. "b();""#).unwrap(), "b();\n");
        for line in [r#"let a = "x\n";"#, r#"let a = \"x\\n\";"#] {
            assert_eq!(
                cut(&format!("p \"{line}\" .. \"b();\"")).unwrap(),
                "let a = \"x\\n\";\n\nb();\n"
            );
        }
    }

    #[test]
    fn a_quote_of_nothing_is_an_error() {
        for mark in
            ["p", "p fn h", r#"p "a();" .. "b();""#, r#"p "b();" .. "c();""#, r#"p fn g "b();""#]
        {
            assert!(cut(mark).is_err(), "{mark}");
        }
    }

    #[test]
    fn planted_faults_are_found_and_pasted_again() {
        let item = "<!-- quote: tests/it/book/quotes.rs const MAX_LINES -->\n";
        let right = "pub(super) const MAX_LINES: usize = 25;\n";
        let page = |mark: &str, body: &str| Page {
            path: "p.md".to_string(),
            text: format!("# P\n{mark}```rust\n{body}```\nend\n"),
        };
        assert_eq!(check(&page(item, right)), [""; 0]);
        let stale = page(item, "const MAX_LINES: usize = 20;\nand more\n");
        assert!(
            check(&stale)[0].starts_with("p.md:3: the source has changed"),
            "{:?}",
            check(&stale)
        );
        assert_eq!(blessed(&stale), page(item, right).text);
        assert_eq!(check(&page(item, "")).len(), 1, "an empty quote");
        assert!(check(&page("", right))[0].starts_with("p.md:2: this block has no source"));
        let gone = page("<!-- quote: tests/it/book/quotes.rs const MIN_LINES -->\n", right);
        assert!(check(&gone)[0].contains("there is no \"const MIN_LINES\""), "{:?}", check(&gone));
        assert_eq!(blessed(&gone), gone.text);
        assert_eq!(check(&page("<!-- quote: no/such.rs fn f -->\n", right)).len(), 1);
    }
}
