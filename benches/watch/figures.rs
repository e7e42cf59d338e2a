//! The results, as a table.

use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// The rows, in the order of their first samples.
#[derive(Default)]
pub(crate) struct Figures(Vec<Row>);

struct Row {
    what: String,
    unit: &'static str,
    goal: Option<Goal>,
    samples: Vec<f64>,
}

/// The goal for the median.
#[derive(Clone)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// At most that of another row. A difference below 8 % is noise.
    NoMoreThan(String),
}

const NOISE: f64 = 1.08;

impl Figures {
    /// Adds a sample to its row.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        goal: Option<Goal>,
        sample: f64,
    ) {
        let what = what.into();
        match self.0.iter_mut().find(|row| row.what == what) {
            Some(row) => row.samples.push(sample),
            None => self.0.push(Row { what, unit, goal, samples: vec![sample] }),
        }
    }

    fn verdict(&self, row: &Row) -> String {
        let (goal, is_met) = match &row.goal {
            None => return String::new(),
            Some(Goal::AtMost(most)) => (format!("at most {most}"), Some(row.median() <= *most)),
            Some(Goal::AtLeast(least)) => {
                (format!("at least {least}"), Some(row.median() >= *least))
            }
            Some(Goal::NoMoreThan(what)) => {
                let other = self.0.iter().find(|row| row.what == *what);
                let is_met = other.map(|other| row.median() <= other.median() * NOISE);
                (format!("no more than {what}"), is_met)
            }
        };
        match is_met {
            Some(true) => format!("{goal}: met"),
            Some(false) => format!("{goal}: **missed**"),
            None => format!("{goal}: not measured"),
        }
    }
}

impl Row {
    fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        (samples[samples.len() / 2] + samples[(samples.len() - 1) / 2]) / 2.0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | unit | median | least | most | goal |\n|---|---|--:|--:|--:|---|")?;
        for row in &self.0 {
            let Row { what, unit, samples, .. } = row;
            let least = samples.iter().copied().reduce(f64::min).unwrap_or_default();
            let most = samples.iter().copied().reduce(f64::max).unwrap_or_default();
            let [median, least, most] = [row.median(), least, most].map(short);
            let verdict = self.verdict(row);
            writeln!(f, "| {what} | {unit} | {median} | {least} | {most} | {verdict} |")?;
        }
        Ok(())
    }
}

/// Formats three significant digits.
fn short(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// Measured times of one kind.
pub(crate) struct Times(Histogram<u32>);

impl Times {
    pub(crate) fn new() -> Self {
        const MAX: Duration = Duration::from_secs(60);
        Times(Histogram::new_with_max(MAX.as_nanos() as u64, 3).expect("these bounds are valid"))
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.0.saturating_record(time.as_nanos() as u64);
    }

    pub(crate) fn us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }
}
