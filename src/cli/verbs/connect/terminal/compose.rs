//! From lines that are typed to requests: each is checked before anything is sent.

use crate::wire::{COMMANDS, MAX_LINE_BYTES, Malformed, Request, is_blank};

/// What has been typed of a request.
#[derive(Default)]
pub(super) struct Composer {
    /// The line of a request whose contents are being typed.
    begun: Option<Begun>,
}

struct Begun {
    line: String,
    /// The contents so far, without the end of their last line.
    contents: String,
    /// How many bytes of contents the line announces.
    numbytes: u64,
    is_first: bool,
}

/// What to do after a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is blank.
    Nothing,
    /// A whole request.
    Send(String),
    /// Contents have to follow.
    More,
    /// It is no request, and this is why.
    Wrong(String),
}

impl Composer {
    /// Takes a line, without its end.
    pub(super) fn line(&mut self, line: &str) -> Step {
        if self.begun.is_some() {
            return self.contents(line);
        }
        if is_blank(line.as_bytes()) {
            return Step::Nothing;
        }
        if line.len() >= MAX_LINE_BYTES {
            let (len, max) = (line.len(), MAX_LINE_BYTES - 1);
            return Step::Wrong(format!("a line of {len} bytes, and the most are {max}"));
        }
        let why = match Request::parse(line.as_bytes()) {
            Ok(request) => match request.numbytes() {
                None => return Step::Send(format!("{line}\n")),
                Some(0) => return Step::Send(format!("{line}\n\n")),
                Some(numbytes) => {
                    let (line, contents) = (line.to_string(), String::new());
                    self.begun = Some(Begun { line, contents, numbytes, is_first: true });
                    return Step::More;
                }
            },
            Err(Malformed::InStep { why, .. } | Malformed::OutOfStep(why)) => why,
        };
        Step::Wrong(match usage(line) {
            Some(usage) => format!("{why}: {usage}"),
            None => format!("{why}; help lists all"),
        })
    }

    fn contents(&mut self, line: &str) -> Step {
        let Some(begun) = &mut self.begun else { return Step::Nothing };
        let numbytes = begun.numbytes;
        let end = if begun.is_first { "" } else { "\n" };
        let len = (begun.contents.len() + end.len() + line.len()) as u64;
        if len > numbytes {
            let more = len - numbytes;
            return Step::Wrong(format!(
                "{more} more than the {numbytes} bytes of contents; type this line again"
            ));
        }
        begun.contents.extend([end, line]);
        begun.is_first = false;
        if len < numbytes {
            return Step::More;
        }
        let request = format!("{}\n{}\n", begun.line, begun.contents);
        self.begun = None;
        Step::Send(request)
    }

    /// Returns how many bytes of contents are still to come; `None` between requests. The end of a
    /// line is one of them, unless it is the last.
    pub(super) fn left(&self) -> Option<u64> {
        let begun = self.begun.as_ref()?;
        let end = u64::from(!begun.is_first);
        Some(begun.numbytes.saturating_sub(begun.contents.len() as u64 + end))
    }

    /// Forgets the request that is begun. Returns whether there was one.
    pub(super) fn abandon(&mut self) -> bool {
        self.begun.take().is_some()
    }
}

/// Returns the syntax of the command that a line begins with.
pub(super) fn usage(line: &str) -> Option<&'static str> {
    let verb = line.split(' ').find(|field| !field.is_empty())?;
    let mut usages = COMMANDS.iter().map(|(usage, _)| *usage);
    usages.find(|usage| usage.split(' ').next() == Some(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Step) {
        let mut composer = Composer::default();
        let (last, before) = lines.split_last().unwrap();
        for line in before {
            assert_eq!(composer.line(line), Step::More, "{line:?}");
        }
        assert_eq!(composer.line(last), expected, "{lines:?}");
        if let Step::Send(_) = expected {
            assert_eq!(composer.left(), None);
        }
    }

    #[test]
    fn a_whole_request_is_sent() {
        let send = |text: &str| Step::Send(text.to_string());
        check(&["read f"], send("read f\n"));
        check(&["  read   f "], send("  read   f \n"));
        check(&["write f 0"], send("write f 0\n\n"));
        check(&["write f 2", "hi"], send("write f 2\nhi\n"));
        check(&["write f 3", "hi", ""], send("write f 3\nhi\n\n"));
        check(&["write f 1", "", ""], send("write f 1\n\n\n"));
        check(&["cas f 0 5 -1", "a", "", "bc"], send("cas f 0 5 -1\na\n\nbc\n"));
        check(&["create q/ 4", "\u{20ac}x"], send("create q/ 4\n\u{20ac}x\n"));
        check(&[" "], Step::Nothing);
    }

    #[test]
    fn a_mistake_is_not_sent() {
        for (line, word) in [
            ("reed f", "an unknown command; help lists all"),
            ("read", "too few fields: read <file>"),
            ("read a b", "too many fields: read <file>"),
            ("write f six", "numbytes is no number below 2^63: write <file> <numbytes>"),
            ("write f 6 soon", "exptime"),
            ("close 7", "not a descriptor: close @<fd>"),
            ("READ f", "an unknown command"),
            ("read\tf", "an unknown command"),
            (&"x".repeat(500), "a line of 500 bytes, and the most are 499"),
        ] {
            match Composer::default().line(line) {
                Step::Wrong(why) => assert!(why.contains(word), "{line}: {why}"),
                step => panic!("{line}: {step:?}"),
            }
        }
    }

    #[test]
    fn a_line_with_too_many_contents_is_typed_again() {
        let mut composer = Composer::default();
        assert_eq!(composer.line("write f 5"), Step::More);
        assert_eq!(composer.left(), Some(5));
        assert_eq!(composer.line("ab"), Step::More);
        assert_eq!(composer.left(), Some(2));
        let Step::Wrong(why) = composer.line("cde") else { panic!() };
        assert_eq!(why, "1 more than the 5 bytes of contents; type this line again");
        assert_eq!(composer.line("cd"), Step::Send("write f 5\nab\ncd\n".to_string()));
        assert_eq!(composer.line("write f 5"), Step::More);
        assert!(composer.abandon() && !composer.abandon());
        assert_eq!(composer.line("quit"), Step::Send("quit\n".to_string()));
    }
}
