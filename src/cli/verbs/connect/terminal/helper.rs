//! What helps while a request is typed: completion of commands, names and types, and a hint of the
//! fields that are missing.

use super::compose::usage;
use crate::client::{self, Client, Error};
use crate::wire::COMMANDS;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// The most names that are offered.
const MAX_NAMES: u64 = 200;

/// A key has to have its effect soon, or none.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The helper of a line editor.
pub(super) struct Assistant {
    /// How to connect for names, and where: the session's own connection is not used, so that it
    /// shows nothing that was not asked for.
    builder: client::Builder,
    address: String,
    client: RefCell<Option<Client>>,
    /// Whether a request is typed, and not contents.
    pub(super) is_request: Cell<bool>,
    /// Whether something is typed.
    pub(super) is_typed: Cell<bool>,
    has_colours: bool,
}

impl Assistant {
    pub(super) fn new(builder: client::Builder, address: &str) -> Self {
        Assistant {
            builder: builder.timeout(Some(TIMEOUT)),
            address: address.to_string(),
            client: RefCell::new(None),
            is_request: Cell::new(true),
            is_typed: Cell::new(false),
            has_colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// Asks the server; without an answer there is nothing to offer.
    fn ask<T: Default>(&self, ask: impl Fn(&Client) -> Result<T, Error>) -> T {
        // The connection of the last time may have been idle for too long.
        for _ in 0..2 {
            let client = match self.client.take() {
                Some(client) => client,
                None => match self.builder.clone().connect(&self.address) {
                    Ok(client) => client,
                    Err(_) => break,
                },
            };
            let asked = ask(&client);
            if !matches!(asked, Err(Error::Lost(_))) {
                self.client.replace(Some(client));
                return asked.unwrap_or_default();
            }
        }
        T::default()
    }

    /// Returns what the word after these could be.
    fn candidates(&self, before: &[&str], word: &str) -> Vec<String> {
        let Some(verb) = before.first() else {
            let verbs = COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next());
            return verbs.map(|verb| format!("{verb} ")).collect();
        };
        let field = usage(verb).and_then(|usage| usage.split(' ').nth(before.len()));
        match field.unwrap_or_default().trim_matches(['[', ']']) {
            "<file>" | "<name>" | "<prefix>" => {
                let page = self.ask(|client| Ok(client.list_page(word, MAX_NAMES, None)?.files));
                page.into_iter().map(|file| file.name).collect()
            }
            "<type>" => self.ask(Client::types),
            _ => Vec::new(),
        }
    }
}

impl Helper for Assistant {}

impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        if !self.is_request.get() {
            return Ok((pos, Vec::new()));
        }
        let start = line[..pos].rfind(' ').map_or(0, |at| at + 1);
        let word = &line[start..pos];
        let before: Vec<_> = line[..start].split(' ').filter(|field| !field.is_empty()).collect();
        let mut candidates = self.candidates(&before, word);
        candidates.retain(|candidate| candidate.starts_with(word));
        let pair = |text: String| Pair { display: text.trim_end().to_string(), replacement: text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// A hint that is shown, and never inserted.
pub(super) struct Fields(String);

impl Hint for Fields {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Fields;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Fields> {
        self.is_typed.set(!line.is_empty());
        if !self.is_request.get() || pos < line.len() {
            return None;
        }
        missing(line).map(Fields)
    }
}

/// Returns the fields that a line does not have yet.
fn missing(line: &str) -> Option<String> {
    let usage: Vec<_> = usage(line)?.split(' ').collect();
    let typed = line.split(' ').filter(|field| !field.is_empty()).count();
    let rest = usage.get(typed..).filter(|rest| !rest.is_empty())?.join(" ");
    Some(if line.ends_with(' ') { rest } else { format!(" {rest}") })
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        match self.has_colours {
            true => Cow::Owned(format!("\x1b[2m{hint}\x1b[m")),
            false => Cow::Borrowed(hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_what_is_missing() {
        for (line, expected) in [
            ("", None),
            ("rea", None),
            ("read", Some(" <file>")),
            ("read ", Some("<file>")),
            ("read f", None),
            ("write f ", Some("<numbytes> [<exptime>]")),
            ("write  f 6", Some(" [<exptime>]")),
            ("list ", Some("<prefix> [<limit> [<after>]]")),
            ("list a", Some(" [<limit> [<after>]]")),
            ("quit", None),
            ("read f x y z", None),
        ] {
            assert_eq!(missing(line).as_deref(), expected, "{line:?}");
        }
    }

    #[test]
    fn a_command_is_completed_without_a_server() {
        let assistant = Assistant::new(Client::builder(), "unix:/no/such");
        let mut found = assistant.candidates(&[], "");
        found.retain(|verb| verb.starts_with("st"));
        assert_eq!(found, ["stat ", "stats "]);
        assert!(assistant.candidates(&["read"], "").is_empty());
        assert!(assistant.candidates(&["write", "f"], "").is_empty());
        assert!(assistant.candidates(&["nothing"], "").is_empty());
    }
}
