//! `sparring completions`: the completion script of a shell.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::CommandResult;
use crate::stdout;

/// Print a completion script for a shell
///
/// It completes commands, flags, their values, and the names of detectors.
///
/// The script asks the installed `sparring` for candidates, so that it knows the fleet file of the current
/// folder. Load it when the shell starts, as in the examples, so that script and binary have the same
/// version.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  sparring completions bash > ~/.local/share/bash-completion/completions/sparring
                                         bash, in every new shell
  sparring completions zsh > ~/.zfunc/_sparring
                                         zsh, with ~/.zfunc in $fpath
  sparring completions fish > ~/.config/fish/completions/sparring.fish
  source <(sparring completions bash)    this shell alone";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The variable with which a completion script asks for candidates, as in `main`.
const VARIABLE: &str = "COMPLETE";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let mut script = Vec::new();
    let completer: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    // By name, not by path, so that the script survives an update of the binary.
    let name = "sparring";
    completer.write_registration(VARIABLE, name, name, name, &mut script)?;
    stdout::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
