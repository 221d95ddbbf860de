//! What people see while tests run.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use suite::run::Tell;

use crate::stdout;

/// In a pipe the state is told this often.
const EVERY: Duration = Duration::from_secs(10);

/// Tells on the standard output: one line that is written over on a terminal, one every ten seconds
/// in a pipe, nothing when it shall be quiet.
#[derive(Debug)]
pub struct Voice {
    quiet: bool,
    is_terminal: bool,
    told: Mutex<Option<Instant>>,
}

impl Voice {
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            is_terminal: std::io::stdout().is_terminal(),
            told: Mutex::new(None),
        }
    }

    /// Leaves a clean line for what follows.
    pub fn end(&self) {
        if self.is_terminal && !self.quiet {
            stdout::print("\r\x1b[2K");
        }
    }
}

impl Tell for Voice {
    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.end();
        stdout::print(&format!("{text}\n"));
    }

    fn live(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.is_terminal {
            stdout::print(&format!("\r\x1b[2K{text}"));
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|last| last.elapsed() >= EVERY) {
            *told = Some(Instant::now());
            stdout::print(&format!("{text}\n"));
        }
    }
}
