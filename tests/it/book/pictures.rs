//! The pictures: SVG that is written by hand, whose words are those of the chapter.

use super::chapters::Chapter;
use crate::documents::{Page, root};
use std::fs;

/// The chapters that need a picture, each with its file.
const PICTURES: [(usize, &str); 6] = [
    (2, "accept.svg"),
    (5, "segments.svg"),
    (9, "lock.svg"),
    (12, "descriptors.svg"),
    (14, "endings.svg"),
    (22, "histogram.svg"),
];

const MAX_LINES: usize = 120;
const WIDTH: &str = "width=\"720\"";

/// Returns what is wrong with the pictures of a chapter.
pub(super) fn check(chapter: &Chapter) -> Vec<String> {
    let mut bad = Vec::new();
    for (line, alt, path) in pictures(chapter) {
        let place = format!("{}:{line}", chapter.page.path);
        if alt.split_whitespace().count() < 5 || !alt.ends_with('.') {
            bad.push(format!("{place}: say in a sentence what {path} shows: ![Sentence.]({path})"));
        }
        match fs::read_to_string(root().join("tutorial").join(path)) {
            Err(e) => bad.push(format!("{place}: {path}: {e}")),
            Ok(svg) => {
                let found = check_svg(&svg, &words(chapter));
                bad.extend(found.into_iter().map(|why| format!("{place}: {path}: {why}")));
            }
        }
    }
    bad
}

