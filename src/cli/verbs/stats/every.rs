//! A line of figures each interval: what is in use, and rates since the line before.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::Object;
use crate::cli::remote::Remote;
use crate::cli::streams::{end_when_unread, put_some};
use crate::client::{Client, Error};
use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

/// How many lines follow a header.
const SCREENFUL: usize = 20;

/// Prints a line each `pause`, until stdout has no reader.
///
/// # Errors
/// The first connection fails, or the server refuses a later one for good.
pub(super) fn print(remote: &Remote, pause: Duration, json: bool) -> Outcome {
    end_when_unread()?;
    let client = remote.connect(Client::builder())?;
    let mut before = Some(Sample::take(&client)?);
    let mut client = Some(client);
    let mut due = Instant::now();
    for lines in 0.. {
        if !json && lines % SCREENFUL == 0 && !put_some(header().as_bytes())? {
            return Ok(());
        }
        loop {
            due = (due + pause).max(Instant::now()); // behind a suspension, not many at once
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let now = sample(remote, &mut client)?;
            if let (Some(before), Some(now)) = (&before, &now) {
                let line = if json { object(before, now) } else { row(before, now) };
                if !put_some(line.as_bytes())? {
                    return Ok(());
                }
            }
            let is_printed = before.is_some() && now.is_some();
            before = now;
            if is_printed {
                break;
            }
        }
    }
    Ok(())
}

