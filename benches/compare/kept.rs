//! The scenarios of `--data`: small writes, each on disk before its reply.
//!
//! On the disk for which the goals were set, a writer that appends and syncs does 6.6 k/s, and 32
//! of them do 49 k/s; the goals for telefile are 3 k/s and 30 k/s. On other disks the goals are the
//! same shares of what such writers do, measured in turn with it.

use crate::load::Mix;
use crate::peer::Peer::{Append, Etcd, Kept, RedisKept, Telefile};
use crate::report::Table;
use crate::scenario::{FIFTY, Goal, Row, Scenario, thousands};

pub(crate) static KEPT: Table = Table {
    columns: &[&[Kept], &[Telefile], &[RedisKept], &[Etcd], &[Append]],
    ratios: &[
        ("in memory", &[Telefile]),
        ("redis", &[RedisKept]),
        ("etcd", &[Etcd]),
        ("append", &[Append]),
    ],
    is_on_disk: true,
    scenarios: &[
        ONE,
        Scenario { name: "data-one-pipeline", depth: 16, rows: ANY, ..ONE },
        Scenario { name: "data-one-name", keys: 1, rows: ANY, ..ONE },
        Scenario { name: "data-one-name-pipeline", keys: 1, depth: 16, rows: ANY, ..ONE },
        MANY,
        Scenario { name: "data-fifty-pipeline", depth: 16, rows: ANY, ..MANY },
        Scenario { name: "data-fifty-name", keys: 1, rows: ANY, ..MANY },
        Scenario { name: "data-fifty-name-pipeline", keys: 1, depth: 16, rows: ANY, ..MANY },
    ],
};

const ONE: Scenario = Scenario {
    name: "data-one",
    clients: 1,
    rows: &[thousands("k/s", &[of_append(3.0 / 6.6)])],
    ..MANY
};

const MANY: Scenario = Scenario {
    name: "data-fifty",
    mix: Mix { read: 0, write: 1, cas: 0 },
    peers: &[Kept, Telefile, RedisKept, Etcd, Append],
    rows: &[thousands("k/s", &[of_append(30.0 / 49.0)])],
    ..FIFTY
};

const ANY: &[Row] = &[thousands("k/s", &[])];

const fn of_append(factor: f64) -> Goal {
    Goal::OfBest(factor, "append", &[Append])
}
