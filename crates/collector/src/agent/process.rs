//! The process that runs an order.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::server::AgentSettings;
use super::wire::{Order, RunState, Status};
use crate::TOKEN_VARIABLE;

/// Maximum number of buffered output lines, and their maximum length.
const MOST_LINES: usize = 1000;
const LONGEST_LINE: usize = 4096;
/// Lines that the agent prints of a run without a client.
const LAST_WORDS: usize = 5;

/// The process of an order. Dropping it kills the process.
#[derive(Debug)]
pub struct Run {
    pub name: String,
    child: Child,
    ended: Option<Option<i32>>,
    said: Arc<Mutex<Said>>,
    reading: JoinHandle<()>,
    asked: Instant,
    /// When it was told to end because its client stopped polling.
    forgotten: Option<Instant>,
    /// Deleted with the run.
    _archive: NamedTempFile,
}

/// The last lines, and the number of earlier ones.
#[derive(Debug, Default)]
struct Said {
    lines: VecDeque<String>,
    gone: u64,
}

/// The reason why an order cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the archive is not base64")]
    Base64(#[from] base64::DecodeError),
    #[error("the archive cannot be saved")]
    Archive(#[source] io::Error),
    #[error("the runner cannot be started")]
    Spawn(#[source] io::Error),
}

impl Run {
    /// Starts the runner.
    ///
    /// # Errors
    /// The archive cannot be saved, or the process cannot be started.
    pub fn start(settings: &AgentSettings, order: Order) -> Result<Self, StartError> {
        let bytes = BASE64_STANDARD.decode(&order.archive)?;
        let archive = keep(&bytes).map_err(StartError::Archive)?;
        let program = &settings.program;
        let mut command = Command::new(
            program
                .first()
                .map_or("sparring".as_ref(), OsString::as_os_str),
        );
        command.args(program.iter().skip(1));
        command.args(["run", "--quiet", "--no-summary", "--no-color"]);
        command.args(["--collector", &order.collector, "--runner", &order.runner]);
        command.args(["--execution-segment", &order.segment]);
        command.args(["--execution-segment-sequence", &order.sequence]);
        command.args(&order.flags).arg(archive.path());
        settings.hidden.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.env(TOKEN_VARIABLE, &settings.token);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(StartError::Spawn)?;
        let said = Arc::<Mutex<Said>>::default();
        let stderr = child.stderr.take();
        let kept = Arc::clone(&said);
        let reading = tokio::spawn(async move {
            if let Some(stderr) = stderr {
                read(stderr, &kept).await;
            }
        });
        Ok(Self {
            name: order.run,
            child,
            ended: None,
            said,
            reading,
            asked: Instant::now(),
            forgotten: None,
            _archive: archive,
        })
    }

    /// Whether the process is running.
    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some(status.code());
        }
        self.ended.is_none()
    }

    /// Its status, with its output from that line on. Also counts as a poll.
    pub fn status(&mut self, from: u64) -> Status {
        self.asked = Instant::now();
        self.is_running();
        // Its last lines may arrive after its exit.
        let ended = self.ended.filter(|_| self.reading.is_finished());
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = from.saturating_sub(said.gone) as usize;
        Status {
            state: ended.map_or(RunState::Running, RunState::Ended),
            lines: said.lines.iter().skip(skipped).cloned().collect(),
            next: said.gone + said.lines.len() as u64,
        }
    }

    /// Whether there was no poll for this time.
    pub fn is_forgotten(&self, after: Duration) -> bool {
        self.asked.elapsed() > after
    }

    /// When it was told to end because its client stopped polling.
    pub const fn forgotten(&self) -> Option<Instant> {
        self.forgotten
    }

    /// Interrupts the process, as Ctrl-C does: it ends its load and saves its measurements if the collector is lost.
    pub fn forget(&mut self) {
        self.forgotten = Some(Instant::now());
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }

    /// Its last output.
    pub fn last_words(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let first = said.lines.len().saturating_sub(LAST_WORDS);
        said.lines.iter().skip(first).cloned().collect()
    }

    /// Ends the process at once.
    pub async fn kill(&mut self) {
        if self.is_running() {
            // An error means that it has already exited.
            drop(self.child.kill().await);
        }
    }
}

fn keep(bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("sparring-")
        .suffix(".tar")
        .tempfile()?;
    file.write_all(bytes)?;
    file.flush()?;
    Ok(file)
}

async fn read(stderr: impl AsyncRead + Unpin, said: &Mutex<Said>) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(mut line)) = lines.next_segment().await {
        line.truncate(LONGEST_LINE);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.lines
            .push_back(String::from_utf8_lossy(&line).into_owned());
        if said.lines.len() > MOST_LINES {
            said.lines.pop_front();
            said.gone += 1;
        }
    }
}
