//! A native function that cannot be interrupted blocks its thread, but not the end of the run.

use std::time::{Duration, Instant};

use crate::binary::{Ended, call};

/// Much longer than the run waits for such a thread, much shorter than the native function takes.
const BOUND: Duration = Duration::from_secs(90);

const ENDLESS: &str = "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })";

/// The log of the run, and its JSON output.
fn run(script: &str, threads: &str) -> (Ended, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("script.js");
    std::fs::write(&path, script).expect("the folder is writable");
    let points = folder.path().join("points.json");
    let output = format!("json={}", points.display());
    let begin = Instant::now();
    let ended = call([
        "run",
        "--threads",
        threads,
        "--out",
        &output,
        &path.display().to_string(),
    ]);
    assert!(begin.elapsed() < BOUND, "{}", ended.stderr);
    (
        ended,
        std::fs::read_to_string(points).expect("the output was written"),
    )
}

#[test]
fn a_virtual_user_that_does_not_come_back_is_named_and_left_behind() {
    let script = format!(
        "import {{ Counter }} from 'k6/metrics';
         const done = new Counter('done');
         const once = {{ executor: 'per-vu-iterations', gracefulStop: '0s', maxDuration: '1s' }};
         export const options = {{ scenarios: {{
           stuck: {{ ...once, exec: 'stuck' }},
           other: {{ ...once, exec: 'other', iterations: 5 }},
         }} }};
         export function stuck() {{ {ENDLESS}; }}
         export function other() {{ done.add(1); }}
         export function teardown() {{ console.log('cleaned up'); }}
         export function handleSummary(data) {{ return {{ stdout: `done ${{data.metrics.done?.values.count}}` }}; }}"
    );
    for threads in ["1", "2"] {
        let (ended, points) = run(&script, threads);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let said = "a virtual user of scenario 'stuck' did not stop";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(ended.stderr.contains("cleaned up"), "{}", ended.stderr);
        assert!(ended.stderr.contains("are incomplete"), "{}", ended.stderr);
        if threads == "2" {
            assert!(ended.stdout.contains("done 5"), "{}", ended.stdout);
            let done = points.lines().filter(|line| line.contains("\"done\""));
            // The declaration of the metric and its samples.
            assert_eq!(done.count(), 6, "{points}");
        }
    }
}

#[test]
fn a_setup_that_does_not_come_back_ends_with_its_time() {
    let script = format!(
        "export const options = {{ setupTimeout: '1s' }};
         export function setup() {{ {ENDLESS}; }}
         export default function () {{}}
         export function handleSummary() {{ return {{ stdout: 'the end' }}; }}"
    );
    let (ended, _) = run(&script, "1");
    assert_eq!(ended.code, Some(100), "{}", ended.stderr);
    assert!(ended.stderr.contains("setup() execution timed out"));
    assert!(ended.stderr.contains("did not stop"), "{}", ended.stderr);
    assert!(ended.stdout.contains("the end"), "{}", ended.stdout);
}

#[test]
fn a_teardown_that_does_not_come_back_ends_with_its_time() {
    let script = format!(
        "export const options = {{ teardownTimeout: '1s' }};
         export default function () {{}}
         export function teardown() {{ {ENDLESS}; }}
         export function handleSummary() {{ return {{ stdout: 'the end' }}; }}"
    );
    let (ended, _) = run(&script, "2");
    assert_eq!(ended.code, Some(101), "{}", ended.stderr);
    assert!(ended.stderr.contains("did not stop"), "{}", ended.stderr);
    assert!(ended.stdout.contains("the end"), "{}", ended.stdout);
}
