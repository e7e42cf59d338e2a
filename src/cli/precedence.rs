//! Which of two options that exclude each other counts: one of the command line comes before the
//! environment, and that before the file of --config. The other one is as if it were not set.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::ffi::OsString;

/// The members of etcd, and what only they have a use for.
const ETCD: &[&str] = &["urls", "advertise"];

/// The options of https endpoints.
const CERTIFICATES: &[&str] = &["ca", "cert", "key"];

/// Returns `tree` without the values of the environment, and of the file, that other values exclude.
/// What is wrong with the arguments is no error here.
pub(super) fn without_excluded(tree: Command, args: &[OsString]) -> Command {
    let Ok(matches) = tree.clone().try_get_matches_from(args) else { return tree };
    match matches.subcommand() {
        Some((verb, matches)) => {
            let excluded = excluded(matches);
            tree.mut_subcommand(verb, |command| without(command, &excluded))
        }
        None => without(tree, &excluded(&matches)),
    }
}

/// Returns the ids of the options that others exclude.
fn excluded(matches: &ArgMatches) -> Vec<&'static str> {
    let source = |id: &str| match matches.try_contains_id(id) {
        Ok(true) => matches.value_source(id),
        _ => None, // not given, or no option of this command
    };
    let below = |ids: &[&'static str], stronger: Option<ValueSource>| {
        let is_below = |id: &&str| source(id).is_some() && source(id) < stronger;
        ids.iter().copied().filter(is_below).collect::<Vec<_>>()
    };
    let in_folder = source("data").max(source("address")).max(folder(matches, &source));
    let in_etcd = source("urls");
    let mut excluded = match () {
        () if in_folder > in_etcd => below(ETCD, in_folder),
        () => below(&["data"], in_etcd),
    };
    let mut urls = matches.try_get_many::<String>("urls").ok().flatten().into_iter().flatten();
    if in_etcd.is_some() && !urls.any(|url| url.starts_with("https:")) {
        excluded.extend(below(CERTIFICATES, in_etcd));
    }
    excluded
}

/// Returns where the folder comes from that a table is copied from or to.
fn folder(
    matches: &ArgMatches,
    source: &impl Fn(&str) -> Option<ValueSource>,
) -> Option<ValueSource> {
    // `None` in all commands but `restore`. Only a debug build of clap has an error for an id that it does
    // not know.
    let new_epoch = matches.try_get_one::<bool>("new_epoch").ok().flatten();
    // The only operand of `restore` is a backup for etcd, unless there is nothing to restore.
    let has_folder = new_epoch.is_none_or(|new_epoch| *new_epoch || source("file").is_some());
    source("folder").filter(|_| has_folder)
}

fn without(command: Command, ids: &[&'static str]) -> Command {
    ids.iter().fold(command, |command, id| {
        command.mut_arg(id, |arg| arg.env(None).default_values([""; 0]))
    })
}