/// Returns the names of the files in the folder of pictures.
pub(super) fn files() -> Vec<String> {
    let entries = fs::read_dir(root().join("tutorial/pictures")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Returns which picture is missing in its chapter, and which file no page shows.
pub(super) fn check_all(chapters: &[Chapter], files: &[String], pages: &[Page]) -> Vec<String> {
    let mut bad = Vec::new();
    for chapter in chapters {
        for (_, name) in PICTURES.iter().filter(|(number, _)| *number == chapter.number) {
            if !pictures(chapter).iter().any(|(.., path)| *path == format!("pictures/{name}")) {
                bad.push(format!("{}: it does not show pictures/{name}", chapter.page.path));
            }
        }
    }
    let is_shown =
        |name: &str| pages.iter().any(|page| page.text.contains(&format!("pictures/{name})")));
    let left = files.iter().filter(|name| !is_shown(name));
    bad.extend(left.map(|name| format!("tutorial/pictures/{name}: no page shows it")));
    bad
}

/// Returns the pictures of a chapter: line, description and path of each.
pub(super) fn pictures(chapter: &Chapter) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for (number, line) in chapter.prose() {
        for part in line.split("![").skip(1) {
            if let Some((alt, path)) = part.split(')').next().and_then(|part| part.split_once("]("))
            {
                found.push((number, alt, path));
            }
        }
    }
    found
}

/// Returns the words of a chapter without those of its pictures' descriptions, in one line.
fn words(chapter: &Chapter) -> String {
    let lines = chapter.page.text.lines().filter(|line| !line.starts_with("!["));
    spaced(&lines.collect::<Vec<_>>().join(" ").replace(['`', '*'], ""))
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

pub(super) fn check_svg(svg: &str, words: &str) -> Vec<String> {
    let mut bad = Vec::new();
    let lines = svg.lines().count();
    if lines > MAX_LINES {
        bad.push(format!("{lines} lines, more than {MAX_LINES}"));
    }
    if !svg.split('>').next().is_some_and(|tag| tag.contains(WIDTH)) {
        bad.push(format!("its first tag does not say {WIDTH}"));
    }
    if !svg.contains("prefers-color-scheme: dark") {
        bad.push("it has no colours for prefers-color-scheme: dark".to_string());
    }
    match texts(svg) {
        Ok(texts) if texts.iter().any(|(element, _)| element == "title") => {}
        Ok(_) => bad.push("it has no <title>".to_string()),
        Err(why) => bad.push(format!("it is not well-formed: {why}")),
    }
    for label in labels(svg).unwrap_or_default().iter().filter(|label| !words.contains(&label[..]))
    {
        bad.push(format!("the label {label:?} does not occur in the chapter's text"));
    }
    bad
}

/// Returns the words that are drawn.
pub(super) fn labels(svg: &str) -> Result<Vec<String>, String> {
    let mut texts = texts(svg)?;
    texts.retain(|(element, _)| ["text", "tspan"].contains(&&element[..]));
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

/// Returns the texts with the names of their elements.
fn texts(svg: &str) -> Result<Vec<(String, String)>, String> {
    let (mut open, mut texts, mut rest) = (Vec::<&str>::new(), Vec::new(), svg);
    while let Some((text, after)) = rest.split_once('<') {
        if let Some((name, text)) =
            open.last().zip(Some(unescaped(text)?)).filter(|(_, t)| !t.is_empty())
        {
            texts.push((name.to_string(), text));
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").ok_or("a comment does not end")?.1;
            continue;
        }
        let (tag, after) = after.split_once('>').ok_or("a tag does not end")?;
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        let (tag, is_empty) = (tag.trim_end_matches('/'), tag.ends_with('/'));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if let Some(name) = name.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        check_attributes(attributes).map_err(|why| format!("<{name}>: {why}"))?;
        if !is_empty {
            open.push(name);
        }
    }
    match open.last() {
        Some(name) => Err(format!("<{name}> is not closed")),
        None if rest.trim().is_empty() => Ok(texts),
        None => Err("text behind the end".to_string()),
    }
}

fn check_attributes(mut rest: &str) -> Result<(), String> {
    while !rest.trim().is_empty() {
        let (name, value) =
            rest.split_once("=\"").ok_or_else(|| format!("{rest:?} has no value"))?;
        if name.trim().contains(char::is_whitespace)
            || !name.starts_with(|c: char| c.is_whitespace() || c.is_alphabetic())
        {
            return Err(format!("{name:?} is no name"));
        }
        let (value, behind) =
            value.split_once('"').ok_or_else(|| format!("{name} does not end"))?;
        unescaped(value)?;
        rest = behind;
    }
    Ok(())
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = text.to_string();
    for (entity, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#160;", " ")]
    {
        plain = plain.replace(entity, c);
    }
    if plain.replace("&amp;", "").contains('&') {
        return Err(format!("{text:?} has an & that is not &amp;"));
    }
    Ok(spaced(&plain.replace("&amp;", "&")))
}

#[test]
fn planted_faults_of_pictures_are_found() {
    const RIGHT: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"9\">\n\
        <title>A tape</title>\n<style>@media (prefers-color-scheme: dark) { text { fill: red; } }</style>\n\
        <!-- <none> -->\n<text x=\"1\">the <tspan>tape</tspan></text>\n<text>a &lt; b</text>\n\
        <path d=\"M0\"/>\n</svg>\n";
    let words = "here is the tape, and a < b";
    assert_eq!(check_svg(RIGHT, words), [""; 0]);
    for (from, to, message) in [
        ("<text>a", "<text>c", "the label \"c < b\" does not occur"),
        ("the <", "a <", "the label \"a\" does not occur"),
        ("<title>A tape</title>", "", "no <title>"),
        ("720", "100%", "width=\"720\""),
        ("dark", "light", "prefers-color-scheme"),
        ("</tspan>", "", "</text> closes nothing"),
        ("</svg>", "", "<svg> is not closed"),
        ("&lt;", "&", "not &amp;"),
        ("x=\"1\"", "x=1", "has no value"),
        ("-->", "", "a comment does not end"),
        ("<path d=\"M0\"/>", &"\n".repeat(MAX_LINES), "lines, more than"),
    ] {
        let words = words.replace('a', if from == "the <" { "e" } else { "a" });
        let found = check_svg(&RIGHT.replace(from, to), &words);
        assert!(found.iter().any(|why| why.contains(message)), "{message}: {found:?}");
    }
}

#[test]
fn a_missing_picture_and_one_too_many_are_found() {
    let page = |text: &str| Page { path: "p.md".to_string(), text: text.to_string() };
    let check = |text: &str, file: &str| {
        check_all(&[Chapter { number: 5, page: page(text) }], &[file.to_string()], &[page(text)])
    };
    let shown = "![It is shown.](pictures/segments.svg)";
    assert_eq!(check(shown, "segments.svg"), [""; 0]);
    assert_eq!(check("", "segments.svg").len(), 2);
    assert_eq!(check(shown, "left.svg"), ["tutorial/pictures/left.svg: no page shows it"]);
}
