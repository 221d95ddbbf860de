//! The exit code tells in which stage a run has failed, and why: the same as k6's.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::find_k6;
use crate::binary::sparring;

/// As many stages run at the same time.
const AT_ONCE: usize = 2;

/// Scripts that have no function of their own to run end with this.
const RUNS: &str = "export default function () {}\n";

const EXEC: &str = "import exec from 'k6/execution';\n";

/// What happens, its exit code, and the script. `RUNS` is added to a script without a default function.
const STAGES: &[(&str, i32, &str)] = &[
    ("nothing", 0, ""),
    ("init code throws", 107, "throw new Error('x');"),
    ("init code throws a text", 107, "throw 'x';"),
    (
        "a timer of init code throws",
        107,
        "setTimeout(() => { throw new Error('x'); }, 1);",
    ),
    (
        "init code loses a promise",
        255,
        "Promise.reject(new Error('x'));",
    ),
    (
        "init code awaits a lost promise",
        107,
        "await Promise.reject(new Error('x'));",
    ),
    ("init code aborts", 108, "EXEC exec.test.abort('x');"),
    (
        "init code fails",
        107,
        "import { fail } from 'k6'; fail('x');",
    ),
    (
        "init code marks the test as failed",
        107,
        "EXEC exec.test.fail('x');",
    ),
    (
        "init code sends a request",
        107,
        "import http from 'k6/http'; http.get('http://127.0.0.1:1');",
    ),
    ("a syntax error", 107, "let = = 3;"),
    ("an import is missing", 107, "import './nope.js';"),
    (
        "an import of http",
        107,
        "import 'http://127.0.0.1:1/x.js';",
    ),
    ("a module of k6 is missing", 107, "import 'k6/nope';"),
    (
        "an export is missing",
        107,
        "import { nope } from './module.js';",
    ),
    ("an import throws", 107, "import './throws.js';"),
    (
        "a function has the name of an import",
        107,
        "import { x } from './module.js'; function x() {}",
    ),
    ("a required module is missing", 107, "require('./nope.js');"),
    (
        "a required module is missing, which is caught",
        0,
        "try { require('./nope.js'); } catch (e) {}",
    ),
    ("a file is missing", 107, "open('./nope.txt');"),
    (
        "a file is missing, which is caught",
        0,
        "try { open('./nope.txt'); } catch (e) {}",
    ),
    (
        "init code of the first VU throws",
        107,
        "if (__VU === 1) throw new Error('x');",
    ),
    (
        "init code of the first VU aborts",
        108,
        "EXEC if (__VU === 1) exec.test.abort('x');",
    ),
    (
        "init code of the first VU marks the test as failed",
        107,
        "EXEC if (__VU === 1) exec.test.fail('x');",
    ),
    (
        "init code of the first VU loses a promise",
        255,
        "if (__VU === 1) Promise.reject(new Error('x'));",
    ),
    (
        "init code of the first VU requires another module",
        107,
        "if (__VU === 1) require('./module.js');",
    ),
    ("no function", 255, "export const x = 1; export default 5;"),
    (
        "a CommonJS script without exports",
        255,
        "module.exports = 5;",
    ),
    (
        "a CommonJS script that exports null",
        255,
        "module.exports = null;",
    ),
    (
        "a CommonJS script that exports nothing",
        107,
        "module.exports = undefined;",
    ),
    (
        "a CommonJS script without a default function",
        104,
        "exports.x = function () {};",
    ),
    ("setup is not a function", 255, "export const setup = 5;"),
    (
        "handleSummary is not a function",
        0,
        "export const handleSummary = 5;",
    ),
    ("options are a number", 104, "export const options = 5;"),
    (
        "an option has a wrong type",
        104,
        "export const options = { vus: 'a' };",
    ),
    (
        "options contain a circle",
        255,
        "export const options = {}; options.o = options;",
    ),
    (
        "fewer iterations than VUs",
        104,
        "export const options = { vus: 2, iterations: 1 };",
    ),
    (
        "an executor is unknown",
        104,
        "export const options = { scenarios: { a: { executor: 'x' } } };",
    ),
    (
        "a function of a scenario is missing",
        104,
        "export const options = { scenarios: { a: { executor: 'shared-iterations', exec: 'nope' } } };",
    ),
    (
        "a threshold is malformed",
        104,
        "export const options = { thresholds: { checks: ['rate>'] } };",
    ),
    (
        "a threshold of an unknown metric",
        104,
        "export const options = { thresholds: { nope: ['rate>1'] } };",
    ),
    (
        "setup throws",
        107,
        "export function setup() { throw new Error('x'); }",
    ),
    (
        "setup throws, and teardown",
        107,
        "export function setup() { throw new Error('x'); } TEARDOWN_THROWS",
    ),
    (
        "setup rejects",
        255,
        "export async function setup() { throw new Error('x'); }",
    ),
    (
        "setup aborts",
        108,
        "EXEC export function setup() { exec.test.abort('x'); }",
    ),
    (
        "setup marks the test as failed",
        110,
        "EXEC export function setup() { exec.test.fail('x'); }",
    ),
    (
        "setup takes too long",
        100,
        "import { sleep } from 'k6'; export const options = { setupTimeout: '100ms' }; export function setup() { sleep(5); }",
    ),
    (
        "setup returns a circle",
        255,
        "export function setup() { const o = {}; o.o = o; return o; }",
    ),
    ("teardown throws", 107, "TEARDOWN_THROWS"),
    (
        "teardown rejects",
        255,
        "export async function teardown() { throw new Error('x'); }",
    ),
    (
        "teardown aborts",
        108,
        "EXEC export function teardown() { exec.test.abort('x'); }",
    ),
    (
        "teardown takes too long",
        101,
        "import { sleep } from 'k6'; export const options = { teardownTimeout: '100ms' }; export function teardown() { sleep(5); }",
    ),
    (
        "an iteration throws",
        0,
        "export default function () { throw new Error('x'); }",
    ),
    (
        "an iteration aborts",
        108,
        "EXEC export default function () { exec.test.abort('x'); }",
    ),
    (
        "an iteration aborts, and teardown throws",
        108,
        "EXEC export default function () { exec.test.abort('x'); } TEARDOWN_THROWS",
    ),
    (
        "an iteration aborts for a symbol",
        108,
        "EXEC export default function () { exec.test.abort(Symbol('x')); }",
    ),
    (
        "an iteration aborts, and handleSummary throws",
        108,
        "EXEC export default function () { exec.test.abort('x'); } export function handleSummary() { throw new Error('x'); }",
    ),
    (
        "an iteration marks the test as failed",
        110,
        "EXEC export default function () { exec.test.fail('x'); }",
    ),
    (
        "an iteration marks the test as failed, and teardown throws",
        107,
        "EXEC export default function () { exec.test.fail('x'); } TEARDOWN_THROWS",
    ),
    ("a threshold is crossed", 99, "THRESHOLD"),
    (
        "a threshold is crossed, and teardown throws",
        107,
        "THRESHOLD TEARDOWN_THROWS",
    ),
    (
        "a threshold is crossed, and an iteration aborts",
        108,
        "EXEC THRESHOLD export default function () { exec.test.abort('x'); }",
    ),
    (
        "a threshold is crossed, and handleSummary throws",
        99,
        "THRESHOLD export function handleSummary() { throw new Error('x'); }",
    ),
    (
        "a threshold aborts, and teardown throws",
        99,
        "import { sleep } from 'k6'; export const options = { duration: '20s', thresholds: { iterations: [{ threshold: 'count>1e9', abortOnFail: true }] } }; export default function () { sleep(0.1); } TEARDOWN_THROWS",
    ),
    (
        "handleSummary throws",
        0,
        "export function handleSummary() { throw new Error('x'); }",
    ),
    (
        "handleSummary returns a number",
        0,
        "export function handleSummary() { return 5; }",
    ),
    (
        "handleSummary writes nowhere",
        0,
        "export function handleSummary() { return { '/nope/x': 'x' }; }",
    ),
];

