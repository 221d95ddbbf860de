//! Fault drills: inject faults into a running stack and judge its reaction.
//!
//! A drill defines the steady state, the faults and their length, and the requirements during and
//! after them. Nothing is injected into a system that is not steady beforehand, and faults are
//! reverted however the drill ends: they are overlays of the mocks' profiles, which expire unless
//! they are renewed.

mod breaker;
mod check;
mod conduct;
mod control;
mod driver;
mod error;
mod injector;
mod journal;
mod judge;
mod observe;
mod reach;
mod watch;

pub use breaker::BreakerState;
pub use conduct::{Conducted, Ending, conduct};
pub use control::Target;
pub use error::ConductError;
pub use judge::{Outcome, Verdict};
pub use observe::{BreakerSeen, Calls, CallsSeen, Event, Observations, Probe, Stage};
pub use reach::Reach;

use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use live_config::{ConfigError as FileFault, read};
use serde::Deserialize;
use serde_json::Value;

use crate::kind::Kind;

/// A drill file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The title of the experiment.
    pub title: String,
    /// The expectation and its reason.
    #[serde(default)]
    pub description: String,
    /// The k6 script that loads the system during the drill. Absent: only probes are sent.
    pub load: Option<Load>,
    #[serde(default)]
    pub probe: ProbeConfig,
    pub steady_state: SteadyState,
    pub faults: Vec<Fault>,
    /// Requirements from the first fault until recovery.
    #[serde(default)]
    pub during: Bounds,
    /// The required detection by the system. Absent: none.
    pub detect: Option<Detect>,
    pub recover: Recover,
}

/// Background load by the driver.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// The script, relative to the drill's file.
    pub script: PathBuf,
    /// Its environment. `PERF_BASE_URL` is set by the drill.
    #[serde(default)]
    pub env: IndexMap<String, String>,
}

/// Requests that the drill itself sends, and whose answers are judged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Time from one probe to the next, whether answered or not.
    pub interval_ms: u64,
    /// `text`, `image`, `document` or `code`: determines which detectors are called.
    pub content_type: String,
    /// The names of the detectors to call; empty leaves the choice to the policy.
    pub required_detectors: Vec<String>,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            interval_ms: 200,
            content_type: "text".to_owned(),
            required_detectors: Vec::new(),
        }
    }
}

/// The steady state. It has to hold before a fault is injected, and again for recovery.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteadyState {
    /// The time for load and caches to settle before the observation.
    #[serde(default = "two_seconds")]
    pub after_ms: u64,
    /// The length of the observation.
    pub for_ms: u64,
    pub expect: Bounds,
}

/// Bounds on the answers in a period. An absent bound is not required.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// The minimum share of probes that are answered in full or in part, 0 to 1.
    pub answered: Option<f64>,
    /// The minimum mean coverage of the answers, 0 to 1.
    pub coverage: Option<f64>,
    /// The maximum time of 95 of 100 probes; a probe without an answer exceeds any bound.
    pub p95_ms: Option<u64>,
}

/// A temporary change of a mock detector's profile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The detector's name; `all` for every detector.
    pub detector: String,
    /// Merged into its profile, as by PATCH of the admin API.
    pub patch: Value,
    /// The start, relative to the end of the steady state.
    #[serde(default)]
    pub at_ms: u64,
    /// The length of the fault.
    pub for_ms: u64,
    /// The number of repetitions, `every_ms` apart.
    #[serde(default = "once")]
    pub times: u32,
    /// From one start to the next; at least `for_ms` if the fault is repeated.
    #[serde(default)]
    pub every_ms: u64,
}

/// The system has detected the fault when these breakers have opened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// A detector's name, `any` for the first breaker that opens, or a list of names: all of them.
    pub breaker_opens: Opens,
    /// The time limit, from the start of the first fault.
    pub within_ms: u64,
    /// Requirements from the detection until the end of the last fault: the benefit of the detection.
    #[serde(default)]
    pub then: Bounds,
}

/// The breakers that have to open.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a detector's name, `any` for the first one, or a list of names"
)]
pub enum Opens {
    /// The breaker of this detector; `any`: the first one.
    One(String),
    /// All of them.
    Each(Vec<String>),
}

impl std::fmt::Display for Opens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(name) => f.write_str(name),
            Self::Each(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// The system has recovered when the steady state holds again and the breakers that the faults
/// opened are closed: those that `detect` names, otherwise those of all faulted detectors.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// The time limit, from the end of the last fault.
    pub within_ms: u64,
}

fn two_seconds() -> u64 {
    2_000
}

fn once() -> u32 {
    1
}

/// The reason why a drill cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not valid YAML: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{0}")]
    AnotherKind(String),
    #[error("{} has {}", path.display(), list(faults))]
    Faults {
        path: PathBuf,
        faults: Vec<FileFault>,
    },
}

