//! How much disk and memory a store may use.

/// How much a [`Durable`](super::Durable) may use.
///
/// ```
/// use telefile::store::Options;
///
/// let options = Options { max_data: Some(10 << 30), ..Options::default() };
/// assert_eq!(options.cache_bytes, 32 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much the database and its log may take on disk, in bytes; a part of that is reserved for
    /// removals. A file that is already larger does not grow. `None`: as the disk allows.
    pub max_data: Option<u64>,
    /// How much of the database is kept in memory, in bytes. The system caches more of it while
    /// memory is free.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { max_data: None, cache_bytes: 32 << 20 }
    }
}
