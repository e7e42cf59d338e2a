//! Chance that can be repeated: a seed is the whole state.

use std::fmt::Debug;
use std::time::SystemTime;

/// splitmix64
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Another one each time, or that of `TELEFILE_TEST_SEED`, which a failed test has printed.
    pub(crate) fn new() -> Random {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let chosen = std::env::var("TELEFILE_TEST_SEED").ok().and_then(|s| s.parse().ok());
        let seed = chosen.unwrap_or(now.as_nanos() as u64);
        println!("TELEFILE_TEST_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below<N>(&mut self, n: N) -> N
    where
        N: TryInto<u64, Error: Debug> + TryFrom<u64, Error: Debug>,
    {
        (self.next() % n.try_into().unwrap()).try_into().unwrap()
    }
}
