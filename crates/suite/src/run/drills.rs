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
    if conducted.outcome.verdict == Verdict::Interrupted {
        return Err(match conducted.is_reverted {
            true => "interrupted; everything injected was reverted".to_owned(),
            false => format!("interrupted: {}", conducted.outcome.broken.join("; ")),
        });
    }
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
        Verdict::Untrusted | Verdict::Interrupted => Standing::NoData,
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
    let (mut affected, mut controls) = (Vec::new(), Vec::new());
    for one in drilled {
        let outcome = &one.journal["outcome"];
        shown[one.name.as_str()] = outcome.clone();
        affected.extend(reached(&one.name, &outcome["reach"]));
        controls.extend(control(&one.judgement.id, &one.name, &outcome["reach"]));
        record.judgements.push(one.judgement.clone());
    }
    let lists = [("drill_reach", affected), ("drill_controls", controls)];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        record.analysis.insert(name.to_owned(), Value::Array(list));
    }
    if !drilled.is_empty() {
        record.analysis.insert("drill".to_owned(), shown);
    }
}

/// One entry for each detector that a drill affected.
fn reached(drill: &str, reach: &Value) -> Vec<Value> {
    let affected = reach["affected"].as_array().into_iter().flatten();
    let entry = |it: &Value| {
        json!({
            "fault": drill,
            "detector": it["detector"],
            "faulted": it["faulted"],
            "bad_before": failed_share(&it["before"]),
            "bad_during": failed_share(&it["during"]),
            "difference_from": it["difference"][0],
            "difference_to": it["difference"][1],
            "adjusted_p_value": it["adjusted_p_value"],
            "beyond_control_from": it["beyond_control"][0],
            "beyond_control_to": it["beyond_control"][1],
        })
    };
    affected.map(entry).collect()
}

/// The concurrent control group of a drill, with the id of its receipt.
fn control(judgement: &str, drill: &str, reach: &Value) -> Option<Value> {
    let control = &reach["control"];
    let spared: Vec<&str> = reach["spared"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    Some(json!({
        "fault": drill,
        "detectors": control["detectors"].as_u64().unwrap_or(0),
        "requests": control["during"]["made"],
        "bad_before": failed_share(&control["before"]),
        "bad_during": failed_share(&control["during"]),
        "spared": spared.join(", "),
        "requests_beyond_control": reach["calls_beyond_control"],
        "id": format!("{judgement}.radius"),
    }))
}

/// `None` without calls.
fn failed_share(calls: &Value) -> Option<f64> {
    let made = calls["made"].as_f64().filter(|made| *made > 0.0)?;
    Some(calls["failed"].as_f64()? / made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_has_its_detectors_and_its_control_group_in_the_record() {
        let calls = |made, failed| json!({ "made": made, "failed": failed });
        let reach = json!({
            "affected": [{
                "detector": "a", "faulted": true, "before": calls(100, 0), "during": calls(200, 160),
                "difference": [0.7, 0.9], "adjusted_p_value": 1e-9, "beyond_control": null,
            }],
            "spared": ["b"],
            "control": { "detectors": 2, "before": calls(200, 10), "during": calls(400, 20) },
            "calls_beyond_control": 160.0,
        });
        let affected = reached("dies", &reach);
        assert_eq!(affected.len(), 1);
        assert_eq!(affected[0]["bad_during"], 0.8);
        assert_eq!(affected[0]["beyond_control_from"], Value::Null);
        let found = control("t.drill.dies", "dies", &reach).expect("a control group");
        assert_eq!(found["id"], "t.drill.dies.radius");
        assert_eq!(
            (&found["bad_before"], &found["requests"]),
            (&json!(0.05), &json!(400))
        );
        // A drill that was not steady has none.
        assert_eq!(control("t.drill.dies", "dies", &Value::Null), None);
        let alone =
            json!({ "affected": [], "spared": [], "control": null, "calls_beyond_control": null });
        let found = control("t.drill.dies", "dies", &alone).expect("no control group");
        assert_eq!(
            (&found["detectors"], &found["requests"]),
            (&json!(0), &Value::Null)
        );
    }
}
