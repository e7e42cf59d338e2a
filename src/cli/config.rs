//! The file of `--config`: TOML, whose keys are the long names of the command's flags. Its values
//! become the defaults of the flags, so that flags and environment variables come first.

use super::failure::Failure;
use clap::builder::{Resettable, ValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, Id};
use std::any::TypeId;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The name of the flag, which the file itself cannot set.
const CONFIG: &str = "config";

/// The size of the longest file.
const MAX_BYTES: u64 = 1 << 20;

/// Returns `tree` with the defaults of the file that the arguments, or the environment, name. The
/// arguments are those of the process: the first is the program.
///
/// # Errors
/// The file cannot be read, or something in it is wrong: the message has the file and the line.
/// What is wrong with the arguments is no error here.
pub(super) fn with_file(tree: Command, args: &[OsString]) -> Result<Command, Failure> {
    let verb = args.get(1).and_then(|verb| tree.find_subcommand(verb));
    let verb = verb.map(|verb| verb.get_name().to_string());
    let command = match &verb {
        Some(verb) => tree.find_subcommand(verb).unwrap_or(&tree),
        None => &tree,
    };
    let Some(path) = path(&tree, command, args) else { return Ok(tree) };
    let at = |e: &dyn fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    let text = read(&path).map_err(|e| at(&e))?;
    let found = values(command, &text).map_err(|Mistake { line, why }| {
        Failure::failed(format!("{}:{line}: {why}", path.display()))
    })?;
    let set = |mut command: Command| {
        for (id, values) in found {
            command = command.mut_arg(id, |arg| arg.default_values(values));
        }
        command
    };
    Ok(match verb {
        Some(verb) => tree.mut_subcommand(verb, set),
        None => set(tree),
    })
}

/// Returns the file that is to be read, if the command has the flag at all.
fn path(tree: &Command, command: &Command, args: &[OsString]) -> Option<PathBuf> {
    command.get_arguments().find(|arg| arg.get_long() == Some(CONFIG))?;
    let matches = tree.clone().try_get_matches_from(args).ok()?;
    let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    matches.try_get_one(CONFIG).ok()?.cloned()
}

fn read(path: &Path) -> io::Result<String> {
    let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    // Without a writer, opening it would never end.
    if fs::metadata(path)?.file_type().is_fifo() {
        return Err(invalid("it is a pipe, and a file is required".to_string()));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(invalid(format!("it has more than {MAX_BYTES} bytes")));
    }
    String::from_utf8(text).map_err(|_| invalid("it is not UTF-8".to_string()))
}

/// What is wrong with a file, and in which line.
struct Mistake {
    line: usize,
    why: String,
}

