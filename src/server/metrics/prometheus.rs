//! The lines of `stats` in Prometheus's text format, version 0.0.4.
//!
//! The lines may come from any server: what is no whole number is left out, and so are lines that
//! this version does not know.

use super::families::{FAMILIES, Samples};
use std::collections::HashSet;
use std::fmt::Write;

/// The value of `Content-Type` for this text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the metrics in these lines. A family without lines is left out.
pub(crate) fn text(lines: &[(String, String)]) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        let (kind, samples) = samples(family.name, &family.samples, lines);
        if !samples.is_empty() {
            let name = family.name;
            let _ = writeln!(text, "# HELP {name} {}", family.help);
            let _ = writeln!(text, "# TYPE {name} {kind}");
            text += &samples;
        }
    }
    text
}

/// Returns the type of a family, and its samples, one a line.
fn samples(name: &str, samples: &Samples, lines: &[(String, String)]) -> (&'static str, String) {
    let value = |wanted: &str| {
        let (_, value) = lines.iter().find(|(name, _)| name == wanted)?;
        value.parse::<u64>().ok()
    };
    let one = |value: Option<u64>| value.map(|v| format!("{name} {v}\n")).unwrap_or_default();
    match *samples {
        Samples::Counter(line) => ("counter", one(value(line))),
        Samples::Gauge(line) => ("gauge", one(value(line))),
        Samples::Limit(line) => ("gauge", one(value(line).filter(|value| *value > 0))),
        Samples::Counters { prefix, label, shown } => {
            let part = |line: &str| line.strip_prefix(prefix).map(shown);
            ("counter", labelled(name, label, lines, part))
        }
        Samples::CountersBySuffix { suffix, label } => {
            let part = |line: &str| line.strip_suffix(suffix).map(str::to_string);
            ("counter", labelled(name, label, lines, part))
        }
        Samples::Info(line) => {
            let found = lines.iter().find(|(name, _)| name == line);
            let sample =
                found.map(|(_, value)| format!("{name}{{{line}=\"{}\"}} 1\n", escaped(value)));
            ("gauge", sample.unwrap_or_default())
        }
        Samples::Histogram { prefix, divisor } => {
            let sum = value(&format!("{prefix}_sum"));
            let count = value(&format!("{prefix}_count"));
            let buckets = sum.zip(count).map(|(sum, count)| {
                histogram(name, f64::from(divisor), &bounds(prefix, lines), sum, count)
            });
            ("histogram", buckets.unwrap_or_default())
        }
    }
}

/// Returns a sample for each line of which `part` finds the value of the label.
fn labelled(
    name: &str,
    label: &str,
    lines: &[(String, String)],
    part: impl Fn(&str) -> Option<String>,
) -> String {
    let (mut text, mut seen) = (String::new(), HashSet::new());
    for (line, value) in lines {
        if let (Some(part), Ok(value)) = (part(line), value.parse::<u64>())
            && seen.insert(part.clone())
        {
            let _ = writeln!(text, "{name}{{{label}=\"{}\"}} {value}", escaped(&part));
        }
    }
    text
}

/// Returns the bounds of a histogram in ascending order, each with its count.
fn bounds(prefix: &str, lines: &[(String, String)]) -> Vec<(u64, u64)> {
    let mut bounds: Vec<(u64, u64)> = lines
        .iter()
        .filter_map(|(line, value)| {
            let bound = line.strip_prefix(prefix)?.strip_prefix("_le_")?;
            Some((bound.parse().ok()?, value.parse().ok()?))
        })
        .collect();
    bounds.sort_unstable();
    bounds.dedup_by_key(|(bound, _)| *bound);
    bounds
}

fn histogram(name: &str, divisor: f64, bounds: &[(u64, u64)], sum: u64, count: u64) -> String {
    let mut text = String::new();
    for (bound, up_to) in bounds {
        let bound = *bound as f64 / divisor;
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {up_to}");
    }
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum {}", sum as f64 / divisor);
    let _ = writeln!(text, "{name}_count {count}");
    text
}

/// Escapes the value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&str, &str)]) -> String {
        let lines = lines.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        text(&lines.collect::<Vec<_>>())
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let lines = [
            ("commit_microseconds_le_2500", "4"),
            ("commit_microseconds_le_100", "1"),
            ("commit_microseconds_sum", "1234567"),
            ("commit_microseconds_count", "5"),
        ];
        let name = "telefile_commit_duration_seconds";
        let expected = format!(
            "# HELP {name} Time from the start of a commit until its changes were visible.\n\
             # TYPE {name} histogram\n\
             {name}_bucket{{le=\"0.0001\"}} 1\n\
             {name}_bucket{{le=\"0.0025\"}} 4\n\
             {name}_bucket{{le=\"+Inf\"}} 5\n\
             {name}_sum 1.234567\n\
             {name}_count 5\n"
        );
        assert_eq!(of(&lines), expected);
    }

    #[test]
    fn labels_are_escaped_and_what_is_no_number_is_left_out() {
        let found = of(&[
            ("requests_read", "7"),
            ("requests_read", "8"),
            ("requests_a\"b\\c\nd", "1"),
            ("requests_write", "-1"),
            ("files", "many"),
            ("data_max", "0"),
            ("news", "9"),
            ("refusals_file_not_found", "2"),
            ("store", "\""),
        ]);
        let samples: Vec<_> = found.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "telefile_info{store=\"\\\"\"} 1",
            "telefile_requests_total{verb=\"read\"} 7",
            "telefile_requests_total{verb=\"a\\\"b\\\\c\\nd\"} 1",
            "telefile_refusals_total{error=\"ERR_FILE_NOT_FOUND\"} 2",
        ];
        assert_eq!(samples, expected);
        assert_eq!(of(&[]), "");
    }
}
