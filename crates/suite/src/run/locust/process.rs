//! The process of Locust.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::end_with_parent;
use crate::run::job::Job;
use crate::run::progress::clock;

const LOOK: Duration = Duration::from_millis(100);
/// Time for Locust to end after the request to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// The prefix of variables that would override the plan.
const OVERRIDES: &str = "LOCUST_";

/// The command to start.
pub struct Process<'a> {
    pub program: &'a Path,
    pub arguments: Vec<OsString>,
    /// The phases as JSON.
    pub plan: String,
    /// The file for its output.
    pub log: PathBuf,
}

/// The end of the process.
pub struct Ended {
    pub code: Option<i32>,
    /// The reason why it was ended from here, if it was.
    pub because: Option<&'static str>,
    pub version: Option<String>,
    pub took: Duration,
}

impl Process<'_> {
    /// Runs the process to its end, for at most `longest`; Ctrl-C ends it early, gracefully.
    ///
    /// # Errors
    /// It cannot be started, or its log cannot be written.
    pub fn run(&self, job: &Job<'_>, label: &str, longest: Duration) -> std::io::Result<Ended> {
        let log = File::create(&self.log)?;
        let mut command = Command::new(self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OVERRIDES) {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .env("SPARRING_LOCUST_PLAN", &self.plan)
            .env("PERF_BASE_URL", job.target.base_url())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        end_with_parent(&mut command);
        let version = version(self.program);
        let begun = Instant::now();
        let mut running = Running(command.spawn()?);
        let mut because = None;
        let mut deadline = begun + longest;
        let code = loop {
            if let Some(status) = running.0.try_wait()? {
                break status.code();
            }
            let now = Instant::now();
            if because.is_none() && (job.stop.is_cancelled() || now >= deadline) {
                because = Some(if job.stop.is_cancelled() {
                    "interrupted"
                } else {
                    "it did not exit at its planned end"
                });
                running.ask_to_end();
                deadline = now + PATIENCE;
            } else if because.is_some() && (now >= deadline || job.hurry.is_cancelled()) {
                break None;
            }
            job.tell.live(&[format!(
                "{label}  with Locust  {}",
                clock(begun.elapsed().as_secs_f64())
            )]);
            std::thread::sleep(LOOK);
        };
        Ok(Ended {
            code,
            because,
            version,
            took: begun.elapsed(),
        })
    }
}

/// A child process that is killed when this value is dropped.
struct Running(Child);

impl Running {
    fn ask_to_end(&self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

/// `locust 2.43.1 from …` is 2.43.1.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    text.split_whitespace().find(number).map(str::to_owned)
}
