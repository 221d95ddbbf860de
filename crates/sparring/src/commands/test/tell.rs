//! The output while tests run.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use suite::run::Tell;

use crate::terminal::{self, complain, say};

/// The interval between status lines in a pipe.
const EVERY: Duration = Duration::from_secs(10);

/// Reports on the standard output: one line that is overwritten on a terminal, one every ten seconds in a pipe. If it
/// is quiet, there are only warnings, on the standard error.
#[derive(Debug)]
pub struct Voice {
    quiet: bool,
    is_replaced: bool,
    told: Mutex<Option<Instant>>,
}

impl Voice {
    /// With `with_log`, log lines interleave, so that no line can be overwritten.
    pub fn new(quiet: bool, with_log: bool) -> Self {
        Self {
            quiet,
            is_replaced: terminal::can_move() && !with_log,
            told: Mutex::new(None),
        }
    }

    /// Clears the line for further output.
    pub fn end(&self) {
        if self.is_replaced && !self.quiet {
            terminal::clear_line();
        }
    }
}

impl Tell for Voice {
    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.end();
        say!("{text}");
    }

    fn warn(&self, text: &str) {
        if self.quiet {
            complain!("warning: {text}");
            return;
        }
        self.line(text);
    }

    fn live(&self, forms: &[String]) {
        let Some(text) = forms.first().filter(|_| !self.quiet) else {
            return;
        };
        if self.is_replaced {
            terminal::replace_line(terminal::fitting(forms).unwrap_or(text));
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|last| last.elapsed() >= EVERY) {
            *told = Some(Instant::now());
            say!("{text}");
        }
    }
}
