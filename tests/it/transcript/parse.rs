//! A transcript's text as settings and steps.

use super::text::{self, Piece, Text};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) settings: Settings,
    pub(super) steps: Vec<Step>,
}

/// The lines with a `%`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) token: Option<String>,
    pub(super) max_contents: Option<u64>,
    pub(super) max_memory: Option<u64>,
    pub(super) connections: Option<u64>,
    pub(super) idle_timeout: Option<Duration>,
    /// Where the table is stored, if not where the run says.
    pub(super) store: Option<Store>,
    fresh: bool,
    not_pipelined: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Store {
    Memory,
    Durable,
    /// Where the run says, but in memory if that is etcd.
    Local,
}

impl Store {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "memory" => Ok(Store::Memory),
            "durable" => Ok(Store::Durable),
            "local" => Ok(Store::Local),
            _ => Err("memory, durable or local".to_string()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Step {
    /// Its line number, from 1, and the line.
    pub(super) line: usize,
    pub(super) source: String,
    pub(super) client: String,
    pub(super) action: Action,
}

#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// With a line end after it or not.
    Send(Text, bool),
    Expect(Text),
    Shut,
    Closed,
    Reset,
    Wait(Duration),
    /// Until `stats` shows this value.
    Until(String, u64),
}

impl Transcript {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut transcript = Transcript { settings: Settings::default(), steps: Vec::new() };
        for (line, source) in (1..).zip(text.lines()) {
            if source.is_empty() || source.starts_with('#') {
                continue;
            }
            let with_place = |e| format!("line {line}, {source:?}: {e}");
            match source.strip_prefix("% ") {
                Some(_) if !transcript.steps.is_empty() => {
                    return Err(with_place("a setting after a step".to_string()));
                }
                Some(setting) => transcript.settings.set(setting).map_err(with_place)?,
                None => {
                    let (client, action) = action(source).map_err(with_place)?;
                    transcript.steps.push(Step { line, source: source.into(), client, action });
                }
            }
        }
        if transcript.steps.is_empty() { Err("no steps".to_string()) } else { Ok(transcript) }
    }

    pub(super) fn moves_clock(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Wait(_)))
    }

    /// The steps in an order in which each client sends everything before it reads. `None` if that
    /// would be another exchange: clients take turns, or time passes in between.
    ///
    /// On a server that is not fresh no version is known before it has arrived.
    pub(super) fn pipelined(&self, fresh: bool) -> Option<Vec<&Step>> {
        let waits = |step: &Step| matches!(step.action, Action::Wait(_) | Action::Until(..));
        if self.settings.not_pipelined || self.steps.iter().any(waits) {
            return None;
        }
        let mut before = BTreeSet::new();
        let mut order = Vec::new();
        for turn in self.steps.chunk_by(|a, b| a.client == b.client) {
            if !before.insert(&turn[0].client) {
                return None;
            }
            let sends = |step: &&Step| matches!(step.action, Action::Send(..) | Action::Shut);
            order.extend(turn.iter().filter(sends));
            order.extend(turn.iter().filter(|step| !sends(step)));
        }
        let unknown = |step: &&Step| match &step.action {
            Action::Send(text, _) => text.iter().any(|piece| !matches!(piece, Piece::Bytes(_))),
            _ => false,
        };
        (fresh || !order.iter().any(unknown)).then_some(order)
    }

    /// The names in its requests that can be deleted.
    pub(super) fn names(&self) -> BTreeSet<Vec<u8>> {
        const VERBS: [&[u8]; 6] = [b"read", b"write", b"cas", b"delete", b"stat", b"touch"];
        const MAX_BYTES: usize = 499 - "delete ".len();
        let mut names = BTreeSet::new();
        for step in &self.steps {
            let Action::Send(text, _) = &step.action else { continue };
            let Some(Piece::Bytes(bytes)) = text.first() else { continue };
            for line in bytes.split(|b| *b == b'\n') {
                let mut fields = line.split(|b| *b == b' ').filter(|field| !field.is_empty());
                if fields.next().is_some_and(|verb| VERBS.contains(&verb))
                    && let Some(name) = fields.next()
                    && name.len() <= MAX_BYTES
                    && !name.iter().any(u8::is_ascii_control)
                {
                    names.insert(name.to_vec());
                }
            }
        }
        names
    }
}

