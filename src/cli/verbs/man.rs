//! `telefile man`: writes the manual pages, for `make install`.

use crate::cli::failure::{Failure, Outcome};
use clap::{Args, Command};
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write the manual pages, telefile(1) and one for each command
#[derive(Args)]
pub(crate) struct Settings {
    /// The folder for the pages, which is made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Settings {
    /// Writes the pages of these commands.
    pub(crate) fn run(self, tree: Command) -> Outcome {
        let mut tree = tree.disable_help_subcommand(true);
        tree.build(); // gives each command the name that its page has
        let folder = &self.folder;
        fs::create_dir_all(folder)
            .and_then(|()| write_all(&tree, folder))
            .map_err(|e| Failure::failed(format!("{}: {e}", folder.display())))
    }
}

fn write_all(tree: &Command, folder: &Path) -> io::Result<()> {
    let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set());
    for command in [tree].into_iter().chain(verbs) {
        let page = page(command, tree)?;
        fs::write(folder.join(Man::new(command.clone()).get_filename()), page)?;
    }
    Ok(())
}

/// Returns a page. The text below the options of the help has sections of its own here.
fn page(command: &Command, tree: &Command) -> io::Result<Vec<u8>> {
    let version = tree.get_version().unwrap_or_default();
    let man =
        Man::new(command.clone()).source(format!("telefile {version}")).manual("telefile manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    write_sections(&after, &mut page)?;
    if !command.has_subcommands() {
        writeln!(page, ".SH \"SEE ALSO\"\n\\fBtelefile\\fR(1)")?;
    }
    Ok(page)
}

/// Writes each paragraph below a heading: its own, such as `Examples:`, or NOTES.
fn write_sections(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut current = "";
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let named = [("Examples:", "EXAMPLES"), ("Exit status:", "EXIT STATUS")];
        let named = named.into_iter().find(|(start, _)| paragraph.starts_with(start));
        let (start, heading) = named.unwrap_or(("", "NOTES"));
        match current == heading {
            true => writeln!(page, ".PP")?,
            false => writeln!(page, ".SH \"{heading}\"")?,
        }
        current = heading;
        let mut is_literal = false;
        for line in paragraph[start.len()..].lines().filter(|line| !line.trim().is_empty()) {
            let literal = line.starts_with("  ");
            if literal != is_literal {
                writeln!(page, "{}", if literal { ".PP\n.nf" } else { ".fi" })?;
                is_literal = literal;
            }
            writeln!(page, "{}", escaped(line.trim_start()))?;
        }
        if is_literal {
            writeln!(page, ".fi")?;
        }
    }
    Ok(())
}

/// Returns a line as roff(7) prints it unchanged: backslashes and hyphens are meant, and a dot or
/// an apostrophe at its beginning is no request.
fn escaped(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_sections() {
        let text = "One\ntwo.\n\n.three\n\nExit status:\n  0  done\nMore.\n\nExamples:\n  a\\n -b";
        let mut page = Vec::new();
        write_sections(text, &mut page).unwrap();
        let expected = ".SH \"NOTES\"\nOne\ntwo.\n.PP\n\\&.three\n.SH \"EXIT STATUS\"\n.PP\n.nf\n\
                        0  done\n.fi\nMore.\n.SH \"EXAMPLES\"\n.PP\n.nf\na\\en \\-b\n.fi\n";
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }
}
