//! Fault drills: inject faults into a running stack and judge how it takes them.
//!
//! A drill says what is normal, what is broken and for how long, and what has to hold meanwhile
//! and afterwards. Nothing is injected into a system that is not steady to begin with, and what
//! was injected is reverted however the drill ends: faults are overlays of the mocks' profiles,
//! which go by themselves when nobody renews them.

mod check;
mod conduct;
mod control;
mod driver;
mod error;
mod injector;
mod journal;
mod judge;
mod observe;
mod watch;

pub use conduct::{Conducted, Ending, conduct};
pub use control::Target;
pub use error::ConductError;
pub use judge::{Outcome, Verdict};
pub use observe::{BreakerSeen, Event, Observations, Probe, Stage};

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
    /// What is tried, in a few words.
    pub title: String,
    /// What is expected and why.
    #[serde(default)]
    pub description: String,
    /// The k6 script that loads the system meanwhile. Absent: probes alone.
    pub load: Option<Load>,
    #[serde(default)]
    pub probe: ProbeConfig,
    pub steady_state: SteadyState,
    pub faults: Vec<Fault>,
    /// What has to hold from the first fault until recovery.
    #[serde(default)]
    pub during: Bounds,
    /// What the system has to notice. Absent: nothing is asked.
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

/// Requests of the drill's own, whose answers are what is judged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Time from one probe to the next, whether answered or not.
    pub interval_ms: u64,
    /// `text`, `image`, `document` or `code`: decides which detectors are asked.
    pub content_type: String,
    /// Asked for by name; empty leaves the choice to the policy.
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

/// What is normal. It has to hold before anything is injected, and again for recovery.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteadyState {
    /// Time for load and caches to settle before it is looked at.
    #[serde(default = "two_seconds")]
    pub after_ms: u64,
    /// How long it is looked at.
    pub for_ms: u64,
    pub expect: Bounds,
}

/// Bounds on the answers of a stretch of time. What is absent is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Least share of probes answered in full or in part, 0 to 1.
    pub answered: Option<f64>,
    /// Least mean coverage of the answers, 0 to 1.
    pub coverage: Option<f64>,
    /// Most time for 95 of 100 probes; one without an answer counts as later than any bound.
    pub p95_ms: Option<u64>,
}

/// A change of a mock detector's profile for a while.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The detector's name; `all` for every one.
    pub detector: String,
    /// Merged into its profile, as the admin API's PATCH does.
    pub patch: Value,
    /// Begin, from the end of the steady state.
    #[serde(default)]
    pub at_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
    /// How often it comes, `every_ms` apart.
    #[serde(default = "once")]
    pub times: u32,
    /// From one begin to the next; at least `for_ms` where it comes more than once.
    #[serde(default)]
    pub every_ms: u64,
}

/// The system has noticed when these breakers have opened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// A detector's name, `any` for whichever comes first, or a list of names: all of them.
    pub breaker_opens: Opens,
    /// From the begin of the first fault.
    pub within_ms: u64,
    /// What has to hold from then until the last fault ends: what noticing is good for.
    #[serde(default)]
    pub then: Bounds,
}

/// Whose breaker has to open.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a detector's name, `any` for whichever comes first, or a list of names"
)]
pub enum Opens {
    /// This one's; `any`: whichever comes first.
    One(String),
    /// Every one of them.
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
/// opened are closed: those that `detect` names, else those of all faulted detectors.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// From the end of the last fault.
    pub within_ms: u64,
}

fn two_seconds() -> u64 {
    2_000
}

fn once() -> u32 {
    1
}

/// Why there is no drill.
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
        let text = std::fs::read_to_string(path).map_err(|source| ReadError::Unreadable {
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

    /// When the steady state has been seen and the first fault may come.
    fn injection(&self) -> Duration {
        Duration::from_millis(self.steady_state.after_ms + self.steady_state.for_ms)
    }

    /// Every fault's begin and end, from the drill's begin, in the order of their begins.
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

/// One turn of a fault.
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
    fn who_has_to_notice_is_a_name_or_a_list_of_names() {
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
