//! The surroundings of the load driver in this process.

use std::io::{IsTerminal, stderr, stdin, stdout};

use load_driver::{Input, Interruption, Stream, Surroundings};

use crate::environment;
use crate::stdout::Noting;
use crate::terminal;

/// The process' variables, streams and signals.
pub fn surroundings() -> Surroundings {
    let takes_more_than_text = |is_terminal| is_terminal && !terminal::is_dumb();
    Surroundings {
        variables: environment::all().collect(),
        stdin: Input::new(stdin()),
        stdout: Stream::new(Noting).on_terminal(takes_more_than_text(stdout().is_terminal())),
        stderr: Stream::new(stderr()).on_terminal(takes_more_than_text(stderr().is_terminal())),
        screen: terminal::can_move().then_some(terminal::columns),
        log: None,
        interruption: Interruption::Signals,
    }
}
