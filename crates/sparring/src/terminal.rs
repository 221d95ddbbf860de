//! What people see: lines, errors with their causes, colours only where they help.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use crate::{environment, stdout};

/// Exit code of a command whose reader left before it had read everything: 128 + SIGPIPE, as the
/// shell shows it for programs that the signal ends.
const READER_GONE: u8 = 141;

/// Exit code of a command line that cannot be understood.
const USAGE: u8 = 2;

/// A command line that names what nothing has, or that asks for nothing: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Prints a line to the standard output, as `println!` does, but never panics.
macro_rules! say {
    ($($text:tt)*) => { $crate::terminal::line(format_args!($($text)*)) };
}

/// Prints a line to the standard error, as `eprintln!` does, but never panics.
macro_rules! complain {
    ($($text:tt)*) => { $crate::terminal::error_line(format_args!($($text)*)) };
}

pub(crate) use {complain, say};

pub fn line(text: fmt::Arguments<'_>) {
    stdout::print(&format!("{text}\n"));
}

/// Nobody can be told when the standard error is gone.
pub fn error_line(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Prints `failure` and its causes to stderr. The exit code is 1, and 2 for [`Usage`].
pub fn report(failure: &(dyn Error + 'static)) -> ExitCode {
    complain!("error: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        complain!("  caused by: {error}");
        cause = error.source();
    }
    if failure.is::<Usage>() {
        return ExitCode::from(USAGE);
    }
    ExitCode::FAILURE
}

/// The exit code of a command whose purpose was to print, given its own: not all of it may have
/// been printed.
pub fn printed(code: ExitCode) -> ExitCode {
    match stdout::failure() {
        None => code,
        Some(error) => unprinted(error),
    }
}

fn unprinted(error: &io::Error) -> ExitCode {
    if error.kind() == ErrorKind::BrokenPipe {
        return ExitCode::from(READER_GONE);
    }
    complain!("error: the output cannot be written: {error}");
    ExitCode::FAILURE
}

/// What the standard library says of a number that cannot be read, and what people are told.
const NUMBERS: [(&str, &str); 6] = [
    ("invalid digit found in string", "use a whole number"),
    (
        "cannot parse integer from empty string",
        "use a whole number",
    ),
    (
        "number too large to fit in target type",
        "the number is too large",
    ),
    (
        "number too small to fit in target type",
        "the number is too small",
    ),
    ("invalid float literal", "use a number"),
    ("cannot parse float from empty string", "use a number"),
];

/// Prints what clap says to a command line, help included.
pub fn usage(said: &clap::Error) -> ExitCode {
    let printed = match said.kind() {
        clap::error::ErrorKind::ValueValidation => print_value_error(said),
        _ => said.print(),
    };
    match printed {
        Err(error) if !said.use_stderr() => unprinted(&error),
        _ => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(u8::MAX)),
    }
}

fn print_value_error(said: &clap::Error) -> io::Result<()> {
    let styled = said.render();
    let text = match stderr_takes_colour() {
        true => styled.ansi().to_string(),
        false => styled.to_string(),
    };
    let plain = NUMBERS
        .iter()
        .fold(text, |text, (said, told)| text.replace(said, told));
    write!(io::stderr(), "{plain}")
}

/// Whether the standard output is a terminal on which lines can be written over.
pub fn can_move() -> bool {
    let is_dumb = environment::text("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stdout().is_terminal() && !is_dumb
}

/// The columns of the terminal; 80 where it does not say.
pub fn columns() -> usize {
    let size = ratatui::crossterm::terminal::size();
    size.ok()
        .map(|(columns, _)| usize::from(columns))
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// A line that the next one replaces, where [`can_move`]: cut where it would wrap.
pub fn replace_line(text: &str) {
    // The last column stays free: a terminal may wrap behind it.
    let most = columns().saturating_sub(1);
    let text: String = text.chars().take(most).collect();
    stdout::print(&format!("\r\x1b[2K{text}"));
}

/// Leaves a clean line for what follows a replaced one.
pub fn clear_line() {
    stdout::print("\r\x1b[2K");
}

/// Whether stderr takes colours: it is a terminal, and nobody said `NO_COLOR`.
pub fn stderr_takes_colour() -> bool {
    std::io::stderr().is_terminal() && !environment::is_set("NO_COLOR")
}
