//! Whether what clients under load were answered can have happened, and what it shows of the faults.

use super::Servers;
use super::faults::Stage;
use super::history::{Answer, Event, Op, contradictions};
use super::load::{FILES, name};
use super::searched::{self, PREFIX};
use crate::server::{PATIENCE, eventually, eventually_within};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{Write, stderr};
use std::time::Duration;
use telefile::Exptime;
use telefile::client::{Error, Listed, Snapshot};

/// No answer takes longer, and no connection is silent for longer without one.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// What was seen in some rounds of faults.
#[derive(Default)]
pub(super) struct Report {
    rounds: usize,
    /// How long clients were without an answer each time: the median of them, and the longest.
    faults: BTreeMap<&'static str, Vec<(Duration, Duration)>>,
    requests: usize,
    unanswered: usize,
    slowest: Duration,
    /// How many versions were compared, of changes, reads and refusals.
    versions: usize,
    histories: usize,
    states: usize,
    /// The most that the search has met in one history.
    most_states: usize,
}

impl Stage {
    /// Ends the load, and checks everything that was recorded.
    #[track_caller]
    pub(super) fn check(self) -> Report {
        // The others are here until everybody is asked.
        let Stage { cluster: _cluster, servers, load, .. } = self;
        let servers = &servers;
        let mut recorded = load.end();
        let mut report = Report { rounds: 1, ..Report::default() };
        for (what, median, longest) in recorded.outages() {
            say(&format!("{what}: {median:.1?} without an answer, the longest {longest:.1?}"));
            report.faults.entry(what).or_default().push((median, longest));
        }
        let (slowest, then) = recorded.slowest();
        let mut asked = std::mem::take(&mut recorded.asked);
        (report.requests, report.unanswered) = recorded.count(&asked);
        report.slowest = slowest;
        expect_no_ends(servers);
        let files: BTreeSet<_> = recorded.events.iter().map(|event| event.file).collect();
        for n in 0..servers.count() {
            recorded.events.extend(finally(servers, n, &files));
            let listed = list(servers, n, PREFIX).expect("the server has just answered");
            asked.extend(searched::finally(&asked, &listed, n as u64));
        }
        let first = files.last().map_or(0, |last| last + 1);
        recorded.events.extend(searched::with_versions(&asked, first));
        let searched = searched::search(asked);
        report.versions = recorded.events.iter().filter(|e| e.answer != Answer::Lost).count();
        (report.histories, report.states) = (searched.histories, searched.states);
        report.most_states = searched.most_states;
        say(&format!("slowest {slowest:.1?} ({then})"));
        let logs = || (0..servers.count()).map(|n| servers.log(n)).collect::<String>();
        assert_eq!(recorded.wrong, Vec::<String>::new(), "{}", logs());
        assert_eq!(contradictions(&recorded.events), Vec::<String>::new(), "{}", logs());
        let unexplained = searched.unexplained;
        assert!(unexplained.is_empty(), "{}\n{}", unexplained.join("\n"), logs());
        assert!(slowest <= LONGEST_ANSWER, "{slowest:?} ({then}): {}", logs());
        assert!(report.requests > report.unanswered);
        report
    }
}

/// Waits until there is no file any more that ends with a time or with a connection: all have ended.
fn expect_no_ends(servers: &Servers) {
    let client = servers.client(0);
    let is_lasting =
        |file: Result<Listed, Error>| file.is_ok_and(|file| file.exptime == Exptime::Never);
    eventually("files end with their time and their connection", || {
        client.list(PREFIX).is_ok_and(|mut list| list.all(is_lasting))
    });
}

/// Returns the versions of the files whose names are this and a number.
fn list(servers: &Servers, n: usize, prefix: &str) -> Result<HashMap<usize, u64>, Error> {
    let number = |file: Listed| (file.name[prefix.len()..].parse().unwrap(), file.version.0);
    servers.client_of(n).list(prefix)?.map(|file| file.map(number)).collect()
}

/// Returns what one server says of these files after everything else.
fn finally(servers: &Servers, n: usize, files: &BTreeSet<usize>) -> Vec<Event> {
    let (mut listed, mut shared) = (HashMap::new(), Vec::new());
    eventually_within(PATIENCE, "the server answers", || {
        let client = servers.client_of(n);
        let read = (0..FILES).map(|file| client.read(&*name(file))).collect::<Result<Vec<_>, _>>();
        let (Ok(list), Ok(read)) = (list(servers, n, "load/"), read) else { return false };
        (listed, shared) = (list, read);
        true
    });
    let event =
        |file, answer| Event { start: u64::MAX - 1, end: u64::MAX, file, op: Op::Read, answer };
    let is_at = |file: &usize| event(*file, Answer::IsAt(listed.get(file).copied().unwrap_or(0)));
    let found = |(file, found): (usize, &Snapshot)| {
        let contents = String::from_utf8_lossy(&found.contents).parse().unwrap();
        event(file, Answer::Found(found.version.0, contents))
    };
    files.iter().map(is_at).chain(shared.iter().enumerate().map(found)).collect()
}

impl Report {
    pub(super) fn add(&mut self, other: Report) {
        self.rounds += other.rounds;
        for (what, times) in other.faults {
            self.faults.entry(what).or_default().extend(times);
        }
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.slowest = self.slowest.max(other.slowest);
        self.versions += other.versions;
        self.histories += other.histories;
        self.states += other.states;
        self.most_states = self.most_states.max(other.most_states);
    }

    pub(super) fn say(&self) {
        self.to_string().lines().for_each(say);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.faults.values().map(Vec::len).sum();
        writeln!(f, "{} rounds, {count} faults; times without an answer:", self.rounds)?;
        writeln!(
            f,
            "{:>5} {:>9} {:>9}  of each client the median, and the longest",
            "times", "median", "longest"
        )?;
        for (what, times) in &self.faults {
            let mut medians: Vec<_> = times.iter().map(|(median, _)| *median).collect();
            medians.sort_unstable();
            let median = medians[medians.len() / 2].as_secs_f64();
            let longest = times.iter().map(|(_, longest)| *longest).max().unwrap_or_default();
            let longest = longest.as_secs_f64();
            writeln!(f, "{:>5} {median:>7.1} s {longest:>7.1} s  {what}", times.len())?;
        }
        let Report { requests, unanswered, versions, histories, states, .. } = self;
        writeln!(f, "{requests} requests, {unanswered} without an answer")?;
        writeln!(f, "the slowest took {:.1?}", self.slowest)?;
        writeln!(f, "{versions} versions agree with the times")?;
        let most = self.most_states;
        writeln!(
            f,
            "{histories} histories have an order, found in {states} states, at most {most} each"
        )
    }
}

/// Prints a line past the capture of the harness.
pub(super) fn say(line: &str) {
    let _ = writeln!(stderr(), "etcd: {line}");
}
