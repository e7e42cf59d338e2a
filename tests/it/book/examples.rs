//! The programs of the chapters: each chapter has a checkpoint and an exercise, short enough to be read
//! at once, and no program is left over.

use super::chapters::{Chapter, chapters};
use crate::documents::root;
use std::fs;
use std::ops::RangeInclusive;

/// Of a program, without empty lines and comments.
const LINES: RangeInclusive<usize> = 10..=60;

#[test]
fn every_chapter_has_a_checkpoint_and_an_exercise() {
    let entries = fs::read_dir(root().join("examples")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let read = |name: &str| fs::read_to_string(root().join("examples").join(name)).unwrap();
    let programs: Vec<_> =
        names.iter().filter_map(|name| Some((chapter_of(name)?, &name[..], read(name)))).collect();
    super::report(check(&programs, &chapters()));
}

/// Returns the number in `chNN_name.rs`.
fn chapter_of(name: &str) -> Option<usize> {
    let (number, _) = name.strip_suffix(".rs")?.strip_prefix("ch")?.split_once('_')?;
    number.parse().ok()
}

fn check(programs: &[(usize, &str, String)], chapters: &[Chapter]) -> Vec<String> {
    let mut bad = Vec::new();
    for (number, name, text) in programs {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = text.lines().filter(is_code).count();
        if !LINES.contains(&lines) {
            bad.push(format!("examples/{name}: {lines} lines of code, and not {LINES:?}"));
        }
        if !chapters.iter().any(|chapter| chapter.number == *number) {
            bad.push(format!("examples/{name}: there is no such chapter"));
        }
    }
    for Chapter { number, page } in chapters {
        let of_chapter = || programs.iter().filter(|(n, ..)| n == number).map(|(_, name, _)| *name);
        let exercises = of_chapter().filter(|name| name.ends_with("_exercise.rs")).count();
        if (exercises, of_chapter().count()) != (1, 2) {
            bad.push(format!("{}: it has a checkpoint and an exercise in examples/", page.path));
        }
        for name in of_chapter() {
            if !page.text.contains(name.trim_end_matches(".rs")) {
                bad.push(format!("{}: it does not mention examples/{name}", page.path));
            }
        }
    }
    bad
}

#[test]
fn planted_faults_of_programs_are_found() {
    use crate::documents::Page;
    let text = "Run ch05_tape, and then ch05_exercise.".to_string();
    let chapter = [Chapter { number: 5, page: Page { path: "p.md".to_string(), text } }];
    let program = |name: &'static str, lines: usize| {
        (
            chapter_of(name).unwrap(),
            name,
            "//! Head.\n\nf();\n".replace("f();\n", &"f();\n".repeat(lines)),
        )
    };
    let (tape, exercise) = (program("ch05_tape.rs", 10), program("ch05_exercise.rs", 60));
    assert_eq!(check(&[tape.clone(), exercise.clone()], &chapter), [""; 0]);
    for (programs, message) in [
        (vec![tape.clone()], "it has a checkpoint and an exercise"),
        (vec![exercise.clone()], "it has a checkpoint and an exercise"),
        (vec![tape.clone(), exercise.clone(), program("ch06_x.rs", 10)], "no such chapter"),
        (vec![tape.clone(), program("ch05_exercise.rs", 61)], "61 lines of code"),
        (vec![tape, program("ch05_exercise.rs", 9)], "9 lines of code"),
        (vec![program("ch05_line.rs", 10), exercise], "does not mention examples/ch05_line.rs"),
    ] {
        let found = check(&programs, &chapter);
        assert!(found.iter().any(|why| why.contains(message)), "{message}: {found:?}");
    }
    assert_eq!((chapter_of("chat.rs"), chapter_of("ch06_usual.py")), (None, None));
}
