//! Prometheus's text format, version 0.0.4, read strictly: what a scraper may reject is a failure.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels = BTreeMap<String, String>;

/// A name with its help, its type and its samples.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: Kind,
    samples: Vec<(String, Labels, f64)>,
}

impl Family {
    /// The value of the one sample with these labels.
    #[track_caller]
    pub(crate) fn value(&self, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let labels: Labels = labels.collect();
        let found: Vec<_> = self.samples.iter().filter(|(_, its, _)| *its == labels).collect();
        assert_eq!(found.len(), 1, "{labels:?} in {self:?}");
        found[0].2
    }

    /// The value of this label of the first sample.
    #[cfg(feature = "etcd")]
    #[track_caller]
    pub(crate) fn label(&self, name: &str) -> String {
        self.samples[0].1[name].clone()
    }

    /// How many values a histogram has.
    #[cfg(feature = "durable")]
    #[track_caller]
    pub(crate) fn count(&self) -> f64 {
        let count = self.samples.iter().find(|(name, ..)| name.ends_with("_count"));
        count.expect("a histogram").2
    }
}

/// Reads a text. Panics if anything is not as it has to be.
#[track_caller]
pub(crate) fn parse(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
    let (mut families, mut lines) = (BTreeMap::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").expect(line).split_once(' ').expect(line);
        assert!(is_name(name) && !help.is_empty(), "{line}");
        let line = lines.next().expect("a type");
        let rest = line.strip_prefix(&format!("# TYPE {name} ")).expect(line);
        let kind = match rest {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            _ => panic!("{line}"),
        };
        assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{line}");
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (its_name, labels, value) = sample(line);
            let suffix = its_name.strip_prefix(name).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[_] =
                if kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix) && value >= 0.0, "{line}");
            samples.push((its_name, labels, value));
        }
        let distinct: BTreeSet<_> =
            samples.iter().map(|(name, labels, _)| (name, labels)).collect();
        assert!(!samples.is_empty() && distinct.len() == samples.len(), "{name}: {samples:?}");
        if kind == Kind::Histogram {
            check_histogram(name, &samples);
        }
        assert!(families.insert(name.to_string(), Family { kind, samples }).is_none(), "{name}");
    }
    assert!(!families.is_empty());
    families
}

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

/// Reads `name{label="value",...} number`.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_string(), value).is_none(), "{line}");
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix('}').expect(line);
                    break;
                }
            }
        }
    }
    let number = rest.strip_prefix(' ').expect(line);
    assert!(number.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{line}");
    (name.to_string(), labels, number.parse().expect(line))
}

/// Reads up to the closing quote. Returns the text, and what follows the quote.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next().expect(text) {
            '"' => return (value, chars.as_str()),
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some(c @ ('"' | '\\')) => c,
                _ => panic!("{text}"),
            }),
            c => value.push(c),
        }
    }
}

/// Buckets ascend and are cumulative, the last one is of all, and there are a sum and a count.
fn check_histogram(name: &str, samples: &[(String, Labels, f64)]) {
    let of = |suffix: &str| -> Vec<_> {
        let name = format!("{name}{suffix}");
        samples.iter().filter(|(its, ..)| *its == name).collect()
    };
    let buckets: Vec<(f64, f64)> = of("_bucket")
        .into_iter()
        .map(|(_, labels, value)| {
            assert_eq!(labels.len(), 1, "{name}");
            let bound = match &labels["le"][..] {
                "+Inf" => f64::INFINITY,
                number => number.parse().unwrap(),
            };
            (bound, *value)
        })
        .collect();
    assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1), "{name}");
    let last = buckets.last().expect(name);
    let (sums, counts) = (of("_sum"), of("_count"));
    assert!(sums.len() == 1 && counts.len() == 1, "{name}");
    assert_eq!(*last, (f64::INFINITY, counts[0].2), "{name}");
}

#[test]
fn what_a_scraper_rejects_is_found() {
    let good = "# HELP a_total b\n# TYPE a_total counter\na_total{x=\"\\\"\"} 1\na_total 2\n";
    assert_eq!(parse(good)["a_total"].value(&[("x", "\"")]), 1.0);
    for bad in [
        &good.replace("a_total 2", "a_total -2")[..],
        &good.replace("a_total 2", "a_total{x=\"\\\"\"} 2"),
        &good.replace("a_total 2", "b_total 2"),
        &good.replace(" counter", " gauge"),
        &good.replace("# HELP a_total b\n", ""),
        &good.repeat(2),
        good.trim_end(),
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
    ] {
        assert!(std::panic::catch_unwind(|| parse(bad)).is_err(), "{bad}");
    }
}
