//! What the clients of a run share: the keys, the value, the requests, and the share of each kind.

use crate::dialect::Dialect;
use crate::value::Value;

/// Values of this size and more are sent without a copy.
const MIN_DIRECT_BYTES: usize = 16 << 10;

/// Shares of reads, writes and cas.
#[derive(Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) read: u32,
    pub(crate) write: u32,
    pub(crate) cas: u32,
}

pub(crate) struct Load {
    pub(crate) dialect: Box<dyn Dialect>,
    pub(crate) keys: Vec<String>,
    pub(crate) value: Value,
    /// Requests in flight on each connection, sent as one batch.
    pub(crate) depth: usize,
    pub(crate) mix: Mix,
    /// Requests by key, prepared before the clock runs, so that no protocol costs the client more
    /// than another. Write requests contain the value, unless it is sent directly.
    pub(crate) reads: Vec<Vec<u8>>,
    pub(crate) writes: Vec<Vec<u8>>,
}

impl Load {
    pub(crate) fn new(
        dialect: Box<dyn Dialect>,
        keys: usize,
        size: usize,
        depth: usize,
        mix: Mix,
    ) -> Self {
        let keys: Vec<_> = (0..keys).map(|i| format!("k{i:08}")).collect();
        let value = Value::new(size);
        let request = |ask: &dyn Fn(&mut Vec<u8>, &str)| {
            let asked = keys.iter().map(|key| {
                let mut out = Vec::new();
                ask(&mut out, key);
                out
            });
            asked.collect()
        };
        let reads = request(&|out, key| dialect.read(out, key));
        let writes = request(&|out, key| {
            dialect.write(out, key, size);
            append_small(out, &*dialect, &value);
        });
        Load { dialect, keys, value, depth, mix, reads, writes }
    }

    /// Returns whether the value is not part of the requests, but sent after them.
    pub(crate) fn is_direct(&self) -> bool {
        self.value.bytes().len() >= MIN_DIRECT_BYTES
    }
}

/// Appends the value and the end of the request, unless they are sent directly.
pub(crate) fn append_small(out: &mut Vec<u8>, dialect: &dyn Dialect, value: &Value) {
    if value.bytes().len() < MIN_DIRECT_BYTES {
        dialect.append_value(out, value);
    }
}
