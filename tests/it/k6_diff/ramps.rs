//! The number of VUs at each second of a ramp: samples of `vus` from real k6 and this driver.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::find_k6;
use crate::binary::sparring;

/// Steps occur at halves and quarters of seconds, apart from the samples at whole ones.
const SCRIPT: &str = "
import { sleep } from 'k6';
export const options = { scenarios: { r: {
    executor: 'ramping-vus', startTime: '250ms', startVUs: 1, gracefulRampDown: '1s', gracefulStop: '0s',
    stages: [{ duration: '2s', target: 5 }, { duration: '1s', target: 5 }, { duration: '2s', target: 1 },
             { duration: '0s', target: 3 }, { duration: '1s', target: 3 }] } } };
export default function () { sleep(0.03); }
";

/// A busy machine shifts samples; then both drivers are run again.
const LOOKS: usize = 3;

fn vus(mut command: Command, folder: &Path, script: &Path) -> Vec<u64> {
    let points = folder.join("points.json");
    command
        .args(["run", "--quiet", "--no-summary", "--no-usage-report", "-o"])
        .arg(format!("json={}", points.display()))
        .arg(script);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let ended = command.status().expect("the driver starts");
    assert!(ended.success(), "{ended}");
    let text = std::fs::read_to_string(&points).expect("points");
    let point = |line: &str| {
        let point: Value = serde_json::from_str(line).expect("JSON");
        let is_count = point["metric"] == "vus" && point["type"] == "Point";
        is_count.then(|| point["data"]["value"].as_u64().expect("a count"))
    };
    text.lines().filter_map(point).collect()
}

#[test]
fn vus_at_every_second_of_a_ramp_are_k6s() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("ramp.js");
    std::fs::write(&script, SCRIPT).expect("written");
    let mut seen = Vec::new();
    for _ in 0..LOOKS {
        let theirs = vus(Command::new(&k6), folder.path(), &script);
        let ours = vus(sparring(), folder.path(), &script);
        if theirs == ours && ours.len() >= 5 {
            return;
        }
        seen.push((theirs, ours));
    }
    panic!("k6 and ours, look by look: {seen:?}");
}
