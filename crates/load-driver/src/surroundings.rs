//! The process around a run: its variables, streams and signals, read in one place and handed down.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use load_engine::log::Logger;
use tokio_util::sync::CancellationToken;

/// The surroundings of a run. The command line passes those of the process; a suite that drives in
/// process passes its own.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment's variables.
    pub variables: Vec<(OsString, OsString)>,
    pub stdin: Input,
    pub stdout: Stream,
    pub stderr: Stream,
    /// The columns of the terminal of the standard output, if lines can be overwritten there; otherwise
    /// `None`. They are read each time, since a window can be resized.
    pub screen: Option<fn() -> usize>,
    /// Receives the entries of the log, in addition to the streams.
    pub log: Option<Logger>,
    pub interruption: Interruption,
}

/// The source of a request to end a run early.
#[derive(Debug, Clone)]
pub enum Interruption {
    /// Ctrl-C and SIGTERM of the process: the first ends the run, the second abandons it.
    Signals,
    /// The caller cancels tokens: `end` ends the run as the first signal does, `give_up` as the second.
    Tokens {
        end: CancellationToken,
        give_up: CancellationToken,
    },
}

/// The source of a script that is named `-`.
#[derive(Clone)]
pub struct Input(Arc<Mutex<dyn Read + Send>>);

/// The destination of text.
#[derive(Clone)]
pub struct Stream {
    writer: Arc<Mutex<dyn Write + Send>>,
    pub is_terminal: bool,
}

impl Surroundings {
    /// Empty surroundings: no variables, no input, discarded output, and tokens that are never
    /// cancelled.
    pub fn none() -> Self {
        Self {
            variables: Vec::new(),
            stdin: Input::new(io::empty()),
            stdout: Stream::new(io::sink()),
            stderr: Stream::new(io::sink()),
            screen: None,
            log: None,
            interruption: Interruption::Tokens {
                end: CancellationToken::new(),
                give_up: CancellationToken::new(),
            },
        }
    }

    /// The value of a variable.
    pub(crate) fn raw(&self, name: &str) -> Option<&OsStr> {
        let variable = self.variables.iter().find(|(known, _)| known == name);
        variable.map(|(_, value)| value.as_os_str())
    }

    /// The value of a variable, unless it is not Unicode.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        Some(self.raw(name)?.to_str()?.to_owned())
    }

    /// All variables; text that is not Unicode is replaced.
    pub(crate) fn lossy(&self) -> Vec<(String, String)> {
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        let all = self.variables.iter();
        all.map(|(name, value)| (text(name), text(value))).collect()
    }

    /// The variables that are Unicode.
    pub(crate) fn unicode(&self) -> impl Iterator<Item = (String, String)> {
        let text = |value: &OsString| value.to_str().map(str::to_owned);
        let all = self.variables.iter();
        all.filter_map(move |(name, value)| Some((text(name)?, text(value)?)))
    }
}

impl Input {
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(reader)))
    }

    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reader.read_to_end(&mut content)?;
        Ok(content)
    }
}

impl Stream {
    /// A stream that is not a terminal.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            is_terminal: false,
        }
    }

    /// The same stream, marked as a terminal or not.
    #[must_use]
    pub fn on_terminal(self, is_terminal: bool) -> Self {
        Self {
            is_terminal,
            ..self
        }
    }

    /// Writes the whole text. A closed pipe is not an error.
    pub fn print(&self, text: impl AsRef<[u8]>) {
        let mut writer = self.lock();
        let _ = writer
            .write_all(text.as_ref())
            .and_then(|()| writer.flush());
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, dyn Write + Send + 'static> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shared(&self) -> Arc<Mutex<dyn Write + Send>> {
        Arc::clone(&self.writer)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}
