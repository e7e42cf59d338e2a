//! `telefile completions`: prints what makes a shell complete the command line.

use crate::cli::failure::Outcome;
use crate::cli::streams::put;
use clap::{Args, Command};
use clap_complete::{Shell, generate};

/// Print the completions of a shell
#[derive(Args)]
#[command(after_help = "\
`make install` and the Debian package install them for bash, zsh and fish. After `cargo install`:

Examples:
  telefile completions bash > ~/.local/share/bash-completion/completions/telefile
  telefile completions zsh > ~/.zfunc/_telefile     # with fpath+=~/.zfunc before compinit
  telefile completions fish > ~/.config/fish/completions/telefile.fish")]
pub(crate) struct Settings {
    /// The shell
    shell: Shell,
}

impl Settings {
    /// Prints the completions of these commands.
    pub(crate) fn run(self, tree: &Command) -> Outcome {
        let mut script = Vec::new();
        generate(self.shell, &mut visible(tree), tree.get_name(), &mut script);
        put(script)
    }
}

/// Returns the commands that the help lists: completions would offer the others too.
fn visible(tree: &Command) -> Command {
    let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut visible = Command::new(tree.get_name().to_string()).subcommands(verbs.cloned());
    if let Some(version) = tree.get_version() {
        visible = visible.version(version.to_string());
    }
    visible.args(tree.get_arguments())
}
