//! Receipts of blast radii: the affected, and their concurrent control group.

use serde_json::Value;

use super::{Explanation, listed};
use crate::number::{count, or_dash, percent, seconds};
use crate::record::TestRecord;

/// The blast radius of faults, by its lists in the analysis of a test.
pub(super) struct RadiusLists {
    pub controls: &'static str,
    affected: &'static str,
    /// What is compared, and what of it fails.
    member: &'static str,
    request: &'static str,
}

/// Faults of a target are judged by its endpoints, drills by the detectors behind the one endpoint of the orchestrator.
pub(super) const RADII: [RadiusLists; 2] = [
    RadiusLists {
        controls: "fault_controls",
        affected: "blast_radius",
        member: "endpoint",
        request: "request",
    },
    RadiusLists {
        controls: "drill_controls",
        affected: "drill_reach",
        member: "detector",
        request: "call",
    },
];

impl RadiusLists {
    pub fn explain(&self, test: &TestRecord, id: &str, control: &Value) -> Explanation {
        let Self {
            member, request, ..
        } = self;
        let fault = &control["fault"];
        let share = |entry: &Value, key: &str| or_dash(entry[key].as_f64(), percent);
        let affected: Vec<&Value> = listed(test, self.affected)
            .filter(|it| it["fault"] == *fault)
            .collect();
        let members = match affected.len() {
            1 => format!("1 {member}"),
            n => format!("{n} {member}s"),
        };
        let title = format!("{id}: {members} affected by the fault");
        let mut text = Explanation::new(title, control);
        let rule = format!(
            "more than 10 % of the {request}s failed or were late; more than before the fault, and by more than the other \
             {member}s (the concurrent control group) got worse at the same time, each at 5 % for all {member}s together \
             (Benjamini and Hochberg)"
        );
        text.line("rule", &rule);
        if let Some(of) = listed(test, "faults").find(|it| it["name"] == *fault) {
            let at = |key: &str| or_dash(of[key].as_f64(), seconds);
            let window = format!(
                "{} to {} of {}, beside the time before",
                at("injected_s"),
                at("removed_s"),
                test.title()
            );
            text.line("window", &window);
        }
        let control_group = match control["requests"].as_u64() {
            Some(requests) => format!(
                "control group: {} {member}s, {} {request}s, bad before {}, meanwhile {}",
                control[format!("{member}s")],
                count(requests),
                share(control, "bad_before"),
                share(control, "bad_during")
            ),
            None => format!(
                "control group: none, because every {member} got worse; the time before alone decides"
            ),
        };
        text.line("inputs", &control_group);
        for it in affected {
            let name = it[*member].as_str().unwrap_or_default();
            let rise = format!(
                "{name}: bad before {}, during {}",
                share(it, "bad_before"),
                share(it, "bad_during")
            );
            text.line("inputs", &rise);
            let computation = format!(
                "{name}: rose by {} to {}; beyond the control group by {} to {}",
                share(it, "difference_from"),
                share(it, "difference_to"),
                share(it, "beyond_control_from"),
                share(it, "beyond_control_to")
            );
            text.line("computation", &computation);
        }
        if let Some(spared) = control["spared"].as_str().filter(|names| !names.is_empty()) {
            text.line(
                "computation",
                &format!("no worse than the control group: {spared}"),
            );
        }
        let wrong = format!("the same load without the fault affects these {member}s as much");
        text.line("wrong if", &wrong);
        text
    }
}
