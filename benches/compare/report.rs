//! Samples as text: a line of JSON for each, and the markdown table of the medians, their ratios
//! and the goals.

use crate::measure::Measured;
use crate::peer::Peer;
use crate::scenario::{Engine, Goal, Row, Scenario};

/// The scenarios, and how they are shown.
pub(crate) struct Table {
    /// The servers of each column, which has the name of the first; the first column is telefile's.
    pub(crate) columns: &'static [&'static [Peer]],
    /// Shown as shares of the best of these.
    pub(crate) ratios: &'static [(&'static str, &'static [Peer])],
    pub(crate) scenarios: &'static [Scenario],
    /// Whether the servers store files, so that the disk matters.
    pub(crate) is_on_disk: bool,
}

impl Table {
    pub(crate) fn head(&self) -> String {
        let columns = self.columns.iter().map(|column| format!(" {} |", column[0].name()));
        let ratios = self.ratios.iter().map(|(whose, _)| format!(" / {whose} |"));
        let names: String = columns.chain(ratios).collect();
        let lines = "--:|".repeat(self.columns.len() + self.ratios.len());
        format!("| scenario |{names} goal |\n|---|{lines}---|\n")
    }
}

/// All samples of one scenario.
pub(crate) struct Results<'a> {
    pub(crate) table: &'a Table,
    pub(crate) scenario: &'a Scenario,
    pub(crate) samples: Vec<(Peer, Measured)>,
}

pub(crate) fn json(scenario: &Scenario, peer: Peer, sample: &Measured) -> String {
    let mut fields = vec![
        ("per_s", sample.per_second),
        ("done_per_s", sample.done_per_second),
        ("p50_us", sample.p50_us),
        ("p99_us", sample.p99_us),
        ("seconds", sample.window.seconds),
        ("foreign_cpus", sample.window.foreign_cpus),
        ("stolen_cpus", sample.window.stolen_cpus),
    ];
    if matches!(scenario.engine, Engine::Idle) {
        fields.push(("p50_alone_us", sample.idle.p50_alone_us));
        fields.push(("resident_bytes_each", sample.idle.resident_bytes_each));
    }
    let fields = fields.iter().map(|(name, value)| format!("\"{name}\":{value:.3}"));
    let fields: Vec<_> = fields.collect();
    let (scenario, peer) = (scenario.name, peer.name());
    format!("{{\"scenario\":\"{scenario}\",\"server\":\"{peer}\",{}}}", fields.join(","))
}

impl Results<'_> {
    /// Returns the lines of the table below its [head](Table::head).
    pub(crate) fn lines(&self) -> String {
        self.scenario.rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &Row) -> String {
        let Row { unit, digits, .. } = *row;
        let dedicated = self.scenario.peers.contains(&Peer::Dedicated);
        let with = if dedicated { ", telefile --dedicated" } else { "" };
        let mut cells = vec![format!("{}, {unit}{with}", self.scenario.name)];
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_string(), |value| format!("{value:.digits$}"))
        };
        let Table { columns, ratios, .. } = *self.table;
        cells.extend(columns.iter().map(|column| shown(self.best(row, column), digits)));
        cells.extend(ratios.iter().map(|(_, peers)| shown(self.ratio(row, peers), 2)));
        let goals: Vec<_> = row.goals.iter().map(|goal| self.verdict(row, goal)).collect();
        cells.push(goals.join("; "));
        format!("| {} |\n", cells.join(" | "))
    }

    fn verdict(&self, row: &Row, goal: &Goal) -> String {
        let (goal, met) = match *goal {
            Goal::OfBest(factor, whose, peers) => {
                let met = self.ratio(row, peers).map(|ratio| ratio >= factor);
                (format!("at least {factor:.2} x {whose}"), met)
            }
            Goal::AtMost(most) => {
                let met = self.best(row, self.table.columns[0]).map(|value| value <= most);
                (format!("at most {most}"), met)
            }
        };
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        format!("{goal}: {verdict}")
    }

    /// Returns telefile's median as a share of the best median of the others.
    fn ratio(&self, row: &Row, peers: &[Peer]) -> Option<f64> {
        row.is_rate.then_some(())?;
        Some(self.best(row, self.table.columns[0])? / self.best(row, peers)?)
    }

    /// Returns the best median of those of `peers` that were measured.
    fn best(&self, row: &Row, peers: &[Peer]) -> Option<f64> {
        peers.iter().filter_map(|peer| self.median(row, *peer)).reduce(f64::max)
    }

    /// Returns the median of the undisturbed samples, or of all if there are none.
    fn median(&self, row: &Row, peer: Peer) -> Option<f64> {
        let of = |also_disturbed: bool| {
            let samples = self.samples.iter().filter(|(who, _)| *who == peer).map(|(_, s)| s);
            let samples = samples.filter(|s| also_disturbed || !s.window.is_disturbed());
            median(samples.map(row.value).collect())
        };
        of(false).or_else(|| of(true))
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}
