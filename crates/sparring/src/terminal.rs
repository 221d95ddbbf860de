//! Output for people: lines, errors with their causes, and colours where they help.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Once;

use load_driver::without_numbers;

use crate::{environment, stdout};

/// The exit code of a command whose reader left early: 128 + SIGPIPE, as shells report programs that the signal
/// ended.
const READER_GONE: u8 = 141;

/// The exit code of an invalid command line.
const USAGE: u8 = 2;

/// A command line with an unknown name, or without an action: exit code 2.
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

/// A line, without the numbers of errors of the system.
pub fn line(text: fmt::Arguments<'_>) {
    stdout::print(&format!("{}\n", without_numbers(&text.to_string())));
}

/// As [`line()`]. An error of the standard error cannot be reported.
pub fn error_line(text: fmt::Arguments<'_>) {
    drop(writeln!(
        io::stderr(),
        "{}",
        without_numbers(&text.to_string())
    ));
}

/// Prints `failure` and its causes to stderr. The exit code is 1, and 2 for [`Usage`] and for a fleet, suite or drill
/// file that cannot be read, because the command line has to name another one.
pub fn report(failure: &(dyn Error + 'static)) -> ExitCode {
    for (place, text) in texts(failure).iter().enumerate() {
        let before = if place == 0 { "error" } else { "  caused by" };
        complain!("{before}: {text}");
    }
    if failure.is::<Usage>() || is_unreadable(failure) {
        return ExitCode::from(USAGE);
    }
    ExitCode::FAILURE
}

/// The message of an error and those of its causes, without those that the one before ends with. An error whose cause is the
/// limit of open files is told by that limit.
fn texts(failure: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts = vec![failure.to_string()];
    let mut next = Some(failure);
    while let Some(error) = next {
        let of_system = error.downcast_ref::<io::Error>();
        let is_told = texts.iter().any(|text| text.contains("ulimit -n"));
        if of_system.and_then(io::Error::raw_os_error) == Some(libc::EMFILE) && !is_told {
            return vec![too_few_files()];
        }
        let text = error.to_string();
        if texts.last().is_some_and(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts
}

fn too_few_files() -> String {
    let limit = service_runtime::limits::descriptors();
    let limit = limit.map_or_else(|| "too few".to_owned(), |limit| limit.to_string());
    format!(
        "{limit} open files are allowed, which is not enough; raise the limit with `ulimit -n 65535`"
    )
}

fn is_unreadable(failure: &(dyn Error + 'static)) -> bool {
    use fleet::LoadError;
    use suite::builtin::SuiteError;
    use suite::drill::ReadError;

    matches!(failure.downcast_ref(), Some(LoadError::Unreadable { .. }))
        || matches!(failure.downcast_ref(), Some(SuiteError::Unreadable { .. }))
        || matches!(failure.downcast_ref(), Some(ReadError::Unreadable { .. }))
}

/// The error, with a hint if a port is in use.
pub fn hinted(failure: Box<dyn Error + Send + Sync>, hint: &str) -> Box<dyn Error + Send + Sync> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(failure.as_ref());
    while let Some(error) = cause {
        let error_of_system = error.downcast_ref::<io::Error>();
        if error_of_system.is_some_and(|error| error.kind() == ErrorKind::AddrInUse) {
            return format!("{failure}; {hint}").into();
        }
        cause = error.source();
    }
    failure
}

/// The final exit code of a command whose purpose is its output, which may be incomplete.
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
    // A command may ask for its exit code before `main` does.
    static TOLD: Once = Once::new();
    TOLD.call_once(|| complain!("error: the output cannot be written: {}", plain(error)));
    ExitCode::FAILURE
}

/// The standard library's messages about invalid numbers, and their replacements.
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

/// Prints clap's message about a command line, or its help.
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

/// Whether the terminal supports only plain text, such as that of an editor: no colours, no cursor movement.
pub fn is_dumb() -> bool {
    environment::text("TERM").is_none_or(|name| name.is_empty() || name == "dumb")
}

/// Whether the standard output is a terminal on which lines can be overwritten.
pub fn can_move() -> bool {
    io::stdout().is_terminal() && !is_dumb()
}

/// The system's text for an error, without its number and without names of temporary files.
pub fn plain(error: &io::Error) -> String {
    let kind = error.kind().to_string();
    match error.kind() {
        ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::InvalidInput => error.to_string(),
        _ if kind == "uncategorized error" => error.to_string(),
        _ => kind,
    }
}

/// The columns of the terminal; 80 if they are unknown.
pub fn columns() -> usize {
    let size = ratatui::crossterm::terminal::size();
    size.ok()
        .map(|(columns, _)| usize::from(columns))
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// A line that the next one replaces, if [`can_move`]; it is cut so that it does not wrap.
pub fn replace_line(text: &str) {
    // The last column stays free, since a terminal may wrap after it.
    let most = columns().saturating_sub(1);
    let text: String = text.chars().take(most).collect();
    stdout::print(&format!("\r\x1b[2K{text}"));
}

/// The first of these forms of a line that [`replace_line`] does not cut; the last one if it cuts all of them.
pub fn fitting(forms: &[String]) -> Option<&str> {
    let columns = columns();
    let mut fits = forms.iter().filter(|form| form.chars().count() < columns);
    fits.next().or(forms.last()).map(String::as_str)
}

/// Clears the line after a replaced one.
pub fn clear_line() {
    stdout::print("\r\x1b[2K");
}

/// Whether stderr has colours: it is a terminal, and `NO_COLOR` is not set.
pub fn stderr_takes_colour() -> bool {
    io::stderr().is_terminal() && !is_dumb() && !environment::is_set("NO_COLOR")
}

#[cfg(test)]
mod tests {
    use super::{texts, too_few_files};

    #[derive(Debug, thiserror::Error)]
    #[error("a is not one{shown}")]
    struct Outer {
        shown: String,
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_told_once_and_the_limit_of_files_by_its_number() {
        let check = |shown: &str, source: std::io::Error, told: &[&str]| {
            let shown = shown.to_owned();
            assert_eq!(texts(&Outer { shown, source }), told);
        };
        let gone = || std::io::Error::other("gone");
        check("", gone(), &["a is not one", "gone"]);
        check(": gone", gone(), &["a is not one: gone"]);
        let full = std::io::Error::from_raw_os_error(libc::EMFILE);
        check("", full, &[&too_few_files()]);
        assert!(too_few_files().contains("`ulimit -n 65535`"));
    }
}
