//! Runs real Locust on the plan of a test, after the load driver: for comparison, and separate from the
//! judged figures.

mod process;
mod shape;
mod stats;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::before::prepare;
use super::job::Job;
use super::progress::clock;
use crate::file::Locust;
use crate::plan::PlannedTest;
use process::{Ended, Process};

/// The plan as a "load shape" (Locust's term).
const SHAPE: &str = "../locust/plan_shape.py";
/// The subfolder for Locust's files in the run's folder.
const FOLDER: &str = "locust";
/// Additional time to start Python, and for the last requests.
const MARGIN: Duration = Duration::from_secs(120);

/// The reason why Locust did not run a test.
#[derive(Debug, thiserror::Error)]
enum NotRun {
    #[error("the suite names no locustfile")]
    NoFile,
    #[error("Locust supports only users, and this test has {0}")]
    NotUsers(&'static str),
    #[error("{file} has no class {class}")]
    NoClass { file: String, class: String },
    #[error("{}: {error}", path.display())]
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("the system could not be prepared: {0}")]
    Prepare(String),
    #[error("{program} cannot be started: {error}")]
    Start {
        program: String,
        error: std::io::Error,
    },
}

/// Runs Locust with the users and phases of a test, under the same settings. Its figures are its own: no
/// judgement reads them. Returns `{status: "skipped", reason}` if it did not run.
pub fn run(job: &Job<'_>, program: &Path, test: &PlannedTest, folder: &Path) -> Value {
    match carry_out(job, program, test, folder) {
        Ok(result) => result,
        Err(error) => {
            let reason = error.to_string();
            job.tell
                .line(&format!("{}  not run with Locust: {reason}", test.label()));
            json!({ "status": "skipped", "reason": reason })
        }
    }
}

fn carry_out(
    job: &Job<'_>,
    program: &Path,
    test: &PlannedTest,
    folder: &Path,
) -> Result<Value, NotRun> {
    let locust = job.file.locust.as_ref().ok_or(NotRun::NoFile)?;
    let phases = shape::of(test).map_err(NotRun::NotUsers)?;
    let file = job.files.path(&locust.file);
    let classes = classes(locust, &file, test)?;
    let length = Duration::from_secs_f64(test.phases.last().map_or(0.0, |phase| phase.end_s));
    // The settings have to last as long as Locust runs.
    let lasting = PlannedTest {
        longest_s: (length + MARGIN).as_secs_f64(),
        ..test.clone()
    };
    let prepared = prepare(&lasting, job.target.admin(), job.target.name());
    let undo = prepared.map_err(|error| NotRun::Prepare(error.to_string()))?;
    let output = output(folder, test).map_err(|error| NotRun::File {
        path: folder.join(FOLDER),
        error,
    })?;
    job.tell.line(&format!(
        "{}  with Locust, {}",
        test.label(),
        clock(length.as_secs_f64())
    ));
    let arguments = [
        OsString::from("--locustfile"),
        joined(&file, &job.files.path(Path::new(SHAPE))),
        "--headless".into(),
        "--host".into(),
        job.target.base_url().into(),
        "--csv".into(),
        output.clone().into(),
        "--only-summary".into(),
        // Failures are in the figures; the exit code is the locustfile's own verdict.
        "--exit-code-on-error".into(),
        "0".into(),
    ];
    let process = Process {
        program,
        arguments: arguments
            .into_iter()
            .chain(classes.iter().map(OsString::from))
            .collect(),
        plan: json!(phases).to_string(),
        log: output.with_extension("log"),
    };
    let ended = process
        .run(job, &test.label(), length + MARGIN)
        .map_err(|error| NotRun::Start {
            program: program.display().to_string(),
            error,
        });
    let undone = undo.undo();
    if let Err(error) = undone {
        job.tell.warn(&format!(
            "the system's settings could not be reverted: {error}"
        ));
    }
    Ok(result(&ended?, &classes, &output))
}

/// Locust's classes for those of the test; each is in the file.
fn classes(locust: &Locust, file: &Path, test: &PlannedTest) -> Result<Vec<String>, NotRun> {
    let text = std::fs::read_to_string(file).map_err(|error| NotRun::File {
        path: file.to_owned(),
        error,
    })?;
    let names = test.classes.iter().map(|class| locust.class(&class.name));
    let found = names.map(|name| {
        if text.contains(&format!("class {name}(")) {
            return Ok(name.to_owned());
        }
        Err(NotRun::NoClass {
            file: locust.file.display().to_string(),
            class: name.to_owned(),
        })
    });
    found.collect()
}

/// The prefix of the names of its files.
fn output(folder: &Path, test: &PlannedTest) -> std::io::Result<PathBuf> {
    let label = test.label();
    let letters = label.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    });
    let folder = folder.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(letters.take(80).collect::<String>()))
}

fn joined(first: &Path, second: &Path) -> OsString {
    let mut both = first.as_os_str().to_owned();
    both.push(",");
    both.push(second);
    both
}

fn result(ended: &Ended, classes: &[String], output: &Path) -> Value {
    let mut result = json!({
        "status": if ended.code == Some(0) { "success" } else { "failed" },
        "exit_code": ended.code,
        "ended_because": ended.because,
        "version": ended.version,
        "classes": classes,
        "duration_seconds": ended.took.as_secs_f64(),
        "percentile_method": "Locust's own: response times are rounded to two digits above 100 ms",
    });
    match stats::read(output) {
        Ok(stats) => {
            for (name, value) in stats {
                result[name] = value;
            }
        }
        Err(why) => {
            result["status"] = json!("failed");
            result["reason"] = json!(why);
        }
    }
    result
}
