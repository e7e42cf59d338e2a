//! The exercises, done in a copy of the sources: each solution solves its exercise, and each break
//! compiles and makes its test fail.

use super::chapters::{Chapter, chapters, only};
use super::quotes::pair;
use super::rust_item;
use super::scratch::Scratch;
use super::stubs::{failed, run};
use crate::documents::Page;
use std::fmt::Write;

/// `FILE "old" => "new" kills TEST`.
#[derive(Debug, PartialEq)]
struct Break<'a> {
    file: &'a str,
    old: String,
    new: String,
    test: Test<'a>,
}

#[derive(Debug, PartialEq)]
enum Test<'a> {
    /// A unit test of the library, by its path.
    Lib(&'a str),
    /// A checkpoint, which ends with another status than 0.
    Example(&'a str),
}

impl<'a> Break<'a> {
    fn parse(mark: &'a str) -> Option<Break<'a>> {
        let (file, rest) = mark.split_once(' ')?;
        let (edit, test) = rest.rsplit_once(" kills ")?;
        let (old, new) = pair(edit, " => ")?;
        let (kind, name) = test.split_once(' ')?;
        let test = match kind {
            "lib" => Test::Lib(name),
            "example" => Test::Example(name),
            _ => return None,
        };
        Some(Break { file, old: unescaped(old), new: unescaped(new), test })
    }

    fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.old).count() {
            1 => Ok(text.replacen(&self.old, &self.new, 1)),
            n => Err(format!("{:?} occurs {n} times in {}, and not once", self.old, self.file)),
        }
    }
}

/// Replaces `\n`, `\"` and `\\`.
fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some(c @ ('"' | '\\'))) => plain.push(*c),
            _ => {
                plain.push(c);
                continue;
            }
        }
        chars.next();
    }
    plain
}

#[test]
#[ignore = "builds the library for each break; a stage of tests/stages.sh"]
fn every_solution_solves_and_every_break_breaks() {
    let mut chapters = chapters();
    chapters.retain(|chapter| only().is_none_or(|only| chapter.number == only));
    let scratch = Scratch::new();
    let bad = [check_solutions(&scratch, &chapters), check_breaks(&scratch, &chapters)].concat();
    assert!(bad.is_empty(), "\n{}\n", bad.join("\n"));
}

fn check_solutions(scratch: &Scratch, chapters: &[Chapter]) -> Vec<String> {
    let mut bad = Vec::new();
    let mut build = vec!["build".to_string()];
    for Chapter { number, page } in chapters {
        let path = format!("examples/ch{number:02}_exercise.rs");
        let solved = scratch.read(&path).and_then(|stub| solve(page, &path, stub));
        match solved {
            Ok(solved) => {
                scratch.write(&path, &solved);
                build.extend(["--example".to_string(), format!("ch{number:02}_exercise")]);
            }
            Err(why) => bad.push(format!("{}: {why}", page.path)),
        }
    }
    if build.len() == 1 {
        return bad;
    }
    let built = scratch.cargo(&build.iter().map(|arg| &arg[..]).collect::<Vec<_>>());
    if !built.status.success() {
        bad.push(format!("a solution does not compile:\n{}", errors(&built.stderr)));
        return bad;
    }
    for Chapter { number, page } in chapters {
        let name = format!("ch{number:02}_exercise");
        let (ended, said) = run(scratch.example(&name));
        if !ended.is_some_and(|status| status.success()) {
            bad.push(format!("{}: its solution does not solve {name}: {said}", page.path));
        }
    }
    bad
}

/// Returns the exercise with the solutions of the page in place of its items.
fn solve(page: &Page, path: &str, mut text: String) -> Result<String, String> {
    let blocks = page.blocks();
    let solutions = blocks.iter().filter_map(|block| Some((block, block.solution()?)));
    let mut count = 0;
    for (block, mark) in solutions {
        let place = &block.place;
        let (file, item) = mark.split_once(' ').ok_or(format!("{place}: say FILE and ITEM"))?;
        if file != path {
            return Err(format!("{place}: the exercise of this chapter is {path}"));
        }
        let range =
            rust_item::find(&text, item).map_err(|why| format!("{place}: {path}: {why}"))?;
        let indent = text[range.clone()].len() - text[range.clone()].trim_start().len();
        let mut lines = String::new();
        for line in block.body.lines() {
            let indent = if line.is_empty() { 0 } else { indent };
            let _ = writeln!(lines, "{:indent$}{line}", "");
        }
        text.replace_range(range, lines.trim_end());
        count += 1;
    }
    if count == 0 { Err(format!("no <!-- solution: {path} ITEM -->")) } else { Ok(text) }
}

