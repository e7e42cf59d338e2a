//! Files that are code: what a type has to say, and how types are registered.

use crate::contents::Contents;
use crate::name::{Name, NameRef};
use crate::refusal::Refusal;
use std::fmt;

/// Tells the connections of a server apart. Never used twice by one server.
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
/// Clients reach a file by its name. The first `open` of a name makes the file, every client that
/// opens it shares that one value, and when the last of them has closed it, or its connection was
/// lost, the value is dropped. So state that clients share is a field, what a client leaves behind
/// is tidied up in `close`, and the end of the file is `Drop`.
///
/// The table holds this file's lock around each operation: they never overlap, and a slow one
/// holds up only the clients of this file. Versions, cas, expiry and descriptors are the table's
/// business. An operation that panics is answered `ERR_INTERNAL`, but for a close, which counts as
/// done; the file goes on.
///
/// A file that is deleted, or expires, loses its name and lives on for those who have it open. A
/// new file of the name can be made meanwhile, so two values of one name may live at once: what a
/// type keeps by name outside its values has to bear that.
///
/// A type that speaks to its own server, or two types that wait for each other, can deadlock.
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
/// [`Refusal::Internal`]; any other refusal is not a type's to give, and becomes `Internal`.
pub trait File: Send + 'static {
    /// Makes the file when its name is first opened. Nobody else sees the name until this and the
    /// first [`open`](File::open) have succeeded.
    ///
    /// # Errors
    /// Then there is no file, and the client gets the refusal.
    fn create(name: &Name) -> Result<Self, Refusal>
    where
        Self: Sized;

    /// Each open, the first included.
    ///
    /// # Errors
    /// Then the client has not opened it, and there will be no [`close`](File::close) for it.
    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        let _ = by;
        Ok(())
    }

    /// The whole contents.
    ///
    /// # Errors
    /// The client gets the refusal.
    fn read(&mut self) -> Result<Contents, Refusal> {
        Err(Refusal::Denied)
    }

    /// Takes new contents.
    ///
    /// # Errors
    /// Then the file counts as unchanged: it keeps its version.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let _ = contents;
        Err(Refusal::Denied)
    }

    /// Each close, and each open that a lost connection leaves behind, exactly once.
    fn close(&mut self, by: ClientId) {
        let _ = by;
    }

    /// Looks whether something beside this table has changed the file; asked before each read and
    /// write. With true the file takes a new version first, so that a cas of the old one fails.
    fn refresh(&mut self) -> bool {
        false
    }

    /// The size that `stat` shows, asked after each operation. 0 where none is known without work.
    fn numbytes(&self) -> u64 {
        0
    }
}

/// A registered type: its name on the wire, and how its files are made.
#[derive(Clone, Copy)]
pub struct FileType {
    pub(super) name: &'static str,
    pub(super) create: fn(&Name) -> Result<Box<dyn File>, Refusal>,
}

impl FileType {
    /// The type `T`, called `name`. See [`file_types!`](crate::file_types).
    pub const fn new<T: File>(name: &'static str) -> Self {
        fn create<T: File>(name: &Name) -> Result<Box<dyn File>, Refusal> {
            Ok(Box::new(T::create(name)?))
        }
        FileType { name, create: create::<T> }
    }

    /// The last part of a path: `Scores` of `board::Scores`.
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

    /// Whether the name can stand in a line.
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

/// Lists file types: a `&'static [FileType]`, made when the program is compiled.
///
/// Each is called on the wire by the last part of its path, or as is written before `=>`, which a
/// type with parameters needs. Two of one name are refused when the server is bound.
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
