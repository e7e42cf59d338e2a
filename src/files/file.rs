//! Code files: what a file type implements.

use crate::contents::Contents;
use crate::name::{Fd, FileRef, Name};
use crate::refusal::Refusal;
use std::fmt;

/// Identifies a connection of a server. A server never reuses one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    pub(crate) const fn new(id: u64) -> Self {
        ClientId(id)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl Caller {
    /// Returns the caller of a request of this client about this file.
    pub(super) fn new(client: ClientId, file: FileRef<'_>) -> Self {
        let descriptor = match file {
            FileRef::Name(_) => None,
            FileRef::Descriptor(fd) => Some(fd),
        };
        Caller { client, descriptor }
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

/// Who calls an operation of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The client's connection.
    pub client: ClientId,
    /// The descriptor, if the request gives the file by one and not by its name.
    pub descriptor: Option<Fd>,
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
///     fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
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
/// # Context
///
/// Files that share something with each other, or with the rest of the program, get it from
/// their context: a value of type `Context` that is listed [`with`](crate::file_types) the type.
/// The server has one of it, and each [`create`](File::create) gets a reference. A type without a
/// context has `()`.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use telefile::{Contents, File, Name, Refusal, file_types};
///
/// /// Counts the reads of all files of this type.
/// struct Reads(Arc<AtomicU64>);
///
/// impl File<Arc<AtomicU64>> for Reads {
///     fn create(_name: &Name, reads: &Arc<AtomicU64>) -> Result<Self, Refusal> {
///         Ok(Reads(reads.clone()))
///     }
///     fn read(&mut self) -> Result<Contents, Refusal> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok("".into())
///     }
/// }
///
/// let reads = Arc::new(AtomicU64::new(0));
/// let types = file_types![Reads with reads.clone()];
/// let server = telefile::Server::builder().types(types);
/// # let _ = server;
/// println!("{} reads", reads.load(Ordering::Relaxed));
/// ```
///
/// # Refusals
///
/// An operation may refuse with [`Refusal::Denied`], [`Refusal::Limit`], [`Refusal::NotFound`] or
/// [`Refusal::Internal`]. A type may not give any other refusal; it becomes `Internal`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a file type with a context of type `{Context}`",
    label = "does not implement `File<{Context}>`",
    note = "`impl File for {Self}` has no context, and `impl File<C> for {Self}` is listed as \
            `{Self} with context`"
)]
pub trait File<Context = ()>: Send + 'static {
    /// Creates the file when its name is first opened. The name is not visible to other clients
    /// until this and the first [`open`](File::open) have succeeded.
    ///
    /// # Errors
    /// If it fails, there is no file, and the client gets the refusal.
    fn create(name: &Name, context: &Context) -> Result<Self, Refusal>
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

    /// Returns the whole contents, for a type that must know who reads. This is what the table
    /// calls; it calls [`read`](File::read) unless a type says otherwise.
    ///
    /// # Errors
    /// The client gets the refusal.
    fn read_by(&mut self, by: Caller) -> Result<Contents, Refusal> {
        let _ = by;
        self.read()
    }

    /// Replaces the contents, for a type that must know who writes. This is what the table calls;
    /// it calls [`write`](File::write) unless a type says otherwise.
    ///
    /// # Errors
    /// If it fails, the file counts as unchanged and keeps its version.
    fn write_by(&mut self, contents: Contents, by: Caller) -> Result<(), Refusal> {
        let _ = by;
        self.write(contents)
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
