//! The driver's log under `--quiet`: warnings are counted, errors are shown.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use load_driver::Stream;

/// The number of warnings that were not shown.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<AtomicU64>);

impl Warnings {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The stream without log lines below errors. It does not count as a terminal, so that the lines can be parsed.
    pub fn hush(&self, to: Stream) -> Stream {
        Stream::new(Hushed {
            to,
            warnings: self.clone(),
            line: Vec::new(),
        })
    }
}

struct Hushed {
    to: Stream,
    warnings: Warnings,
    line: Vec<u8>,
}

impl Hushed {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match level(&String::from_utf8_lossy(&line)) {
            Some("warning") => {
                self.warnings.0.fetch_add(1, Ordering::Relaxed);
            }
            Some("info" | "debug") => {}
            _ => self.to.print(&line),
        }
    }
}

/// The level of a log line of the driver: `time="…" level=warning msg="…"`.
fn level(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("time=\"")?;
    let (_, rest) = rest.split_once("\" level=")?;
    rest.split_whitespace().next()
}

impl Write for Hushed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.end_line();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Hushed {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_are_counted_and_errors_are_shown() {
        let (kept, warnings) = (Captured::default(), Warnings::default());
        let hushed = warnings.hush(Stream::new(kept.clone()));
        let warning = "time=\"2026-08-14T09:30:00Z\" level=warning msg=\"Request Failed\"\n";
        for _ in 0..3 {
            // A writer may write a line in pieces.
            hushed.print(&warning[..30]);
            hushed.print(&warning[30..]);
        }
        hushed.print("time=\"2026-08-14T09:30:00Z\" level=info msg=hello\n");
        let error = "time=\"2026-08-14T09:30:01Z\" level=error msg=\"level=warning\"\n";
        hushed.print(error);
        hushed.print("no log line, level=warning");
        drop(hushed);
        let kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        assert_eq!(text, format!("{error}no log line, level=warning"));
        assert_eq!(warnings.count(), 3);
    }
}
