//! Log lines about connections that cannot be accepted: one at the beginning, one at the end.

use std::io;

/// Failed attempts to accept a connection, one after the other. The first is logged, and their number at the end.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    in_a_row: u64,
}

impl Refusals {
    /// Notes one more failed attempt.
    pub(crate) fn note(&mut self, error: &io::Error) {
        if self.in_a_row == 0 {
            tracing::error!(%error, "no connection can be accepted; trying again every second");
        }
        self.in_a_row += 1;
    }

    /// Notes that a connection was accepted.
    pub(crate) fn end(&mut self) {
        if self.in_a_row > 1 {
            let attempts = self.in_a_row;
            tracing::error!(attempts, "connections are accepted again");
        }
        self.in_a_row = 0;
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        if self.in_a_row > 1 {
            let attempts = self.in_a_row;
            tracing::error!(attempts, "no connection could be accepted until the end");
        }
    }
}
