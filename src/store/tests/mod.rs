//! A store on a simulated disk, which fails, loses unsynced writes and fills up on request.

mod backup;
mod belongs;
mod compaction;
mod damage;
mod faults;
mod format;
mod full;
mod growth;
mod log;
pub(super) mod model;
mod older;
mod room;
mod sim;

use crate::store::durable::Durable;
use crate::store::log::Settings;
use crate::store::options::Options;
use crate::store::tree::engine::Engine;
use model::Model;
use sim::Sim;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const EPOCH: u64 = 0xbeef;

/// The number of the log.
const LOG: u64 = 0x1065;

/// Segments that are soon full, and no thread: the same operations each time.
const SETTINGS: Settings = Settings {
    segment_bytes: 32 << 10,
    full_bytes: 32 << 10,
    max_names: 64 << 10,
    has_checkpointer: false,
    is_read_only: false,
    reserve_bytes: 0,
    compact_from: u64::MAX,
};

/// Creates a store on a new disk.
fn fresh() -> (Sim, Durable) {
    let sim = Sim::new();
    Engine::create(Box::new(sim.clone()), Path::new("sim"), EPOCH, LOG).unwrap();
    let store = open(&sim).unwrap();
    (sim, store)
}

fn open(sim: &Sim) -> io::Result<Durable> {
    open_with(sim, Options::default())
}

fn open_with(sim: &Sim, options: Options) -> io::Result<Durable> {
    open_as(sim, options, SETTINGS)
}

fn open_as(sim: &Sim, options: Options, settings: Settings) -> io::Result<Durable> {
    let (database, files) = (sim.database(), Arc::new(sim.clone()));
    Durable::on(database, files, Path::new("sim"), options, settings)
}

/// Returns everything in the store.
fn found(store: &Durable) -> Model {
    Model::of(store).unwrap()
}
