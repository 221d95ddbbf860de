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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    const FIRST: &str =
        "no connection can be accepted; trying again every second error=too many open files";

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// Checks the log lines, without time and module.
    fn check(attempts: impl FnOnce(&mut Refusals), expected: &[&str]) {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || attempts(&mut Refusals::default()));
        let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = log
            .lines()
            .map(|line| line.trim_start().trim_start_matches("ERROR "))
            .collect();
        assert_eq!(lines, expected);
    }

    fn fail(refusals: &mut Refusals, times: u32) {
        for _ in 0..times {
            refusals.note(&io::Error::other("too many open files"));
        }
    }

    #[test]
    fn attempts_in_a_row_are_two_lines_however_many_they_are() {
        let again = "connections are accepted again attempts=1000";
        check(
            |refusals| {
                fail(refusals, 1000);
                refusals.end();
                // Connections that are accepted afterwards say nothing.
                refusals.end();
            },
            &[FIRST, again],
        );
    }

    #[test]
    fn a_single_attempt_is_one_line_and_each_row_is_counted_anew() {
        check(
            |refusals| {
                refusals.end();
                fail(refusals, 1);
                refusals.end();
                fail(refusals, 2);
                refusals.end();
            },
            &[FIRST, FIRST, "connections are accepted again attempts=2"],
        );
    }

    #[test]
    fn a_server_that_ends_meanwhile_logs_the_number_of_attempts() {
        let until = "no connection could be accepted until the end attempts=3";
        check(|refusals| fail(refusals, 3), &[FIRST, until]);
    }
}
