//! The load driver: a separate process that ends with the drill.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use service_runtime::Shutdown;
use tokio::time::Instant;

use super::Load;

/// Time for the driver to end after it was told to stop.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(200);

/// The load driver's process; it does not outlive this value.
pub(super) struct Driver {
    child: Child,
    /// Set when it is being stopped, so that its messages about that are not shown.
    ending: Arc<AtomicBool>,
}

impl Driver {
    /// Starts `command` on the script of `load` against `orchestrator`.
    ///
    /// # Errors
    /// The program does not exist, or no process can be created.
    pub fn start(load: &Load, orchestrator: &str, command: &[OsString]) -> std::io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| std::io::Error::other("no command line for the driver"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(&load.script)
            .envs(&load.env)
            .env("PERF_BASE_URL", orchestrator)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // The drill starts the driver on its main thread, which lives as long as the drill.
        crate::child::end_with_parent(&mut command);
        let mut child = command.spawn()?;
        let ending = Arc::new(AtomicBool::new(false));
        if let Some(stderr) = child.stderr.take() {
            let ending = ending.clone();
            std::thread::spawn(move || pass_on(stderr, &ending));
        }
        Ok(Self { child, ending })
    }

    /// The driver's exit status, if it has exited.
    ///
    /// # Errors
    /// The process does not exist.
    pub fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Interrupts the driver as Ctrl-C does, and waits for its exit. `None`: it did not exit in time, or
    /// `hurry` was requested.
    ///
    /// # Errors
    /// The process does not exist.
    pub async fn end(&mut self, hurry: &Shutdown) -> std::io::Result<Option<ExitStatus>> {
        self.ending.store(true, Ordering::Release);
        if let (None, Ok(pid)) = (self.child.try_wait()?, i32::try_from(self.child.id())) {
            // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !hurry.is_cancelled() {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Forwards the driver's output until it is being stopped.
fn pass_on(stderr: ChildStderr, ending: &AtomicBool) {
    for line in BufReader::new(stderr).split(b'\n') {
        let Ok(mut line) = line else { return };
        if ending.load(Ordering::Acquire) {
            continue;
        }
        line.push(b'\n');
        // Without a standard error there is no place for a message.
        drop(std::io::stderr().write_all(&line));
    }
}