/// Returns the texts that a file gives to flags, each checked by the flag's own parser.
fn values(command: &Command, text: &str) -> Result<Vec<(Id, Vec<String>)>, Mistake> {
    let mistake = |span: Range<usize>, why: String| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        Mistake { line: 1 + before.iter().filter(|byte| **byte == b'\n').count(), why }
    };
    let table = DeTable::parse(text).map_err(|e| {
        let why = e.message().lines().next().unwrap_or_default();
        mistake(e.span().unwrap_or_default(), why.to_string())
    })?;
    let mut lone = command.clone().no_binary_name(true).mut_args(|arg| arg.env(Resettable::Reset));
    let mut found = Vec::new();
    // In the order of the file, so that the first mistake is reported.
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let name = key.get_ref();
        let Some(flag) = flag(command, name) else {
            return Err(mistake(key.span(), unknown(&mut lone, name)));
        };
        let values = match (value.get_ref(), flag.get_action()) {
            (DeValue::Array(values), ArgAction::Append) if !values.is_empty() => &values[..],
            _ => std::slice::from_ref(value),
        };
        let texts = values.iter().map(|value| {
            let wrong = |why: String| mistake(value.span(), format!("{name}: {why}"));
            let text = text_of(value.get_ref(), flag).map_err(wrong)?;
            check(&mut lone, flag, &text).map_err(wrong)?;
            Ok(text)
        });
        found.push((flag.get_id().clone(), texts.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

/// Returns what is wrong with an unknown key, and which was probably meant.
fn unknown(lone: &mut Command, key: &str) -> String {
    if key.len() > 100 {
        return format!("unknown key of {} bytes", key.len());
    }
    let error = lone.try_get_matches_from_mut([format!("--{key}")]).err();
    match error.as_ref().and_then(|e| e.get(ContextKind::SuggestedArg)) {
        Some(ContextValue::String(flag)) => {
            format!("unknown key {key}; did you mean {}?", flag.trim_start_matches('-'))
        }
        _ => format!("unknown key {key}"),
    }
}

/// Returns the flag of a key. The file cannot name another one, or print help.
fn flag<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    use ArgAction::{Append, Set, SetTrue};
    let flag = command.get_arguments().find(|arg| arg.get_long() == Some(key));
    flag.filter(|arg| key != CONFIG && matches!(arg.get_action(), Set | Append | SetTrue))
}

/// Returns a value as an argument would have it, or what is wrong with its type.
fn text_of(value: &DeValue<'_>, flag: &Arg) -> Result<String, String> {
    let (switch, count) = (TypeId::of::<bool>(), TypeId::of::<usize>());
    let (size, seconds) = (TypeId::of::<u64>(), TypeId::of::<Duration>());
    let parser: &ValueParser = flag.get_value_parser();
    let is = |types: &[TypeId]| types.iter().any(|id| parser.type_id() == *id);
    match value {
        DeValue::Boolean(on) if is(&[switch]) => Ok(on.to_string()),
        DeValue::Integer(n) if is(&[count, size, seconds]) => {
            let number = i64::from_str_radix(n.as_str(), n.radix()).map_err(|e| e.to_string())?;
            Ok(number.to_string())
        }
        DeValue::Float(n) if is(&[seconds]) => Ok(n.as_str().to_string()),
        DeValue::String(text) if !is(&[switch, count, seconds]) => Ok(text.to_string()),
        _ => {
            let wanted = match () {
                () if is(&[switch]) => "true or false",
                () if is(&[count]) => "a whole number",
                () if is(&[size]) => "a number of bytes, or a text such as \"64M\"",
                () if is(&[seconds]) => "a number of seconds",
                () if matches!(flag.get_action(), ArgAction::Append) => "a text or a list of texts",
                () => "a text",
            };
            Err(format!("{wanted} is required"))
        }
    }
}

/// Checks a text with the flag's own parser. Returns what is wrong with it.
fn check(lone: &mut Command, flag: &Arg, text: &str) -> Result<(), String> {
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    let flag = format!("--{}", flag.get_long().unwrap_or_default());
    lone.try_get_matches_from_mut([format!("{flag}={text}")]).map(drop).map_err(|e| {
        let message = e.to_string();
        let message = message.split("\n\n").next().unwrap_or_default();
        let message = message.trim_start_matches("error: ");
        // Without the flag: the key is named already.
        match message.split_once(&format!(" for '{flag} <")) {
            Some((before, behind)) => {
                format!("{before}{}", behind.split_once('\'').unwrap_or_default().1)
            }
            None => message.to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::tree;
    use crate::cli::verbs::serve;

    /// A program with file types of its own has the flags of `serve`, and no verbs.
    #[test]
    fn a_program_without_verbs_reads_a_file_too() {
        let name = format!("telefile-config-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, "connections = 7\nlisten = [\"a:1\", \"b:2\"]\n").unwrap();
        let args = ["program".into(), "--config".into(), path.clone().into_os_string()];
        let tree = with_file(tree::<serve::Program>(), &args).unwrap();
        fs::remove_file(&path).unwrap();
        let values = |flag: &str| {
            let arg = tree.get_arguments().find(|arg| arg.get_long() == Some(flag)).unwrap();
            arg.get_default_values().iter().map(|value| value.to_os_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (values("connections"), values("listen")),
            (vec!["7".into()], vec!["a:1".into(), "b:2".into()])
        );
        assert_eq!(values("root"), ["./files"]);
    }
}
