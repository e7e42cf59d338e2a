//! `telefile watch --follow`: the files that exist, and then what becomes of them.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::Object;
use crate::cli::streams::put_some;
use crate::client::{Event, Follow};
use std::time::{Duration, Instant};

/// The longest pause between two attempts to connect again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How many bytes are printed at once: a list may have any number of lines.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Prints events until the deadline, or until stdout has no reader.
pub(super) fn follow(follow: Follow, deadline: Option<Instant>, json: bool) -> Outcome {
    let mut follow = follow.reconnect(LONGEST_PAUSE);
    let mut text = line(json, "table", Field::Epoch(&follow.client().epoch().to_string()));
    let mut is_stale = false;
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let event = follow.next_within(left.unwrap_or(Duration::MAX))?;
        let is_last = event.is_none() && left.is_some_and(|left| left.is_zero());
        let has_more = matches!(event, Some(Event::Put { .. } | Event::Deleted { .. }));
        match event {
            Some(Event::Put { name, version, numbytes, is_new, .. }) => {
                let word = if is_new { "join" } else { "put" };
                text += &line(json, word, Field::File(&name, version.0, Some(numbytes)));
            }
            Some(Event::Deleted { name, version }) => {
                text += &line(json, "leave", Field::File(&name, version.0, None));
            }
            Some(Event::Current(version)) => {
                is_stale = false;
                text += &line(json, "current", Field::Version(version.0));
            }
            Some(Event::OtherTable(epoch)) => {
                text += &line(json, "table", Field::Epoch(&epoch.to_string()));
            }
            Some(Event::Interrupted(e)) => {
                if !std::mem::replace(&mut is_stale, true) {
                    text += &line(json, "stale", Field::None);
                    Failure::failed(format!("{e}; trying again")).report();
                }
            }
            // What it leads to is printed as any other event.
            Some(Event::Compacted) | None => {}
        }
        // The files of a list, and the changes of a group, are printed together.
        if !has_more || text.len() > MAX_TEXT_BYTES {
            if !put_some(text.as_bytes())? {
                return Ok(());
            }
            text.clear();
        }
        if is_last {
            return Ok(());
        }
    }
}

/// What follows the first word of a line.
enum Field<'a> {
    None,
    Epoch(&'a str),
    Version(u64),
    /// Name, version and, if the file exists, numbytes.
    File(&'a str, u64, Option<u64>),
}

fn line(json: bool, word: &str, field: Field<'_>) -> String {
    let object = Object::new().text("event", word);
    match field {
        Field::None if json => object.line(),
        Field::None => format!("{word}\n"),
        Field::Epoch(epoch) if json => object.text("epoch", epoch).line(),
        Field::Epoch(epoch) => format!("{word} {epoch}\n"),
        Field::Version(version) if json => object.number("version", version).line(),
        Field::Version(version) => format!("{word} {version}\n"),
        Field::File(name, version, numbytes) if json => {
            let object = object.text("name", name).number("version", version);
            match numbytes {
                Some(numbytes) => object.number("numbytes", numbytes).line(),
                None => object.line(),
            }
        }
        Field::File(name, version, numbytes) => {
            format!("{word} {version} {} {name}\n", numbytes.unwrap_or(0))
        }
    }
}
