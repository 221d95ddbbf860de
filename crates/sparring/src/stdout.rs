//! Standard output. Its reader may leave early (`| head`), which does not end the work in progress.

use std::io::{self, Write};
use std::sync::OnceLock;

/// The first error of printing.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Prints `text`. Text that cannot be written is dropped; [`failure`] returns the reason.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = printed {
        note(error);
    }
}

/// The standard output as a writer, for the load driver.
#[derive(Debug)]
pub struct Noting;

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout()
            .write(bytes)
            .inspect_err(|error| note(copied(error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout()
            .flush()
            .inspect_err(|error| note(copied(error)))
    }
}

fn note(error: io::Error) {
    // Only the first error is stored.
    drop(FAILURE.set(error));
}

fn copied(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The reason why output was dropped; `None` if everything was printed.
pub fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}
