//! The verbs of the command line, one file for each: its settings, which clap parses, and what it
//! does. The comment of the settings is the verb's help.

mod add;
#[cfg(feature = "durable")]
mod backup;
mod bench;
mod cas;
mod completions;
mod connect;
mod create;
mod delete;
mod hello;
mod hold;
mod list;
mod lock;
mod man;
mod open;
mod read;
#[cfg(feature = "durable")]
mod restore;
pub(super) mod serve;
mod stat;
mod stats;
#[cfg(feature = "sync")]
mod sync;
mod touch;
mod types;
mod update;
mod wait;
mod watch;
mod write;

use super::failure::Outcome;
use super::job;
use clap::{Command, Subcommand};

/// A verb and its settings, in the order of the help.
#[derive(Subcommand)]
pub(super) enum Verb {
    Serve(serve::Settings),
    Read(read::Settings),
    Write(write::Settings),
    Cas(cas::Settings),
    Add(add::Settings),
    Update(update::Settings),
    Create(create::Settings),
    Touch(touch::Settings),
    Delete(delete::Settings),
    Stat(stat::Settings),
    List(list::Settings),
    Wait(wait::Settings),
    Watch(watch::Settings),
    Lock(lock::Settings),
    Hold(hold::Settings),
    #[cfg(feature = "sync")]
    Sync(sync::Settings),
    Open(open::Settings),
    Hello(hello::Settings),
    Types(types::Settings),
    Stats(stats::Settings),
    Connect(connect::Settings),
    Bench(bench::Settings),
    #[cfg(feature = "durable")]
    Backup(backup::Settings),
    #[cfg(feature = "durable")]
    Restore(restore::Settings),
    Completions(completions::Settings),
    #[command(hide = true)]
    Man(man::Settings),
    /// Run beside the command of `lock`, `hold` or `update`; it has no other use
    #[command(name = job::WITNESS, hide = true)]
    LockWitness,
}

impl Verb {
    /// Returns whether it runs a command of the user's.
    pub(super) fn runs_a_command(&self) -> bool {
        matches!(self, Verb::Lock(_) | Verb::Hold(_) | Verb::Update(_) | Verb::LockWitness)
    }

    /// Does what it says. `tree` returns the tree of all commands.
    pub(super) fn run(self, tree: fn() -> Command) -> Outcome {
        match self {
            Verb::Serve(settings) => settings.run([]),
            Verb::Read(settings) => settings.run(),
            Verb::Write(settings) => settings.run(),
            Verb::Cas(settings) => settings.run(),
            Verb::Add(settings) => settings.run(),
            Verb::Update(settings) => settings.run(),
            Verb::Create(settings) => settings.run(),
            Verb::Touch(settings) => settings.run(),
            Verb::Delete(settings) => settings.run(),
            Verb::Stat(settings) => settings.run(),
            Verb::List(settings) => settings.run(),
            Verb::Wait(settings) => settings.run(),
            Verb::Watch(settings) => settings.run(),
            Verb::Lock(settings) => settings.run(),
            Verb::Hold(settings) => settings.run(),
            #[cfg(feature = "sync")]
            Verb::Sync(settings) => settings.run(),
            Verb::Open(settings) => settings.run(),
            Verb::Hello(settings) => settings.run(),
            Verb::Types(settings) => settings.run(),
            Verb::Stats(settings) => settings.run(),
            Verb::Connect(settings) => settings.run(),
            Verb::Bench(settings) => settings.run(),
            #[cfg(feature = "durable")]
            Verb::Backup(settings) => settings.run(),
            #[cfg(feature = "durable")]
            Verb::Restore(settings) => settings.run(),
            Verb::Completions(settings) => settings.run(&tree()),
            Verb::Man(settings) => settings.run(tree()),
            Verb::LockWitness => job::witness(),
        }
    }
}
