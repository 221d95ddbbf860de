//! `inspect` prints the same as k6, and the keys of newer options.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::find_k6;
use crate::binary::sparring;

/// Options of scripts.
const OPTIONS: &[&str] = &[
    "undefined",
    "{}",
    "{ vus: 5, iterations: 7 }",
    "{ vus: 5, iterations: 7, duration: '3s' }",
    "{ vus: 5, duration: '10s', stages: [] }",
    "{ vus: 2, stages: [{ duration: '1m', target: 3 }, { target: 1, duration: 1500 }] }",
    "{ tags: { b: 'x', a: '<' }, thresholds: { http_reqs: ['count>1', { threshold: 'count>2', abortOnFail: true, delayAbortEval: '1s' }] } }",
    "{ summaryTrendStats: ['avg'], discardResponseBodies: false, hosts: { 'a.b': '1.2.3.4' }, rps: 0, userAgent: 'x', batch: 3 }",
    "{ tlsVersion: 'tls1.2', setupTimeout: 1500, dns: { ttl: '1m' }, noConnectionReuse: true, cloud: { name: 'x' }, ext: { any: { a: [1] } } }",
    "{ tlsVersion: { min: 'tls1.1', max: 'tls1.3' }, tlsCipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA'], systemTags: ['vu', 'url'], httpDebug: 'full' }",
    "{ blacklistIPs: ['10.0.0.0/8'], blockHostnames: ['*.x.y', 'a.b'], minIterationDuration: '1m30s', paused: true, throw: true, maxRedirects: 0 }",
    "{ executionSegment: '0:1/3', executionSegmentSequence: '0,1/3,1', vus: 9, duration: '1s' }",
    "{ scenarios: { a: { executor: 'constant-vus', vus: 3, duration: '70s', gracefulStop: '5s', tags: { x: 'y' }, env: { A: 'b' }, exec: 'other', startTime: '1h' } } }",
    "{ scenarios: { a: { executor: 'ramping-vus', startVUs: 2, stages: [{ duration: '1s', target: 3 }], gracefulRampDown: '0s' }, b: { executor: 'per-vu-iterations' } } }",
    "{ scenarios: { a: { executor: 'ramping-arrival-rate', preAllocatedVUs: 1, maxVUs: 7, timeUnit: '1m', startRate: 3, stages: [{ duration: '1s', target: 3 }] } } }",
    "{ scenarios: { a: { executor: 'constant-arrival-rate', preAllocatedVUs: 1, rate: 10, duration: '3s' }, b: { executor: 'shared-iterations', vus: 2, iterations: 4, maxDuration: '3m' } } }",
    "{ scenarios: { a: { executor: 'externally-controlled', vus: 1, maxVUs: 10, duration: '1m' } } }",
    "{ scenarios: { a: { executor: 'constant-arrival-rate', preAllocatedVUs: 1, rate: 10, duration: '3s', env: { Z: '1', A: '2' }, tags: { z: '1', a: '2' } } }, tags: { z: '1', a: '2' }, hosts: { 'z.b': '1.2.3.4', 'a.b': '1.2.3.4' }, ext: { z: 1, a: { z: [1], b: 2 } }, cloud: { z: 'z', a: 1 } }",
    "{ nope: 1 }",
    "{ vus: 'x' }",
];

/// The output of a driver, and its exit code.
fn inspected(mut driver: Command, requirements: bool, folder: &Path) -> (Option<i32>, Value) {
    let flag = requirements.then_some("--execution-requirements");
    driver
        .arg("inspect")
        .args(flag)
        .arg("x.js")
        .current_dir(folder);
    driver.env("HOME", folder).env("XDG_CONFIG_HOME", folder);
    let output = driver.output().expect("it runs");
    let printed = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), printed)
}

#[test]
fn options_are_inspected_as_in_k6() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut wrong = Vec::new();
    for options in OPTIONS {
        let script = format!(
            "export const options = {options};\nexport default function () {{}}\nexport function other() {{}}\n"
        );
        std::fs::write(folder.path().join("x.js"), script).expect("it can be written");
        for requirements in [false, true] {
            let (code, expected) = inspected(Command::new(&k6), requirements, folder.path());
            let mut ours = sparring();
            ours.arg0("k6");
            let (our_code, found) = inspected(ours, requirements, folder.path());
            if code != our_code {
                wrong.push(format!(
                    "{options} {requirements}: exit {code:?}, ours {our_code:?}"
                ));
            }
            let keys = |value: &Value| -> Vec<String> {
                let keys = value.as_object().into_iter().flatten();
                let of_both = keys.filter(|(key, _)| expected.get(*key).is_some());
                of_both.map(|(key, _)| key.clone()).collect()
            };
            let (order, our_order) = (keys(&expected), keys(&found));
            if order != our_order {
                wrong.push(format!(
                    "{options} {requirements}: {order:?}, ours {our_order:?}"
                ));
            }
            // Compared as texts, so that the order of keys counts.
            let is_other = |key: &str, value: &Value| {
                let (found, expected) = (found[key].to_string(), value.to_string());
                found != expected
            };
            let keys = expected.as_object().into_iter().flatten();
            for (key, expected) in keys.filter(|(key, expected)| is_other(key, expected)) {
                wrong.push(format!(
                    "{options} {requirements}: {key} {expected}, ours {}",
                    found[key]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
