//! The scenarios, as a table: their loads, their servers, and the goals for telefile beside these.

use crate::load::Mix;
use crate::measure::Measured;
use crate::peer::Peer;
use crate::report::Table;

/// A load, and the servers under it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    pub(crate) clients: usize,
    pub(crate) depth: usize,
    pub(crate) size: usize,
    pub(crate) keys: usize,
    pub(crate) mix: Mix,
    /// Server and clients share one processor.
    pub(crate) pinned: bool,
    /// The first is the telefile under test.
    pub(crate) peers: &'static [Peer],
    /// What it shows.
    pub(crate) rows: &'static [Row],
}

#[derive(Clone, Copy)]
pub(crate) enum Engine {
    Threads,
    Epoll,
    Churn,
    Idle,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) unit: &'static str,
    /// The number of decimal digits.
    pub(crate) digits: usize,
    pub(crate) value: fn(&Measured) -> f64,
    /// More is better, so telefile's share of the best of the others is meaningful.
    pub(crate) is_rate: bool,
    pub(crate) goals: &'static [Goal],
}

/// What telefile's median is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least this share of the best of these servers.
    OfBest(f64, &'static str, &'static [Peer]),
    /// At most this, in the row's unit.
    AtMost(f64),
}

use Goal::{AtMost, OfBest};
use Peer::{Dedicated, MemcachedFour, MemcachedOne, Null, Redis, Telefile};

const MEMCACHED: &[Peer] = &[MemcachedOne, MemcachedFour];

const ALL: &[Peer] = &[Telefile, Null, MemcachedOne, MemcachedFour, Redis];
const ALL_DEDICATED: &[Peer] = &[Dedicated, Null, MemcachedOne, MemcachedFour, Redis];
/// A load that keeps no further threads of a server busy.
const ONE_OF_EACH: &[Peer] = &[Telefile, Null, MemcachedOne, Redis];

const MOSTLY_READS: Mix = Mix { read: 90, write: 10, cas: 0 };
const MIB: usize = 1 << 20;

/// 50 connections on 10,000 small values, without a goal.
pub(crate) const FIFTY: Scenario = Scenario {
    name: "fifty",
    engine: Engine::Threads,
    clients: 50,
    depth: 1,
    size: 100,
    keys: 10_000,
    mix: MOSTLY_READS,
    pinned: false,
    peers: ALL,
    rows: &[],
};

/// 8 connections on 64 large values.
const LARGE: Scenario = Scenario { clients: 8, size: MIB, keys: 64, ..FIFTY };

const fn of_null(factor: f64) -> Goal {
    OfBest(factor, "null", &[Null])
}

const fn of_memcached(factor: f64) -> Goal {
    OfBest(factor, "memcached", MEMCACHED)
}

const fn of_redis(factor: f64) -> Goal {
    OfBest(factor, "redis", &[Redis])
}

pub(crate) const fn thousands(unit: &'static str, goals: &'static [Goal]) -> Row {
    Row { unit, digits: 1, value: |m| m.per_second / 1e3, is_rate: true, goals }
}

const fn megabytes(goals: &'static [Goal]) -> Row {
    let value = |m: &Measured| m.per_second * MIB as f64 / 1e6;
    Row { unit: "MB/s", digits: 0, value, is_rate: true, goals }
}

pub(crate) static SCENARIOS: Table = Table {
    columns: &[&[Telefile, Dedicated], &[Null], &[MemcachedOne], &[MemcachedFour], &[Redis]],
    ratios: &[("null", &[Null]), ("memcached", MEMCACHED), ("redis", &[Redis])],
    scenarios: LOADS,
    is_on_disk: false,
};

const LOADS: &[Scenario] = &[
    Scenario {
        name: "one",
        clients: 1,
        pinned: true,
        peers: ONE_OF_EACH,
        rows: &[thousands("k/s", &[of_memcached(1.1), of_null(0.93)])],
        ..FIFTY
    },
    Scenario {
        rows: &[thousands(
            "k/s",
            &[OfBest(1.0, "the best peer", &[MemcachedOne, MemcachedFour, Redis]), of_null(0.95)],
        )],
        ..FIFTY
    },
    Scenario {
        name: "pipeline",
        depth: 16,
        rows: &[thousands("k/s", &[of_redis(1.3), of_null(0.85)])],
        ..FIFTY
    },
    Scenario {
        name: "epoll-fifty",
        engine: Engine::Epoll,
        peers: ALL_DEDICATED,
        rows: &[thousands("k/s", &[OfBest(0.9, "memcached -t 1", &[MemcachedOne])])],
        ..FIFTY
    },
    Scenario {
        name: "epoll-pipeline",
        engine: Engine::Epoll,
        depth: 16,
        peers: ALL_DEDICATED,
        rows: &[thousands("k/s", &[of_redis(1.1)])],
        ..FIFTY
    },
    Scenario {
        name: "fivehundred",
        clients: 500,
        rows: &[thousands("k/s", &[of_null(0.95)])],
        ..FIFTY
    },
    Scenario {
        name: "cas",
        keys: 1,
        mix: Mix { read: 0, write: 0, cas: 1 },
        rows: &[thousands("k attempts/s", &[of_null(0.9)])],
        ..FIFTY
    },
    Scenario {
        name: "large-read",
        mix: Mix { read: 1, write: 0, cas: 0 },
        rows: &[megabytes(&[of_memcached(1.0), of_null(0.93)])],
        ..LARGE
    },
    Scenario {
        name: "large-write",
        mix: Mix { read: 0, write: 1, cas: 0 },
        rows: &[megabytes(&[of_memcached(1.0), of_null(0.8)])],
        ..LARGE
    },
    Scenario {
        name: "churn",
        engine: Engine::Churn,
        rows: &[thousands("k connections/s", &[of_memcached(1.0)])],
        ..FIFTY
    },
    Scenario {
        name: "idle-10000",
        engine: Engine::Idle,
        clients: 10_000,
        // Otherwise a p50 depends on the processors that the scheduler chooses: 13 us or 50.
        pinned: true,
        peers: ONE_OF_EACH,
        rows: &[
            Row {
                unit: "resident KB each",
                digits: 1,
                value: |m| m.idle.resident_bytes_each / 1e3,
                is_rate: false,
                goals: &[AtMost(12.0)],
            },
            Row {
                unit: "p50 us without",
                digits: 1,
                value: |m| m.idle.p50_alone_us,
                is_rate: false,
                goals: &[],
            },
            Row {
                unit: "p50 with / without",
                digits: 2,
                value: |m| m.p50_us / m.idle.p50_alone_us,
                is_rate: false,
                // Unchanged: smaller differences are noise.
                goals: &[AtMost(1.08)],
            },
        ],
        ..FIFTY
    },
];