fn list(faults: &[FileFault]) -> String {
    let count = match faults.len() {
        1 => "1 error:".to_owned(),
        several => format!("{several} errors:"),
    };
    let lines = faults.iter().map(|fault| format!("\n  {fault}"));
    std::iter::once(count).chain(lines).collect()
}

impl Drill {
    /// Reads a drill's file.
    ///
    /// # Errors
    /// It cannot be read, is not YAML, has faults, or would inject or measure nothing: all faults are
    /// in the error.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text = read::file(path).map_err(|source| ReadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Reads the text of a drill's file, which is at `path`.
    ///
    /// # Errors
    /// As [`Drill::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ReadError> {
        let value: Value = read::yaml(text).map_err(|error| ReadError::Syntax {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        if let Some(kind) = Kind::of(&value).filter(|kind| *kind != Kind::Drill) {
            let file = path.display().to_string();
            return Err(ReadError::AnotherKind(kind.instead(&file)));
        }
        let mut drill: Self = read::from_value(value).map_err(|faults| ReadError::Faults {
            path: path.to_owned(),
            faults,
        })?;
        let faults = check::check(&drill);
        if !faults.is_empty() {
            let path = path.to_owned();
            return Err(ReadError::Faults { path, faults });
        }
        if let (Some(load), Some(folder)) = (&mut drill.load, path.parent()) {
            load.script = folder.join(&load.script);
        }
        Ok(drill)
    }

    /// The end of the steady state, when the first fault may start.
    fn injection(&self) -> Duration {
        Duration::from_millis(self.steady_state.after_ms + self.steady_state.for_ms)
    }

    /// The end of the last fault.
    fn end_of_faults(&self) -> Duration {
        let ends = self.spells().into_iter().map(|spell| spell.end);
        ends.max().unwrap_or_default()
    }

    /// Every fault's start and end, from the drill's start, in the order of their starts.
    fn spells(&self) -> Vec<Spell<'_>> {
        let origin = self.injection();
        let mut spells: Vec<Spell<'_>> = self
            .faults
            .iter()
            .flat_map(|fault| (0..u64::from(fault.times)).map(move |turn| (fault, turn)))
            .map(|(fault, turn)| {
                let begin = origin + Duration::from_millis(fault.at_ms + turn * fault.every_ms);
                Spell {
                    fault,
                    begin,
                    end: begin + Duration::from_millis(fault.for_ms),
                }
            })
            .collect();
        spells.sort_by_key(|spell| spell.begin);
        spells
    }
}

/// One repetition of a fault.
#[derive(Debug, Clone, Copy)]
struct Spell<'a> {
    fault: &'a Fault,
    begin: Duration,
    end: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "
title: t
steady_state: { for_ms: 1000, expect: { answered: 0.9 } }
faults: [{ detector: a, patch: { success_rate: 0 }, for_ms: 500, times: 3, every_ms: 2000 }]
recover: { within_ms: 1 }
";

    fn read(text: &str) -> Result<Drill, ReadError> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("writable");
        Drill::read(file.path())
    }

    #[test]
    fn a_repeated_fault_comes_in_turns_behind_the_steady_state() {
        let drill = read(SMALL).expect("a sound drill");
        let turns: Vec<_> = drill
            .spells()
            .iter()
            .map(|spell| (spell.begin.as_millis(), spell.end.as_millis()))
            .collect();
        assert_eq!(turns, [(3000, 3500), (5000, 5500), (7000, 7500)]);
    }

    #[test]
    fn a_misspelt_field_is_named_with_its_path() {
        let text = SMALL.replace("answered", "answerd");
        let message = read(&text).expect_err("a fault").to_string();
        assert!(message.contains("steady_state.expect.answerd"), "{message}");
        assert!(message.contains("answered"), "{message}");
    }

    #[test]
    fn the_breakers_to_open_are_a_name_or_a_list_of_names() {
        for (given, message) in [
            ("a", None),
            ("[a, b]", None),
            ("7", Some("a list of names")),
        ] {
            let detect = format!("detect: {{ breaker_opens: {given}, within_ms: 1 }}\n{SMALL}");
            let error = read(&detect).err().map(|error| error.to_string());
            let said = error.as_deref().unwrap_or_default();
            assert_eq!(error.is_some(), message.is_some(), "{given}: {said}");
            assert!(
                said.contains(message.unwrap_or_default()),
                "{given}: {said}"
            );
        }
    }

    #[test]
    fn the_drills_of_the_repository_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/suites");
        let files = std::fs::read_dir(folder).expect("the folder of suites");
        let drills: Vec<Drill> = files
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().starts_with("drill-"))
            .map(|file| Drill::read(&file.path()).expect("a sound drill"))
            .collect();
        assert!(drills.len() >= 3);
        for drill in drills {
            let load = drill.load.expect("load");
            assert!(load.script.exists(), "{}", load.script.display());
        }
    }
}
