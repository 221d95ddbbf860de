//! The journal of a drill: `NAME_<UTC time>.json`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Drill;
use super::conduct::Conducted;
use super::judge::Verdict;
use crate::report::{WriteError, write_whole};

/// Lists of `seen`, and the field with the time of each entry in seconds from the drill's start.
const TIMED: [(&str, &str); 3] = [("probes", "sent"), ("breakers", "at"), ("events", "at")];

impl Conducted {
    /// The journal as JSON. Every entry has its time from the drill's start and by the wall clock.
    pub fn journal(&self, drill: &Drill) -> Value {
        let mut seen = json!(self.seen);
        for (list, field) in TIMED {
            for entry in seen[list].as_array_mut().into_iter().flatten() {
                let at = Duration::try_from_secs_f64(entry[field].as_f64().unwrap_or_default());
                entry["time"] = wall_clock(self.began + at.unwrap_or_default()).into();
            }
        }
        json!({
            "drill": drill.title,
            "began": wall_clock(self.began),
            "ended": wall_clock(self.began + self.took),
            "status": match self.outcome.verdict {
                Verdict::Interrupted => "interrupted",
                _ => "complete",
            },
            "outcome": self.outcome,
            "seen": seen,
        })
    }

    /// Writes the journal into `folder`, named after the drill's file and the time of its start.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn write(&self, drill: &Drill, folder: &Path, file: &Path) -> Result<PathBuf, WriteError> {
        let path = folder.join(self.file_name(file));
        write_whole(&path, format!("{:#}\n", self.journal(drill)).as_bytes())?;
        Ok(path)
    }

    fn file_name(&self, file: &Path) -> String {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let began = Timestamp::try_from(self.began).unwrap_or_default();
        let time = began.strftime("%Y%m%dT%H%M%SZ");
        format!("{}_{time}.json", stem.replace('-', "_"))
    }
}

/// RFC 3339, to the millisecond.
fn wall_clock(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::breaker::BreakerState;
    use super::super::judge::judge;
    use super::super::observe::Stage;
    use super::super::observe::{BreakerSeen, Event, Observations, Probe};
    use super::*;

    #[test]
    fn entries_have_the_time_of_day_and_the_file_the_time_of_the_begin() {
        let drill: Drill = live_config::read::from_value(json!({
            "title": "t", "faults": [], "recover": {"within_ms": 1},
            "steady_state": {"for_ms": 1000, "expect": {}},
        }))
        .expect("a sound drill");
        let at = Duration::from_millis(1_500);
        let stage = Stage::Reverted {
            detector: "a".to_owned(),
        };
        let seen = Observations {
            probes: vec![Probe {
                sent: at,
                took: at,
                status: 200,
                coverage: 1.0,
            }],
            breakers: vec![BreakerSeen {
                at,
                detector: "a".to_owned(),
                state: BreakerState::Open,
            }],
            events: Event::of(at, &stage).into_iter().collect(),
            ..Observations::default()
        };
        let began: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let conducted = Conducted {
            outcome: judge(&drill, &seen, at, &[]),
            seen,
            began: began.into(),
            took: at,
            is_reverted: true,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = conducted
            .write(&drill, folder.path(), Path::new("x/drill-one.yaml"))
            .expect("writable");
        assert!(
            path.ends_with("drill_one_20260102T030405Z.json"),
            "{path:?}"
        );
        let text = std::fs::read_to_string(path).expect("readable");
        let journal: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(journal["began"], "2026-01-02T03:04:05.000Z");
        assert_eq!(journal["ended"], "2026-01-02T03:04:06.500Z");
        for (list, _) in TIMED {
            assert_eq!(journal["seen"][list][0]["time"], journal["ended"], "{list}");
        }
    }

    #[test]
    fn an_impossible_folder_is_named() {
        let drill: Drill = live_config::read::from_value(json!({
            "title": "t", "faults": [], "recover": {"within_ms": 1},
            "steady_state": {"for_ms": 1000, "expect": {}},
        }))
        .expect("a sound drill");
        let seen = Observations::default();
        let conducted = Conducted {
            outcome: judge(&drill, &seen, Duration::ZERO, &[]),
            seen,
            began: SystemTime::now(),
            took: Duration::ZERO,
            is_reverted: true,
        };
        let error = conducted
            .write(&drill, Path::new("/dev/null/r"), Path::new("d.yaml"))
            .expect_err("a device is no folder");
        assert!(error.to_string().contains("/dev/null/r/d_"), "{error}");
    }
}
