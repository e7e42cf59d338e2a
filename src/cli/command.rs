//! The command line as a whole: the tree of commands that clap parses, and its errors as failures.

use super::failure::{Failure, one_line, program};
use super::streams::put;
use super::verbs::Verb;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser};
use std::env;
use std::ffi::OsString;

/// Versioned files shared over a plain-text protocol
#[derive(Parser)]
#[command(
    name = "telefile",
    version,
    arg_required_else_help = false,
    after_help = "\
Exit status:
  0  done
  1  refused or failed; stderr says why
  2  wrong command line
  3  no connection to the server, or it was lost
  4  the server has another table than --epoch requires
`telefile lock` has exit statuses of its own: see `telefile lock --help`.

To try it, run `telefile serve`, and in another terminal `telnet localhost 8080`. Then type `help`."
)]
pub(super) struct Telefile {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Returns the tree of all commands of `T`: what help, errors, man pages and completions come from.
pub(super) fn tree<T: CommandFactory>() -> Command {
    with_common_rules(T::command())
}

/// Applies what holds for the arguments of every command.
fn with_common_rules(command: Command) -> Command {
    let adapt = |arg: Arg| {
        // A number below zero is a wrong value, and not an unknown flag.
        let arg =
            if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg };
        match arg.get_env().map(env::var_os) {
            // An empty variable counts as unset.
            Some(Some(value)) if value.is_empty() => arg.env(Resettable::Reset),
            // Help is the same for everybody.
            Some(_) => arg.hide_env_values(true),
            None => arg,
        }
    };
    command.mut_args(adapt).mut_subcommands(with_common_rules)
}

/// Parses the arguments, the first of which is the program. Returns nothing after `--help` and
/// `--version`, which it prints.
pub(super) fn parse<T: CommandFactory + FromArgMatches>(
    args: &[OsString],
) -> Result<Option<T>, Failure> {
    let mut tree = tree::<T>();
    let parsed = tree.try_get_matches_from_mut(args);
    match parsed.and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(e) if !e.use_stderr() => put(e.render().to_string()).map(|()| None),
        Err(e) => {
            let is_verb =
                |name: &&OsString| *name != "help" && tree.find_subcommand(name).is_some();
            let verb = args.get(1).filter(is_verb);
            let verb = verb.map(|name| format!(" {}", name.display())).unwrap_or_default();
            Err(Failure::usage(format!("{}; try `{}{verb} --help`", message(e), program())))
        }
    }
}

/// Returns clap's message without its usage and its advice, in one line.
fn message(mut error: clap::Error) -> String {
    // The arguments that it quotes may contain line breaks.
    let quoted = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(one_line(text)))),
        _ => None,
    });
    for (kind, value) in quoted.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error.remove(ContextKind::Usage);
    error.remove(ContextKind::ValidSubcommand); // a line of all verbs
    let text = error.render().to_string();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    });
    paragraphs.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_what_clap_asks_for() {
        tree::<Telefile>().debug_assert();
    }
}
