//! What the public types promise besides what they do: threads may share them, and a user can print,
//! clone and compare them where that makes sense.

use std::error::Error;
use std::fmt::Debug;
use telefile::client::recipes::{
    Barrier, Election, FairLock, FencingToken, Guard, Leader, Leadership, Lease, LeaseEvent,
    LeaseGuard, LeasedElection, Lock, Queue, Semaphore, Taken,
};
use telefile::client::{self, Answer, Answers, Change, Changes, Event, Follow, List, Listed};
use telefile::client::{OpenFile, Page, Pipeline, Snapshot, Stat, Target};
use telefile::net::{Address, Budget, BufferedStream, Incoming, Listener, Stream};
use telefile::server::{self, BindError, Handle, Running};
use telefile::store::{CommitError, Head, Life, Mutation, Row, RowContents};
use telefile::wire::{FileRef, Malformed, Reply, Request, Stem};
use telefile::{
    Caller, Client, ClientId, Clock, Contents, Epoch, Exptime, Fd, FileType, InvalidEpoch,
    InvalidName, InvalidToken, Limit, Name, NameRef, Refusal, Server, Token, Version, framework,
};

/// Checks that each type has these traits: the test is that this compiles.
macro_rules! are {
    ($($bound:path),+; $($type:ty),+ $(,)?) => {{
        fn is<T: ?Sized $(+ $bound)+>() {}
        $(is::<$type>();)+
    }};
}

#[test]
fn public_types_move_between_threads_and_can_be_shared() {
    are!(Send, Sync, Debug;
        Client, client::Builder, client::Error, OpenFile, Target<'_>, List, Follow, Event,
        Pipeline<'_>, Answers<'_>, Answer, Snapshot, Stat, Page, Listed, Changes, Change,
        Lock, Guard, Lease, LeaseGuard, LeaseEvent, FairLock, Semaphore, Election, Leader, Barrier,
        LeasedElection, Leadership, Queue, Taken, FencingToken,
        Server, server::Builder, Running, Handle, BindError, Clock, FileType, Caller, ClientId,
        Contents, Name, NameRef<'_>, InvalidName, Fd, FileRef<'_>, Stem<'_>, Version, Epoch,
        InvalidEpoch, Exptime, Refusal, Limit, Token, InvalidToken,
        Head, Life, Mutation, Row, RowContents, CommitError, dyn telefile::store::Store,
        Request<'_>, Reply<'_>, Malformed,
        Address, Stream, BufferedStream, Listener, Budget, Incoming,
        framework::Client, framework::ClientConfig, framework::Connection, framework::Message,
        framework::OwnedMessage, framework::Server, framework::EndReason, framework::ClientError,
        framework::SendError, framework::StartError, framework::StopError, framework::PopError,
    );
    #[cfg(feature = "durable")]
    are!(Send, Sync, Debug; telefile::store::Durable, telefile::store::Options,
        telefile::store::ReadOnly);
}

#[test]
fn values_are_cloned_and_compared_and_errors_are_errors() {
    are!(Clone, PartialEq, Eq;
        Answer, Snapshot, Stat, Page, Listed, Changes, Change, FencingToken, Caller, ClientId,
        Contents, Name, NameRef<'_>, InvalidName, Fd, FileRef<'_>, Version, Epoch, InvalidEpoch,
        Exptime, Refusal, Limit, InvalidToken, Head, Life, Address,
    );
    are!(std::hash::Hash; Name, NameRef<'_>, Fd, FileRef<'_>, Version, Epoch, Exptime, Address);
    are!(Clone; Client, client::Builder, server::Builder, Handle, Lock, Lease, FairLock, Semaphore,
        Election, LeasedElection, Barrier, Queue, Token, Clock, FileType, framework::Connection);
    are!(Error; client::Error, BindError, InvalidName, InvalidEpoch, InvalidToken, Refusal,
        CommitError, framework::ClientError, framework::SendError, framework::StartError,
        framework::StopError, framework::PopError);
    are!(Default; client::Builder, server::Builder, Contents, Version);
    are!(AsRef<[u8]>; Contents);
    are!(AsRef<str>; Name, NameRef<'_>);
}
