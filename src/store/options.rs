//! What a store may take of disk and memory.

/// What a [`Durable`](super::Durable) may take.
///
/// ```
/// use telefile::store::Options;
///
/// let options = Options { max_data: Some(10 << 30), ..Options::default() };
/// assert_eq!(options.cache_bytes, 64 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How large the file of the database may become, in bytes; a part of that is kept for
    /// removing. One that is larger already does not grow. `None`: as the disk allows.
    pub max_data: Option<u64>,
    /// How much of the database is kept in memory, in bytes. The system keeps more of it as far
    /// as memory is free.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { max_data: None, cache_bytes: 64 << 20 }
    }
}
