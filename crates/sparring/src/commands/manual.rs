//! `sparring manual`: the command line as man pages and as Markdown, for packages and for docs/CLI.md.

mod markdown;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::CommandResult;
use crate::cli::Cli;
use crate::stdout;
use crate::terminal::say;

/// Writes the reference of the command line: as Markdown to the standard output, or as man pages.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Write a man page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    man: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sparring manual > CLI.md
  sparring manual --man ~/.local/share/man/man1";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let command = visible(Cli::command());
    let Some(folder) = &arguments.man else {
        stdout::print(&markdown::page(command));
        return Ok(ExitCode::SUCCESS);
    };
    let cannot = |error| format!("{} cannot be written: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(command, folder).map_err(cannot)?;
    let pages = std::fs::read_dir(folder).map_err(cannot)?.count();
    say!("{pages} pages in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Without `help`, which has the same text as `--help`.
fn visible(command: clap::Command) -> clap::Command {
    command
        .disable_help_subcommand(true)
        .mut_subcommands(visible)
}
