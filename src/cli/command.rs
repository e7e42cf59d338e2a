//! The command line as a whole: the tree of commands that clap parses, and its errors as failures.

use super::config;
use super::failure::{Failure, one_line, program};
use super::precedence;
use super::streams::put;
use super::verbs::Verb;
use clap::builder::{Resettable, StyledStr};
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
  6  the file does not exist
  7  the file is at another version
  8  denied: a wrong token, or the file's type does not permit it
  9  the server is full; --retry waits for a connection
Commands that run a command have exit statuses of their own: see `telefile lock --help`.

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
    let mut tree = precedence::without_excluded(config::with_file(tree::<T>(), args)?, args);
    let parsed = tree.try_get_matches_from_mut(args);
    match parsed.and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(e) if !e.use_stderr() => put(e.render().to_string()).map(|()| None),
        Err(e) => {
            let name = args.get(1).filter(|name| *name != "help");
            let verb = name.and_then(|name| tree.find_subcommand(name));
            let tip = verb.and_then(|verb| tip(verb, &e, &args[2..]));
            let verb = verb.map(|verb| format!(" {}", verb.get_name())).unwrap_or_default();
            Err(Failure::usage(format!("{}; try `{}{verb} --help`", message(e, tip), program())))
        }
    }
}

/// Returns the advice about a value that was taken for a flag, behind a flag that needs one. clap
/// only knows how to pass one to an operand.
fn tip(verb: &Command, error: &clap::Error, args: &[OsString]) -> Option<StyledStr> {
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let takes_value = |flag: &str| {
        let long = flag.strip_prefix("--")?;
        let mut known = verb.get_arguments().filter(|arg| arg.get_action().takes_values());
        known.find(|arg| arg.get_long() == Some(long))
    };
    let flags = args.iter().map_while(|arg| arg.to_str().filter(|arg| *arg != "--"));
    let is_it =
        |(flag, value): &(&str, &str)| value.starts_with(&**unknown) && takes_value(flag).is_some();
    let (flag, value) = flags.clone().zip(flags.skip(1)).find(is_it)?;
    Some(one_line(&format!("to pass '{value}' to '{flag}', use '{flag}={value}'")).into())
}

/// Returns clap's message without its usage, in one line, with our tip instead of its own.
fn message(mut error: clap::Error, tip: Option<StyledStr>) -> String {
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
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
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

    /// clap would break it in a bad place.
    #[test]
    fn no_line_below_the_options_is_wider_than_the_help() {
        let tree = tree::<Telefile>();
        for command in std::iter::once(&tree).chain(tree.get_subcommands()) {
            let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in below.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
        }
    }

    #[test]
    fn the_tree_is_what_clap_asks_for() {
        tree::<Telefile>().debug_assert();
    }
}
