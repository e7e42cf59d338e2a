//! File types as the table knows them: a name on the wire, and a way to create files.

use super::file::{Caller, ClientId, File};
use crate::contents::Contents;
use crate::name::{Name, NameRef};
use crate::refusal::Refusal;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A registered type: its name on the wire, and how its files are created. See
/// [`file_types!`](crate::file_types).
#[derive(Clone)]
pub struct FileType {
    pub(super) name: &'static str,
    pub(super) create: Arc<Create>,
}

/// Creates a file of a type.
pub(super) type Create = dyn Fn(&Name) -> Result<Box<dyn AnyFile>, Refusal> + Send + Sync;

/// A file of any type: the operations of a [`File`] without its context.
pub(super) trait AnyFile: Send {
    fn open(&mut self, by: ClientId) -> Result<(), Refusal>;
    fn read(&mut self, by: Caller) -> Result<Contents, Refusal>;
    fn write(&mut self, contents: Contents, by: Caller) -> Result<(), Refusal>;
    fn close(&mut self, by: ClientId);
    fn refresh(&mut self) -> bool;
    fn numbytes(&self) -> u64;
}

/// A file of type `T`, whose context had type `C`.
struct Of<T, C>(T, PhantomData<fn(C)>);

impl<T: File<C>, C> AnyFile for Of<T, C> {
    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        self.0.open(by)
    }

    fn read(&mut self, by: Caller) -> Result<Contents, Refusal> {
        self.0.read_by(by)
    }

    fn write(&mut self, contents: Contents, by: Caller) -> Result<(), Refusal> {
        self.0.write_by(contents, by)
    }

    fn close(&mut self, by: ClientId) {
        self.0.close(by);
    }

    fn refresh(&mut self) -> bool {
        self.0.refresh()
    }

    fn numbytes(&self) -> u64 {
        self.0.numbytes()
    }
}

impl FileType {
    /// Returns the type `T`, called `name`, whose files need no context.
    pub fn new<T: File>(name: &'static str) -> Self {
        FileType::with::<T, ()>(name, ())
    }

    /// Returns the type `T`, called `name`, whose files are created in this context.
    pub fn with<T: File<C>, C: Send + Sync + 'static>(name: &'static str, context: C) -> Self {
        let create = move |name: &Name| {
            let file = T::create(name, &context)?;
            Ok(Box::new(Of(file, PhantomData::<fn(C)>)) as Box<dyn AnyFile>)
        };
        FileType { name, create: Arc::new(create) }
    }

    /// Returns the last segment of a path: `Scores` of `board::Scores`.
    #[doc(hidden)]
    pub const fn base_name(path: &'static str) -> &'static str {
        let bytes = path.as_bytes();
        let mut at = bytes.len();
        while at > 0 && bytes[at - 1] != b':' && bytes[at - 1] != b' ' {
            at -= 1;
            assert!(bytes[at] != b'>', "name a type with parameters: \"name\" => Type<..>");
        }
        path.split_at(at).1
    }

    /// Returns the name on the wire.
    pub fn name(&self) -> &'static str {
        self.name
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

/// Lists file types, as a `Vec` of [`FileType`](crate::FileType), for
/// [`Builder::types`](crate::server::Builder::types) and `telefile::serve`.
///
/// The name of a type on the wire is the last segment of its path, or the literal before `=>`,
/// which a type with parameters needs. Two types of one name are refused when the server is bound.
/// A type whose files share a [context](crate::File#context) is followed by `with` and the value.
///
/// ```
/// # mod board {
/// #     use std::sync::{Arc, Mutex};
/// #     use telefile::{File, Name, Refusal};
/// #     #[derive(Clone, Default)]
/// #     pub struct Board(Arc<Mutex<Vec<u64>>>);
/// #     pub struct Scores;
/// #     impl File<Board> for Scores {
/// #         fn create(_: &Name, _: &Board) -> Result<Self, Refusal> { Ok(Scores) }
/// #     }
/// #     pub struct Names;
/// #     impl File for Names {
/// #         fn create(_: &Name, _: &()) -> Result<Self, Refusal> { Ok(Names) }
/// #     }
/// # }
/// # use board::Board;
/// let board = Board::default();
/// let types = telefile::file_types![
///     board::Names,
///     "players" => board::Names,
///     board::Scores with board.clone(),
///     "totals" => board::Scores with board,
/// ];
/// let names: Vec<_> = types.iter().map(|known| known.name()).collect();
/// assert_eq!(names, ["Names", "players", "Scores", "totals"]);
/// ```
///
/// A type that is listed without the context that it needs does not compile, nor with another one:
///
/// ```compile_fail,E0277
/// # use telefile::{File, Name, Refusal, file_types};
/// # struct Score;
/// impl File<String> for Score {
///     fn create(_: &Name, _: &String) -> Result<Self, Refusal> { Ok(Score) }
/// }
/// let types = file_types![Score];
/// ```
///
/// ```compile_fail,E0308
/// # use telefile::{File, Name, Refusal, file_types};
/// # struct Score;
/// # impl File<String> for Score {
/// #     fn create(_: &Name, _: &String) -> Result<Self, Refusal> { Ok(Score) }
/// # }
/// let types = file_types![Score with 7];
/// ```
#[macro_export]
macro_rules! file_types {
    // Moves one type after another from the list into the brackets.
    (@list [$($done:tt)*]) => { ::std::vec![$($done)*] };
    (@list [$($done:tt)*] $name:literal => $file:ty $(, $($rest:tt)*)?) => {
        $crate::file_types!(@new [$($done)*] [$name] [$file] $($($rest)*)?)
    };
    (@list [$($done:tt)*] $file:ty $(, $($rest:tt)*)?) => {
        $crate::file_types!(@new [$($done)*] [$crate::file_types!(@name $file)] [$file] $($($rest)*)?)
    };
    // What follows is no type alone: perhaps a type with a context.
    (@list [$($done:tt)*] $name:literal => $($rest:tt)+) => {
        $crate::file_types!(@with [$($done)*] [$name] [] $($rest)+)
    };
    (@list [$($done:tt)*] $($rest:tt)+) => {
        $crate::file_types!(@with [$($done)*] [] [] $($rest)+)
    };
    (@with [$($done:tt)*] [] [$($file:tt)+] with $($rest:tt)+) => {
        $crate::file_types!(
            @with [$($done)*] [$crate::file_types!(@name $($file)+)] [$($file)+] with $($rest)+
        )
    };
    (@with [$($done:tt)*] [$name:expr] [$($file:tt)+] with $context:expr $(, $($rest:tt)*)?) => {
        $crate::file_types!(
            @list [$($done)* $crate::FileType::with::<$($file)+, _>($name, $context),]
            $($($rest)*)?
        )
    };
    (@with $done:tt $name:tt [$($file:tt)*] $next:tt $($rest:tt)*) => {
        $crate::file_types!(@with $done $name [$($file)* $next] $($rest)*)
    };
    (@with $($rest:tt)*) => {
        ::core::compile_error!(
            "expected `Type` or `\"name\" => Type`, each perhaps followed by `with context`"
        )
    };
    (@new [$($done:tt)*] [$name:expr] [$file:ty] $($rest:tt)*) => {
        $crate::file_types!(
            @list [$($done)* $crate::FileType::new::<$file>($name),] $($rest)*
        )
    };
    (@name $($file:tt)+) => {
        const { $crate::FileType::base_name(::core::stringify!($($file)+)) }
    };
    ($($types:tt)*) => { $crate::file_types!(@list [] $($types)*) };
}