/// The exit codes of `inspect --execution-requirements` for scripts that a run would refuse.
const INSPECTED: &[(&str, i32, &str)] = &[
    ("init code throws", 107, "throw new Error('x');"),
    ("init code aborts", 108, "EXEC exec.test.abort('x');"),
    ("no function", 255, "export const x = 1; export default 5;"),
    (
        "a threshold is malformed",
        104,
        "export const options = { thresholds: { checks: ['rate>'] } };",
    ),
    (
        "a threshold of an unknown metric",
        104,
        "export const options = { thresholds: { nope: ['rate>1'] } };",
    ),
    (
        "fewer iterations than VUs",
        104,
        "export const options = { vus: 2, iterations: 1 };",
    ),
];

const TEARDOWN_THROWS: &str = "export function teardown() { throw new Error('teardown'); }\n";
const THRESHOLD: &str = "export const options = { thresholds: { iterations: ['count>5'] } };\n";

fn script(text: &str) -> String {
    let text = text
        .replace("EXEC", EXEC)
        .replace("TEARDOWN_THROWS", TEARDOWN_THROWS)
        .replace("THRESHOLD", THRESHOLD);
    let has_function = ["default", "exports"]
        .iter()
        .any(|word| text.contains(word));
    match has_function {
        true => text,
        false => text + "\n" + RUNS,
    }
}

fn code(mut driver: Command, words: &[&str], script: &Path) -> Option<i32> {
    driver
        .args(words)
        .arg(script)
        .env("K6_NO_USAGE_REPORT", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    driver.status().expect("it runs").code()
}

#[test]
fn exit_codes_tell_the_stage_in_which_a_run_has_failed() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    };
    write("module.js", "export const x = 1;");
    write("throws.js", "throw new Error('x');");
    let runs = STAGES
        .iter()
        .map(|stage| (stage, &["run", "-q", "--no-summary"][..]));
    let run = &["run", "-q"][..];
    let runs = runs.map(|(stage, words)| {
        (
            stage,
            if stage.2.contains("handleSummary") {
                run
            } else {
                words
            },
        )
    });
    let inspected = INSPECTED
        .iter()
        .map(|stage| (stage, &["inspect", "--execution-requirements"][..]));
    let queue: Mutex<VecDeque<_>> = Mutex::new(runs.chain(inspected).enumerate().collect());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panics").pop_front();
                    let Some((number, ((what, expected, text), words))) = next else {
                        return;
                    };
                    let script = write(&format!("{number}.js"), &script(text));
                    let mut real = Command::new(&k6);
                    real.args(["--address", ""]);
                    let real = code(real, words, &script);
                    let mut ours = sparring();
                    ours.arg0("k6");
                    let ours = code(ours, words, &script);
                    if (real, ours) != (Some(*expected), Some(*expected)) {
                        let line =
                            format!("{what}: expected {expected}, k6 {real:?}, ours {ours:?}");
                        wrong.lock().expect("no panics").push(line);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panics");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
