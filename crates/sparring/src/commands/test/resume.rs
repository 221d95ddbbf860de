//! `--resume RUN`: the command line of an interrupted run again.

use clap::Parser;
use suite::run::Command;

use super::Arguments;
use crate::terminal::Usage;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The arguments of `sparring test` alone.
#[derive(Debug, Parser)]
#[command(name = "test")]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

/// The command line of the run to resume, if there is one.
///
/// # Errors
/// It is not a run, or other tests are named as well.
pub fn again(arguments: &Arguments) -> Result<Option<Arguments>, Failure> {
    let Some(folder) = &arguments.run.resume else {
        return Ok(None);
    };
    if !arguments.words.is_empty() {
        let text = "--resume continues the tests of the run; leave out other names";
        return Err(Usage(text.to_owned()).into());
    }
    let command = Command::read(folder)?;
    let mut again = parsed(command.arguments).map_err(|error| {
        let why = error.kind();
        Usage(format!(
            "--resume: the run's command line is not understood: {why}"
        ))
    })?;
    again.run.resume = Some(folder.clone());
    again.run.quiet |= arguments.run.quiet;
    Ok(Some(again))
}

/// The arguments behind `sparring test`.
///
/// # Errors
/// The arguments are not valid.
pub fn parsed(arguments: Vec<String>) -> Result<Arguments, clap::Error> {
    let words = std::iter::once("test".to_owned()).chain(arguments);
    CommandLine::try_parse_from(words).map(|line| line.arguments)
}
