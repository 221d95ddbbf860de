//! Drills as parts of a test: faults of mock detectors, judged by the drill's own file.

use std::time::Duration;

use report::record::{Event, EventKind, Judgement, Standing, TestRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::measure::unix_now;
use super::stage::{Driving, Stage};
use crate::drill::{self, Drill, Ending, Stage as DrillStage, Verdict};

/// A completed drill.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drilled {
    /// The name of its file without folder and extension.
    pub name: String,
    pub journal: Value,
    judgement: Judgement,
}

/// Carries out the drills of a test one after the other. Their times are not scaled, because those of the
/// breakers are not either.
pub fn carry_out(stage: &Stage<'_>, driving: &mut Driving) -> Vec<Drilled> {
    let mut done = Vec::new();
    let Some(target) = stage.job.target.drilled() else {
        let why = "drills need mock detectors, and this target has none";
        driving.invalid_because.push(why.to_owned());
        return done;
    };
    for path in &stage.test.drills {
        if stage.job.stop.is_cancelled() {
            break;
        }
        match one(stage, target, &stage.job.files.path(path)) {
            Ok(drilled) => done.push(drilled),
            Err(why) => driving
                .invalid_because
                .push(format!("{}: {why}", path.display())),
        }
    }
    done
}

fn one(
    stage: &Stage<'_>,
    target: &drill::Target,
    path: &std::path::Path,
) -> Result<Drilled, String> {
    let drill = Drill::read(path).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime for the drill: {error}"))?;
    let ending = Ending {
        asked: stage.job.stop.clone(),
        hurry: stage.job.hurry.clone(),
    };
    let label = stage.test.label();
    let tell = |at: Duration, what: DrillStage| {
        let text = words(&what);
        stage
            .job
            .tell
            .line(&format!("{label}  {:.1} s  {text}", at.as_secs_f64()));
    };
    let began = unix_now();
    stage
        .job
        .tell
        .line(&format!("{label}  drill: {}", drill.title));
    let conducting = drill::conduct(&drill, target, &stage.job.settings.driver, &ending, tell);
    let conducted = runtime
        .block_on(conducting)
        .map_err(|error| error.to_string())?;
    for event in events(&conducted, began) {
        stage.note_at(event);
    }
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(Drilled {
        judgement: judgement(stage, &name, &drill, &conducted),
        journal: conducted.journal(&drill),
        name,
    })
}

fn words(stage: &DrillStage) -> String {
    match stage {
        DrillStage::Steadying => "checking for a steady state".to_owned(),
        DrillStage::Injected { detector, patch } => format!("{detector}: injected {patch}"),
        DrillStage::Reverted { detector } => format!("{detector}: reverted"),
        DrillStage::Breaker { detector, state } => format!("breaker of {detector}: {state}"),
        DrillStage::Recovering => "waiting for recovery".to_owned(),
    }
}

fn events(conducted: &drill::Conducted, began: f64) -> Vec<Event> {
    let seen = &conducted.seen;
    let faults = seen.events.iter().map(|event| Event {
        at_s: began + event.at.as_secs_f64(),
        kind: if event.what == "injected" {
            EventKind::FaultInjected
        } else {
            EventKind::FaultReverted
        },
        text: format!("{}: {}", event.detector, event.what.replace('_', " ")),
        detail: json!({ "fault": event.detector, "patch": event.patch }),
    });
    let breakers = seen.breakers.iter().map(|breaker| Event {
        at_s: began + breaker.at.as_secs_f64(),
        kind: EventKind::Reaction,
        text: format!("breaker of {}: {}", breaker.detector, breaker.state),
        detail: json!({ "detector": breaker.detector, "state": breaker.state }),
    });
    faults.chain(breakers).collect()
}

fn judgement(
    stage: &Stage<'_>,
    name: &str,
    drill: &Drill,
    conducted: &drill::Conducted,
) -> Judgement {
    let outcome = &conducted.outcome;
    let standing = match outcome.verdict {
        Verdict::Passed => Standing::Held,
        Verdict::Failed => Standing::Crossed,
        Verdict::NotSteady => Standing::Inconclusive,
        Verdict::Untrusted => Standing::NoData,
    };
    let broken = match outcome.broken.as_slice() {
        [] => String::new(),
        broken => format!(": {}", broken.join("; ")),
    };
    Judgement {
        id: format!("{}.drill.{name}", stage.test.label()),
        kind: "named".to_owned(),
        asked: format!("drill {name}, {}{broken}", drill.title),
        phase: None,
        standing,
        measured: outcome.time_to_recover_s,
        bound: Some(drill.recover.within_ms as f64 / 1e3),
        interval: None,
        unit: "s".to_owned(),
        grade: None,
        needs_more: None,
        proved: None,
        rule: "the drill's own file: steady before, bounds during the faults, detection, recovery"
            .to_owned(),
    }
}

/// Adds the results of the drills to the record.
pub fn write_into(drilled: &[Drilled], record: &mut TestRecord) {
    let mut shown = json!({});
    for one in drilled {
        shown[one.name.as_str()] = one.journal["outcome"].clone();
        record.judgements.push(one.judgement.clone());
    }
    if !drilled.is_empty() {
        record.analysis.insert("drill".to_owned(), shown);
    }
}
