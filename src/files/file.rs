//! Code files: what a file type implements, and how types are registered.

use crate::contents::Contents;
use crate::name::{Name, NameRef};
use crate::refusal::Refusal;
use std::fmt;

/// Identifies a connection of a server. A server never reuses one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    pub(crate) fn new(id: u64) -> Self {
        ClientId(id)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A file type, declared like a kernel module: a constructor and four operations.
///
/// Clients access a file by its name. The first `open` of a name creates the file, and every client
/// that opens it shares that one value. The value is dropped when the last client closes it or
/// loses its connection. So state that clients share is a field, a client's leftovers are cleaned
/// up in `close`, and the end of the file is `Drop`.
///
/// The table holds the file's lock during each operation: operations never overlap, and a slow one
/// delays only the clients of this file. The table handles versions, cas, expiry and descriptors.
/// An operation that panics is answered `ERR_INTERNAL`, except a close, which counts as done; the
/// file lives on.
///
/// A file that is deleted or expires loses its name and lives on for the clients that have it open.
/// A new file of that name can be created meanwhile, so two values of one name may exist at once.
/// State that a type keeps by name outside its values must allow for that.
///
/// A type that calls its own server, or two types that wait for each other, can deadlock.
///
/// ```
/// use telefile::{ClientId, Contents, File, Name, Refusal};
///
/// /// Shows how many clients have it open.
/// struct Audience(usize);
///
/// impl File for Audience {
///     fn create(_name: &Name) -> Result<Self, Refusal> {
///         Ok(Audience(0))
///     }
///     fn open(&mut self, _by: ClientId) -> Result<(), Refusal> {
///         self.0 += 1;
///         Ok(())
///     }
///     fn read(&mut self) -> Result<Contents, Refusal> {
///         Ok(format!("{}\n", self.0).into())
///     }
///     fn close(&mut self, _by: ClientId) {
///         self.0 -= 1;
///     }
/// }
///
/// let server = telefile::Server::builder().types(telefile::file_types![Audience]);
/// # let _ = server;
/// ```
///
/// An operation may refuse with [`Refusal::Denied`], [`Refusal::Limit`], [`Refusal::NotFound`] or
/// [`Refusal::Internal`]. A type may not give any other refusal; it becomes `Internal`.
pub trait File: Send + 'static {
    /// Creates the file when its name is first opened. The name is not visible to other clients
    /// until this and the first [`open`](File::open) have succeeded.
    ///
    /// # Errors
    /// If it fails, there is no file, and the client gets the refusal.
    fn create(name: &Name) -> Result<Self, Refusal>
    where
        Self: Sized;

    /// Called for each open, including the first.
    ///
    /// # Errors
    /// If it fails, the client has not opened the file, and no [`close`](File::close) follows.
    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        let _ = by;
        Ok(())
    }

    /// Returns the whole contents.
    ///
    /// # Errors
    /// The client gets the refusal.
    fn read(&mut self) -> Result<Contents, Refusal> {
        Err(Refusal::Denied)
    }

    /// Replaces the contents.
    ///
    /// # Errors
    /// If it fails, the file counts as unchanged and keeps its version.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let _ = contents;
        Err(Refusal::Denied)
    }

    /// Called exactly once for each close, and for each open that a lost connection leaves behind.
    fn close(&mut self, by: ClientId) {
        let _ = by;
    }

    /// Returns whether something outside this table has changed the file. Called before each read
    /// and write. If true, the file first takes a new version, so that a cas of the old one fails.
    fn refresh(&mut self) -> bool {
        false
    }

    /// Returns the size that `stat` shows, or 0 if it is not known without work. Called after each
    /// operation.
    fn numbytes(&self) -> u64 {
        0
    }
}

/// A registered type: its name on the wire, and how its files are created.
#[derive(Clone, Copy)]
pub struct FileType {
    pub(super) name: &'static str,
    pub(super) create: fn(&Name) -> Result<Box<dyn File>, Refusal>,
}

impl FileType {
    /// Returns the type `T`, called `name`. See [`file_types!`](crate::file_types).
    pub const fn new<T: File>(name: &'static str) -> Self {
        fn create<T: File>(name: &Name) -> Result<Box<dyn File>, Refusal> {
            Ok(Box::new(T::create(name)?))
        }
        FileType { name, create: create::<T> }
    }

    /// Returns the last segment of a path: `Scores` of `board::Scores`.
    #[doc(hidden)]
    pub const fn base_name(path: &'static str) -> &'static str {
        let bytes = path.as_bytes();
        let mut at = bytes.len();
        while at > 0 && bytes[at - 1] != b':' {
            at -= 1;
            assert!(bytes[at] != b'>', "name a type with parameters: \"name\" => Type<..>");
        }
        path.split_at(at).1
    }

    /// Returns whether the name is valid in a line of the protocol.
    pub(super) fn has_valid_name(&self) -> bool {
        NameRef::new(self.name).is_some() && self.name.len() <= MAX_NAME_BYTES
    }
}

const MAX_NAME_BYTES: usize = 64;

impl fmt::Debug for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileType({})", self.name)
    }
}

/// Lists file types: a `&'static [FileType]`, built at compile time.
///
/// The name of a type on the wire is the last segment of its path, or the literal before `=>`,
/// which a type with parameters needs. Two types of one name are refused when the server is bound.
///
/// ```
/// # mod board {
/// #     pub struct Scores;
/// #     impl telefile::File for Scores {
/// #         fn create(_: &telefile::Name) -> Result<Self, telefile::Refusal> { Ok(Scores) }
/// #     }
/// #     pub type Names = Scores;
/// # }
/// let types = telefile::file_types![board::Scores, "names" => board::Names];
/// assert_eq!(format!("{types:?}"), "[FileType(Scores), FileType(names)]");
/// ```
#[macro_export]
macro_rules! file_types {
    (@name $name:literal $file:ty) => { $name };
    (@name $file:ty) => { $crate::FileType::base_name(stringify!($file)) };
    ($($($name:literal =>)? $file:ty),* $(,)?) => {{
        const TYPES: &[$crate::FileType] =
            &[$($crate::FileType::new::<$file>($crate::file_types!(@name $($name)? $file))),*];
        TYPES
    }};
}
