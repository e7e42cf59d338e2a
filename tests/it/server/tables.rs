//! Where the servers of the tests have their tables: in memory, on disk or in etcd.

use std::env;
use std::path::Path;
use std::sync::LazyLock;
use telefile::net::Address;
use telefile::server::{Builder, Running};

#[cfg(not(all(feature = "etcd", feature = "cli")))]
use no_etcd as in_etcd;

#[cfg(all(feature = "etcd", feature = "cli"))]
use super::in_etcd;

/// The suite is run against each kind of table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tables {
    Memory,
    /// With TELEFILE_TEST_KEPT=1.
    Disk,
    /// With TELEFILE_TEST_ETCD=1: each server is the active one of a table of its own.
    Etcd,
    /// With TELEFILE_TEST_ETCD=standby: each server is a standby that relays to an active one.
    Standby,
}

/// A server with its table.
pub(crate) struct Started {
    server: Running,
    /// The active server, if that one is a standby.
    active: Option<Running>,
}

impl Tables {
    /// Returns the kind that the environment asks for.
    pub(crate) fn asked() -> Tables {
        static ASKED: LazyLock<Tables> = LazyLock::new(|| {
            let value = |name: &str| env::var(name).unwrap_or_default();
            let (kept, etcd) = (value("TELEFILE_TEST_KEPT"), value("TELEFILE_TEST_ETCD"));
            match (&*kept, &*etcd) {
                ("", "") => Tables::Memory,
                ("1", "") => Tables::Disk,
                ("", "1") => Tables::Etcd,
                ("", "standby") => Tables::Standby,
                _ => panic!(
                    "TELEFILE_TEST_KEPT={kept} TELEFILE_TEST_ETCD={etcd} is no kind of table"
                ),
            }
        });
        *ASKED
    }

    /// Returns the most bytes that a file has, unless a server is given less.
    pub(crate) fn max_contents(self) -> usize {
        if self.are_in_etcd() { 1 << 20 } else { 64 << 20 }
    }

    pub(crate) fn are_in_etcd(self) -> bool {
        matches!(self, Tables::Etcd | Tables::Standby)
    }

    /// Starts a server with a new table, which listens at these addresses too.
    pub(crate) fn start(self, builder: Builder, listen: [Address; 2], folder: &Path) -> Started {
        let listening = listen.into_iter().fold(builder.clone(), Builder::listen);
        let alone = |server| Started { server, active: None };
        match self {
            Tables::Memory => alone(spawn(listening)),
            Tables::Disk => alone(spawn(on_disk(listening, &folder.join("data")))),
            Tables::Etcd => alone(in_etcd::Table::new().start_active(listening)),
            Tables::Standby => {
                let table = in_etcd::Table::new();
                let active = table.start_active(builder.listen("127.0.0.1:0".parse().unwrap()));
                Started { server: spawn(table.of(listening)), active: Some(active) }
            }
        }
    }
}

impl Started {
    /// Returns the server that the test knows.
    pub(crate) fn server(&self) -> &Running {
        &self.server
    }

    /// Stops the active server of a standby.
    #[cfg(all(feature = "etcd", feature = "cli"))]
    pub(super) fn stop_active(&mut self) {
        self.active.take().expect("a standby").stop().expect("the server ends well");
    }

    pub(crate) fn stop(self) {
        for running in [Some(self.server), self.active].into_iter().flatten() {
            running.stop().expect("the server ends well");
        }
    }
}

pub(super) fn spawn(builder: Builder) -> Running {
    builder.bind().unwrap().spawn().unwrap()
}

#[cfg(feature = "durable")]
fn on_disk(builder: Builder, folder: &Path) -> Builder {
    builder.data(folder.to_path_buf())
}

#[cfg(not(feature = "durable"))]
fn on_disk(_: Builder, _: &Path) -> Builder {
    panic!("this build has no tables on disk")
}

#[cfg(not(all(feature = "etcd", feature = "cli")))]
mod no_etcd {
    use telefile::server::{Builder, Running};

    pub(super) struct Table;

    impl Table {
        pub(super) fn new() -> Self {
            panic!("tables in etcd need a build with the features etcd and cli")
        }

        pub(super) fn of(&self, builder: Builder) -> Builder {
            builder
        }

        pub(super) fn start_active(&self, builder: Builder) -> Running {
            super::spawn(builder)
        }
    }
}