/// Asks the server, over a new connection if the last one was lost. Returns `None` if there is no
/// server, which stderr says once.
fn sample(remote: &Remote, client: &mut Option<Client>) -> Result<Option<Sample>, Failure> {
    let taken = match client {
        Some(client) => Sample::take(client),
        None => remote.builder(Client::builder())?.connect(&remote.place.address).and_then(|new| {
            let sample = Sample::take(&new)?;
            let age = sample.value("uptime_seconds").unwrap_or(0);
            report(format!("connected again, to a server that started {age} s ago"));
            *client = Some(new);
            Ok(sample)
        }),
    };
    match taken {
        Ok(sample) => Ok(Some(sample)),
        Err(e) if e.is_retryable() || matches!(e, Error::Lost(_)) => {
            if client.take().is_some() {
                report(format!("{e}; waiting for the server"));
            }
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

fn report(message: String) {
    Failure::failed(message).report();
}

/// The numbers among the lines of `stats`, and when they were asked for.
struct Sample {
    at: Instant,
    values: HashMap<String, u64>,
}

impl Sample {
    fn take(client: &Client) -> Result<Self, Error> {
        let stats = client.stats()?.into_iter();
        let numbers = stats.filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        Ok(Sample { values: numbers.collect(), at: Instant::now() })
    }

    fn value(&self, name: &str) -> Option<u64> {
        self.values.get(name).copied()
    }

    /// Returns the sum of the values with this prefix, if there are any.
    fn sum(&self, prefix: &str) -> Option<u64> {
        let values = self.values.iter().filter(|(name, _)| name.starts_with(prefix));
        values.map(|(_, value)| *value).reduce(u64::saturating_add)
    }
}

/// How a column shows its number.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Rate,
    Bytes,
    Millis,
}

/// A column: its header, its field in JSON, its unit, and its number. A server that does not say it
/// has none.
type Column = (&'static str, &'static str, Unit, fn(&Sample, &Sample) -> Option<f64>);

const COLUMNS: [Column; 10] = [
    ("clients", "connections", Unit::Count, |_, now| Some(now.value("connections")? as f64)),
    ("files", "files", Unit::Count, |_, now| Some(now.value("files")? as f64)),
    ("memory", "memory", Unit::Bytes, |_, now| Some(now.value("memory")? as f64)),
    ("req/s", "requests", Unit::Rate, |before, now| {
        rate(before, now, |sample| sample.sum("requests_"))
    }),
    ("err/s", "refusals", Unit::Rate, |before, now| {
        rate(before, now, |sample| sample.sum("refusals_"))
    }),
    ("in/s", "received_bytes", Unit::Bytes, |before, now| {
        rate(before, now, |sample| sample.value("received_bytes"))
    }),
    ("out/s", "sent_bytes", Unit::Bytes, |before, now| {
        rate(before, now, |sample| sample.value("sent_bytes"))
    }),
    ("wakes/s", "watches_woken", Unit::Rate, |before, now| {
        rate(before, now, |sample| sample.value("watches_woken"))
    }),
    ("commit/s", "commits", Unit::Rate, |before, now| {
        rate(before, now, |sample| sample.value("commit_microseconds_count"))
    }),
    ("ms", "commit_milliseconds", Unit::Millis, |before, now| {
        let grown = |name| Some(now.value(name)?.checked_sub(before.value(name)?)? as f64);
        let commits = grown("commit_microseconds_count").filter(|commits| *commits > 0.0)?;
        Some(grown("commit_microseconds_sum")? / commits / 1000.0)
    }),
];

/// Returns by how much a value has grown each second.
fn rate(before: &Sample, now: &Sample, value: fn(&Sample) -> Option<u64>) -> Option<f64> {
    let grown = value(now)?.checked_sub(value(before)?)?;
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    Some(grown as f64 / seconds.max(1e-9))
}

fn header() -> String {
    table(COLUMNS.iter().map(|(head, ..)| head.to_string()))
}

fn row(before: &Sample, now: &Sample) -> String {
    table(COLUMNS.iter().map(|(_, _, unit, number)| match number(before, now) {
        Some(number) => unit.shown(number),
        None => "-".to_string(),
    }))
}

fn table(cells: impl Iterator<Item = String>) -> String {
    let cells = cells.map(|cell| format!("{cell:>7}")).collect::<Vec<_>>();
    cells.join(" ") + "\n"
}

fn object(before: &Sample, now: &Sample) -> String {
    let add = |object: Object, (_, name, unit, number): &Column| match (number(before, now), unit) {
        (None, _) => object,
        (Some(number), Unit::Count) => object.number(name, number),
        (Some(number), _) => object.number(name, format!("{number:.3}")),
    };
    COLUMNS.iter().fold(Object::new(), add).line()
}

impl Unit {
    fn shown(self, number: f64) -> String {
        match self {
            Unit::Count => short(number, 1000.0),
            Unit::Rate if number < 100.0 => format!("{number:.1}"),
            Unit::Rate => short(number, 1000.0),
            Unit::Bytes => short(number, 1024.0),
            Unit::Millis => format!("{number:.2}"),
        }
    }
}

/// Returns a whole number of few digits, in a power of `kilo`.
fn short(mut number: f64, kilo: f64) -> String {
    let mut unit = "";
    for larger in ["K", "M", "G", "T"] {
        if number < 9999.5 {
            break;
        }
        number /= kilo;
        unit = larger;
    }
    format!("{number:.0}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_short() {
        for (number, unit, expected) in [
            (0.0, Unit::Rate, "0.0"),
            (99.94, Unit::Rate, "99.9"),
            (100.4, Unit::Rate, "100"),
            (12_345.0, Unit::Rate, "12K"),
            (9_999.4, Unit::Count, "9999"),
            (10_000_000.0, Unit::Count, "10M"),
            (10_240.0, Unit::Bytes, "10K"),
            (48.0 * 1024.0 * 1024.0 * 1024.0, Unit::Bytes, "48G"),
            (1.234, Unit::Millis, "1.23"),
        ] {
            assert_eq!(unit.shown(number), expected);
        }
    }

    fn sample(at: Instant, values: &[(&str, u64)]) -> Sample {
        let values = values.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        Sample { at, values }
    }

    #[test]
    fn rates_are_of_the_time_between_and_what_is_unknown_is_a_dash() {
        let begun = Instant::now();
        let before = [("requests_read", 100), ("requests_write", 1), ("sent_bytes", 1)];
        let before = sample(begun, &before);
        let now = [("requests_read", 300), ("requests_write", 3), ("sent_bytes", 0), ("files", 7)];
        let now = sample(begun + Duration::from_secs(4), &now);
        let cells = row(&before, &now);
        let cells: Vec<_> = cells.split_whitespace().collect();
        assert_eq!(cells, ["-", "7", "-", "50.5", "-", "-", "-", "-", "-", "-"]);
        assert_eq!(object(&before, &now), "{\"files\":7,\"requests\":50.500}\n");
        assert_eq!(header().split_whitespace().count(), cells.len());
    }
}
