//! The alerts that the thresholds would have raised during the test (N-10). Reads a judged record.

use report::alerting::{KEY, Missing, replay};
use report::record::{Finding, Severity, TestRecord};
use serde_json::json;

use super::verdict::Sheet;

const ACTION: &str = "Lower the bound or the duration of the alert, or add a threshold on a metric that shows it; `sparring report \
                      --format rules` writes the rules.";
const FALSIFIED_BY: &str = "promtool test rules shows one of the alerts firing in the window.";

/// Adds the replay, and a finding for each problem that no alert would have reported.
pub(super) fn judge(record: &TestRecord, sheet: &mut Sheet) {
    let Some(replay) = replay(record) else {
        return;
    };
    for missing in &replay.missing {
        let name = missing.fault.as_ref().or(missing.judgement.as_ref());
        let name = name.map_or("", String::as_str);
        let id = sheet.id("finding", &format!("alert_missing.{name}"), None);
        sheet.findings.push(finding(id, missing));
    }
    let replay = serde_json::to_value(replay).expect("it has no maps with keys that are not text");
    sheet.analysis.insert(KEY.to_owned(), replay);
}

fn finding(id: String, missing: &Missing) -> Finding {
    Finding {
        id,
        rule: "alert_missing".to_owned(),
        severity: Severity::Warning,
        text: missing.sentence(),
        evidence: json!({ "fault": missing.fault, "judgement": missing.judgement }),
        window_s: Some(missing.window_s),
        action: ACTION.to_owned(),
        falsified_by: FALSIFIED_BY.to_owned(),
    }
}