fn check_breaks(scratch: &Scratch, chapters: &[Chapter]) -> Vec<String> {
    let mut bad = Vec::new();
    for chapter in chapters {
        for (line, text) in chapter.page.prose() {
            let Some(mark) = text.strip_prefix("<!-- break: ") else { continue };
            let found = Break::parse(mark.trim_end_matches(" -->"));
            let checked = found.ok_or(r#"a break is FILE "old" => "new" kills TEST"#.to_string());
            if let Err(why) = checked.and_then(|found| check_break(scratch, &found)) {
                bad.push(format!("{}:{line}: {why}", chapter.page.path));
            }
        }
    }
    bad
}

fn check_break(scratch: &Scratch, found: &Break<'_>) -> Result<(), String> {
    let text = scratch.read(found.file)?;
    scratch.write(found.file, &found.apply(&text)?);
    let outcome = check_broken(scratch, &found.test);
    scratch.write(found.file, &text);
    outcome
}

fn check_broken(scratch: &Scratch, test: &Test<'_>) -> Result<(), String> {
    let build = match test {
        Test::Lib(_) => vec!["test", "--lib", "--no-run"],
        Test::Example(name) => vec!["build", "--example", name],
    };
    let built = scratch.cargo(&build);
    if !built.status.success() {
        return Err(format!("the broken program does not compile:\n{}", errors(&built.stderr)));
    }
    match test {
        Test::Lib(name) => {
            let output = scratch.cargo(&["test", "--lib", "--", "--exact", name]);
            let said = String::from_utf8_lossy(&output.stdout);
            match said.contains(&format!("test {name} ... FAILED")) {
                true => Ok(()),
                false => {
                    Err(format!("the broken library passes {name}, or has no such test:\n{said}"))
                }
            }
        }
        Test::Example(name) => match run(scratch.example(name)) {
            (Some(status), _) if failed(status) => Ok(()),
            (Some(_), said) => Err(format!("{name} still succeeds when it is broken:\n{said}")),
            (None, _) => Err(format!("{name} neither fails nor ends when it is broken")),
        },
    }
}

fn errors(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let at = text.find("error").unwrap_or(0);
    text[at..].to_string()
}

#[test]
fn a_break_is_an_edit_and_the_test_that_it_kills() {
    let found = Break::parse(r#"src/a.rs "x == \"\\n\"\n" => "y" kills lib a::tests::b"#).unwrap();
    assert_eq!((found.file, &found.old[..], &found.new[..]), ("src/a.rs", "x == \"\\n\"\n", "y"));
    assert_eq!(found.test, Test::Lib("a::tests::b"));
    assert_eq!(found.apply("if x == \"\\n\"\n").unwrap(), "if y");
    for text in ["", "x == \"\\n\"\nx == \"\\n\"\n"] {
        assert!(found.apply(text).is_err(), "{text:?}");
    }
    for mark in [
        r#"src/a.rs "x" => "y""#,
        r#"src/a.rs "x" "y" kills lib a"#,
        r#"src/a.rs x => y kills lib a"#,
        r#"src/a.rs "x" => "y" kills test a"#,
    ] {
        assert_eq!(Break::parse(mark), None, "{mark}");
    }
}

/// A copy with planted exercises, one of each kind that has to be found.
#[test]
#[ignore = "builds a copy of the library; a stage of tests/stages.sh"]
fn planted_faults_of_exercises_are_found() {
    const STUB: &str =
        "//! Planted.\nfn two() -> u8 {\n    1\n}\n\nfn main() {\n    assert_eq!(two(), 2);\n}\n";
    let scratch = Scratch::new();
    scratch.write("examples/ch99_exercise.rs", STUB);
    scratch.write("examples/ch99_planted.rs", &STUB.replace('1', "2"));
    let chapter = |text: &str| {
        let page = Page { path: "p.md".to_string(), text: text.to_string() };
        [Chapter { number: 99, page }]
    };
    let solution = |code: &str| {
        let mark = "<!-- solution: examples/ch99_exercise.rs fn two -->";
        let bad = check_solutions(&scratch, &chapter(&format!("{mark}\n```rust\n{code}\n```\n")));
        scratch.write("examples/ch99_exercise.rs", STUB);
        bad
    };
    assert_eq!(solution("fn two() -> u8 {\n    2\n}"), [""; 0]);
    assert!(solution("fn two() -> u8 {\n    3\n}")[0].contains("does not solve ch99_exercise"));
    assert!(solution("fn two() -> u8 {\n}")[0].contains("does not compile"));
    assert!(check_solutions(&scratch, &chapter(""))[0].contains("no <!-- solution: "));
    let breaking = |edit: &str| {
        let mark =
            format!("<!-- break: examples/ch99_planted.rs {edit} kills example ch99_planted -->\n");
        check_breaks(&scratch, &chapter(&mark))
    };
    assert_eq!(breaking(r#""    2\n" => "    3\n""#), [""; 0]);
    for (edit, message) in [
        (r#""two() -> u8" => "two() -> u8 "#, "a break is FILE"),
        (r#""two() -> u8" => "two()  -> u8""#, "ch99_planted still succeeds"),
        (r#""    2\n" => "    \"2\"\n""#, "does not compile"),
        (r#""2" => "3""#, "occurs 2 times"),
    ] {
        let bad = breaking(edit);
        assert!(
            bad.len() == 1 && bad[0].starts_with("p.md:1: ") && bad[0].contains(message),
            "{bad:?}"
        );
    }
    let unknown = "<!-- break: examples/ch99_planted.rs \"    2\\n\" => \"    3\\n\" kills lib no::such -->\n";
    assert!(check_breaks(&scratch, &chapter(unknown))[0].contains("has no such test"));
}
