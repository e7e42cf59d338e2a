//! The parts of the measurement. Each part takes one sample of its rows.

use crate::Bench;
use crate::client::{Client, FEW, FEW_FILES, FILES, file, wrong};
use crate::crowd::Crowd;
use crate::figures::{Figures, Goal, Times};
use crate::machine::{Pinned, processor_time};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Bench, &mut Figures) -> io::Result<()>,
}

pub(crate) const PARTS: &[Part] = &[
    Part { name: "write", measure: write },
    Part { name: "news", measure: news },
    Part { name: "idle", measure: idle },
    Part { name: "list", measure: list },
];

/// Before a single write, so that the machine is as idle as it gets.
const BREATH: Duration = Duration::from_millis(10);

/// Returns the prefix that a watcher watches, which is not that of the write.
type Elsewhere = fn(usize) -> String;

/// The number of lengths of prefixes that are watched at once; one name is longer than all.
const LENGTHS: usize = 200;

/// Writes one after the other, and many at once, beside watchers of other names.
fn write(bench: &Bench, figures: &mut Figures) -> io::Result<()> {
    const AT_ONCE: usize = 100;
    let (short, long) = (file(0), "x".repeat(LENGTHS + 20));
    let kinds: [(&str, &str, Option<Elsewhere>); 6] = [
        ("write, nobody watches", &short, None),
        ("write, another prefix is watched", &short, Some(|_| "other/prefix".to_string())),
        ("write, one of the same length", &short, Some(|_| "g/".to_string())),
        ("write, each watches another one", &short, Some(|i| format!("g{i:04}/"))),
        ("write of a long name, nobody watches", &long, None),
        (
            "write of a long name, 200 lengths",
            &long,
            Some(|i| format!("g{i:04}{}", "/".repeat(i % LENGTHS))),
        ),
    ];
    let _pinned = Pinned::with(bench.server.pid)?;
    let mut writer = Client::connect(bench.server.address)?;
    let (mut base, mut base_at_once) = (String::new(), String::new());
    for (what, name, elsewhere) in kinds {
        let watchers = if elsewhere.is_some() { bench.settings.watchers } else { 0 };
        let prefixes = (0..watchers).filter_map(|i| elsewhere.map(|prefix| prefix(i)));
        let mut crowd = Crowd::connect(bench.server.address, prefixes)?;
        crowd.watch(writer.rev()?)?;
        writer.await_watches(watchers)?;
        thread::sleep(BREATH);
        let (mut alone, mut at_once) = (Times::new(), Times::new());
        for _ in 0..bench.settings.writes {
            let start = Instant::now();
            writer.write(name)?;
            alone.add(start.elapsed());
        }
        for _ in 0..bench.settings.writes / 10 {
            let start = Instant::now();
            writer.write_all(&[name; AT_ONCE])?;
            at_once.add(start.elapsed() / AT_ONCE as u32);
        }
        let many = format!("{what}, {AT_ONCE} at once, each");
        if elsewhere.is_none() {
            (base, base_at_once) = (what.to_string(), many.clone());
        }
        let beside = |base: &String| elsewhere.map(|_| Goal::NoMoreThan(base.clone()));
        figures.add(what, "us", beside(&base), alone.us(0.5));
        figures.add(format!("{what}, p99"), "us", None, alone.us(0.99));
        figures.add(many, "us", beside(&base_at_once), at_once.us(0.5));
        drop(crowd);
        writer.await_watches(0)?;
    }
    Ok(())
}

/// Single writes, and how long their changes take to reach the watchers.
fn news(bench: &Bench, figures: &mut Figures) -> io::Result<()> {
    let (many, name) = (bench.settings.watchers, &file(0));
    notify(bench, figures, "one write, nobody watches", "", 0, name)?;
    notify(bench, figures, "one watches", name, 1, name)?;
    notify(bench, figures, "all watch its prefix", FILES, many, name)?;
    notify(bench, figures, "all watch its name", name, many, name)
}