impl Settings {
    /// What the transcript needs of a server that not every server has.
    pub(super) fn needs(&self) -> Option<String> {
        let limit = |name: &str, limit: Option<u64>| limit.map(|limit| format!("{name} {limit}"));
        let idle = self.idle_timeout.map(|time| format!("idle_timeout {}", time.as_secs_f64()));
        let token = self.token.as_ref().map(|_| "a token".to_string());
        let of_its_own =
            (self.fresh || self.store.is_some()).then(|| "a server of its own".to_string());
        token
            .or(limit("max_contents", self.max_contents))
            .or(limit("max_memory", self.max_memory))
            .or(limit("connections", self.connections))
            .or(idle)
            .or(of_its_own)
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
        let number = || value.parse().map(Some).map_err(|_| format!("{value:?} is not a number"));
        match name {
            "token" => self.token = Some(value.to_string()),
            "max_contents" => self.max_contents = number()?,
            "max_memory" => self.max_memory = number()?,
            "store" => self.store = Some(Store::parse(value)?),
            "connections" => self.connections = number()?,
            "idle_timeout" => {
                let seconds = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
                self.idle_timeout = Some(Duration::from_secs_f64(seconds));
            }
            "fresh" => self.fresh = true,
            "not_pipelined" => self.not_pipelined = true,
            _ => return Err("unknown setting".to_string()),
        }
        Ok(())
    }
}

fn action(source: &str) -> Result<(String, Action), String> {
    if let Some(seconds) = source.strip_prefix("T+ ") {
        let seconds = seconds.parse().map_err(|_| "no number of seconds")?;
        return Ok((String::new(), Action::Wait(Duration::from_secs_f64(seconds))));
    }
    if let Some(what) = source.strip_prefix("? ") {
        let (name, value) = what.split_once(' ').ok_or("of what, and how much?")?;
        let value = value.parse().map_err(|_| "no number")?;
        return Ok((String::new(), Action::Until(name.to_string(), value)));
    }
    let word = source.split(' ').next().unwrap_or(source);
    let client = word.trim_end_matches(['>', '<', '!']);
    if !client.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("no such step".to_string());
    }
    let text = source[word.len()..].strip_prefix(' ').unwrap_or("");
    let action = match &word[client.len()..] {
        ">" => Action::Send(text::parse(text)?, true),
        ">>" => Action::Send(text::parse(text)?, false),
        "<" => {
            let mut expected = text::parse(text)?;
            expected.push(Piece::Bytes(b"\r\n".to_vec()));
            Action::Expect(expected)
        }
        "<<" => Action::Expect(text::parse(text)?),
        "!" if text == "shut" => Action::Shut,
        "!" if text == "closed" => Action::Closed,
        "!" if text == "reset" => Action::Reset,
        _ => return Err("no such step".to_string()),
    };
    Ok((client.to_string(), action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_settings() {
        let text = "# rule\n% token t\n% fresh\nA> read f\nB>>  x\nB!  shut\n";
        assert!(Transcript::parse(text).unwrap_err().starts_with("line 6"));
        let text = text.replace("!  ", "! ") + "A< OK\nT+ 0.5\n? opens 2\nA! closed\n>\n";
        let transcript = Transcript::parse(&text).unwrap();
        assert_eq!(transcript.settings.token.as_deref(), Some("t"));
        assert_eq!(transcript.settings.needs().as_deref(), Some("a token"));
        assert!(transcript.moves_clock());
        let bytes = |b: &[u8]| Piece::Bytes(b.to_vec());
        let steps: Vec<_> = transcript.steps.iter().map(|s| (&s.client[..], &s.action)).collect();
        assert_eq!(
            steps,
            [
                ("A", &Action::Send(vec![bytes(b"read f")], true)),
                ("B", &Action::Send(vec![bytes(b" x")], false)),
                ("B", &Action::Shut),
                ("A", &Action::Expect(vec![bytes(b"OK"), bytes(b"\r\n")])),
                ("", &Action::Wait(Duration::from_millis(500))),
                ("", &Action::Until("opens".to_string(), 2)),
                ("A", &Action::Closed),
                ("", &Action::Send(vec![bytes(b"")], true)),
            ]
        );
        for bad in ["? opens\n", "? opens x\n", "B? opens 1\n", "B! reset now\n"] {
            assert!(Transcript::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "# only this\n", "read f\n", "> a\n% fresh\n", "% what\n> a\n", "< <\n"] {
            assert!(Transcript::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pipelined_where_each_client_has_one_turn() {
        let lines = |text: &str, fresh| {
            let transcript = Transcript::parse(text).unwrap();
            let order = transcript.pipelined(fresh)?;
            Some(order.iter().map(|step| step.line).collect::<Vec<_>>())
        };
        let text = "A> a\nA< b\nA> c\nA! shut\nA! closed\nB> d\nB< e\n";
        assert_eq!(lines(text, false), Some(vec![1, 3, 4, 2, 5, 6, 7]));
        assert_eq!(lines("A> a\nB> b\nA> c\n", true), None);
        assert_eq!(lines("> a\nT+ 1\n> c\n", true), None);
        assert_eq!(lines("> a\n? opens 1\n> c\n", true), None);
        assert_eq!(lines("% not_pipelined\n> a\n", true), None);
        let text = "> a\n< OK <v1>\n> cas f <v1>\n";
        assert_eq!((lines(text, true), lines(text, false)), (Some(vec![1, 3, 2]), None));
    }
}