/// Writes `name` repeatedly, with a pause before each, while `watchers` connections watch `prefix`.
fn notify(
    bench: &Bench,
    figures: &mut Figures,
    what: &str,
    prefix: &str,
    watchers: usize,
    name: &str,
) -> io::Result<()> {
    let (address, rounds) = (bench.server.address, bench.settings.rounds);
    let mut writer = Client::connect(address)?;
    let mut crowd = Crowd::connect(address, (0..watchers).map(|_| prefix.to_string()))?;
    crowd.watch(writer.rev()?)?;
    let mut write = Times::new();
    let (mut first, mut middle, mut last) = (Times::new(), Times::new(), Times::new());
    writer.await_watches(watchers)?;
    let before = processor_time(bench.server.pid)?;
    for _ in 0..rounds {
        writer.await_watches(watchers)?;
        thread::scope(|scope| {
            let hearing = scope.spawn(|| crowd.hear(name));
            thread::sleep(BREATH);
            let start = Instant::now();
            let version = writer.write(name)?;
            write.add(start.elapsed());
            let heard = hearing.join().map_err(|_| io::Error::other("a thread panicked"))??;
            if let (Some(earliest), Some(latest)) = (heard.at.first(), heard.at.last()) {
                first.add(*earliest - start);
                middle.add(heard.at[watchers / 2] - start);
                last.add(*latest - start);
            }
            match heard.version == version || watchers == 0 {
                true => Ok(()),
                false => Err(io::Error::other("the news is of another change")),
            }
        })?;
        crowd.watch(writer.rev()?)?;
    }
    writer.await_watches(watchers)?;
    let used = processor_time(bench.server.pid)?.saturating_sub(before);
    let done = (watchers > 1).then_some(Goal::AtMost(50.0));
    let goal = Some(Goal::AtMost(if watchers > 1 { 10_000.0 } else { 1000.0 }));
    figures.add(format!("{what}: the write"), "us", done, write.us(0.5));
    figures.add(format!("{what}: the write, p90"), "us", None, write.us(0.9));
    if watchers > 1 {
        figures.add(format!("{what}: the first has the news"), "us", None, first.us(0.5));
        figures.add(format!("{what}: half of them"), "us", None, middle.us(0.5));
    }
    if watchers > 0 {
        figures.add(format!("{what}: the last"), "us", goal, last.us(0.5));
        figures.add(format!("{what}: the last, p90"), "us", None, last.us(0.9));
        let of_all = format!("{what}: processor time, to watch again included");
        figures.add(of_all, "us", None, used.as_secs_f64() * 1e6 / rounds as f64);
    }
    drop(crowd);
    writer.await_watches(0)
}

/// What waiting watches cost while nothing changes.
fn idle(bench: &Bench, figures: &mut Figures) -> io::Result<()> {
    let watchers = bench.settings.watchers;
    let mut control = Client::connect(bench.server.address)?;
    let prefixes = (0..watchers).map(|_| FILES.to_string());
    let mut crowd = Crowd::connect(bench.server.address, prefixes)?;
    crowd.watch(control.rev()?)?;
    control.await_watches(watchers)?;
    thread::sleep(BREATH);
    let before = processor_time(bench.server.pid)?;
    thread::sleep(bench.settings.idle);
    let used = processor_time(bench.server.pid)?.saturating_sub(before);
    let share = used.as_secs_f64() / bench.settings.idle.as_secs_f64();
    figures.add("all wait", "% of a core", Some(Goal::AtMost(0.1)), share * 100.0);
    drop(crowd);
    control.await_watches(0)
}

/// Long replies, and how long another client waits for its own meanwhile.
fn list(bench: &Bench, figures: &mut Figures) -> io::Result<()> {
    const ALONE: Duration = Duration::from_millis(200);
    let files = bench.settings.files;
    let beside = "the longest that a reader waits";
    let (_, alone) = read_beside(bench, || {
        thread::sleep(ALONE);
        Ok(())
    })?;
    figures.add(format!("nothing else: {beside}"), "us", None, alone.max_us());
    let mut client = Client::connect(bench.server.address)?;
    for page in [10_000, 1000] {
        let what = format!("list of {files} by {page}");
        let start = Instant::now();
        let (listed, reader) = read_beside(bench, || client.list(FILES, page))?;
        figures.add(what.clone(), "ms", None, start.elapsed().as_secs_f64() * 1e3);
        figures.add(format!("{what}: {beside}"), "us", None, reader.max_us());
        if listed != files {
            return Err(wrong("all files", listed.to_string().as_bytes()));
        }
    }
    let what = format!("watch of {FEW_FILES} among {files}");
    let start = Instant::now();
    let (found, reader) = read_beside(bench, || client.look_back(FEW))?;
    figures.add(what.clone(), "ms", None, start.elapsed().as_secs_f64() * 1e3);
    figures.add(format!("{what}: {beside}"), "us", None, reader.max_us());
    if found != FEW_FILES {
        return Err(wrong("all changes", found.to_string().as_bytes()));
    }
    Ok(())
}

/// Does `work` while another client reads a file repeatedly.
fn read_beside<T>(bench: &Bench, work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, Times)> {
    let (name, over) = (&file(0), &AtomicBool::new(false));
    let mut reader = Client::connect(bench.server.address)?;
    reader.read(name)?;
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut times = Times::new();
            while !over.load(Relaxed) {
                let start = Instant::now();
                reader.read(name)?;
                times.add(start.elapsed());
            }
            io::Result::Ok(times)
        });
        let done = work();
        over.store(true, Relaxed);
        let times = reading.join().map_err(|_| io::Error::other("a thread panicked"))??;
        Ok((done?, times))
    })
}
