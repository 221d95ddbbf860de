//! Many iterations with everything that can go wrong: no leak, no hang, every request counted once.
//!
//! `SOAK_ITERATIONS` sets their number; the default is small.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::server;
use crate::binary::sparring;

/// Each iteration makes one request; every tenth of them is of one kind.
const SCRIPT: &str = "../../tests/k6-diff/modules/soak.js";
/// The permitted growth of memory after the warm-up, independent of the number of iterations.
const MAX_GROWTH_BYTES: u64 = 24 << 20;

#[test]
fn many_iterations_leak_nothing_and_count_everything_once() {
    let wanted = std::env::var("SOAK_ITERATIONS").ok();
    let iterations: u64 = wanted.and_then(|text| text.parse().ok()).unwrap_or(3000);
    let server = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let export = folder.path().join("summary.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT);
    let mut command = sparring();
    command.args(["run", "--quiet", "--log-output=none"]);
    // Exact percentiles store a number per request and trend.
    command.arg("--trend-sink=hdr");
    command.arg("--summary-export").arg(&export);
    for (name, value) in &server.variables {
        command.arg("-e").arg(format!("{name}={value}"));
    }
    command.arg("-e").arg(format!("ITERATIONS={iterations}"));
    command.envs(server.environment.iter().cloned());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.arg(&script).spawn().expect("the driver starts");
    let (memory, errors) = watch(child, Duration::from_secs(60 + iterations / 100));
    let summary =
        std::fs::read_to_string(&export).unwrap_or_else(|_| panic!("no summary: {errors}"));
    let summary: Value = serde_json::from_str(&summary).expect("the export is JSON");
    let metric = |name: &str, key: &str| summary["metrics"][name][key].as_u64().unwrap_or(0);
    assert_eq!(metric("iterations", "count"), iterations);
    let requests = metric("http_reqs", "count");
    let kinds = ["answered", "timed_out", "reset", "closed", "refused_stream"];
    let sum: u64 = kinds.iter().map(|kind| metric(kind, "count")).sum();
    assert_eq!(metric("other", "count"), 0, "{}", summary["metrics"]);
    // A redirect makes two requests, everything else one.
    assert_eq!(
        requests,
        sum + metric("redirected", "count"),
        "{}",
        summary["metrics"]
    );
    let failed = &summary["metrics"]["http_req_failed"];
    let judged = failed["passes"].as_u64().unwrap_or(0) + failed["fails"].as_u64().unwrap_or(0);
    assert_eq!(judged, requests);
    for kind in kinds {
        assert!(metric(kind, "count") > 0, "there was none {kind}");
    }
    let (warm, peak) = after_warm_up(&memory);
    eprintln!(
        "{iterations} iterations, {requests} requests, {} MB warm, {} MB at most",
        warm >> 20,
        peak >> 20
    );
    assert!(
        peak < warm + MAX_GROWTH_BYTES,
        "memory grew from {warm} to {peak}: {memory:?}"
    );
}

/// Waits for the end. Returns the resident memory meanwhile, and the reported errors.
fn watch(mut child: Child, limit: Duration) -> (Vec<u64>, String) {
    let begin = Instant::now();
    let mut memory = Vec::new();
    loop {
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        if begin.elapsed() > limit {
            let _ = child.kill();
            panic!("it hangs after {limit:?}");
        }
        memory.extend(resident_bytes(child.id()));
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut errors = String::new();
    let pipe = child.stderr.take();
    let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut errors));
    (memory, errors)
}

fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// The maximum memory in the second quarter of the run, and in the rest.
fn after_warm_up(memory: &[u64]) -> (u64, u64) {
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    let half = memory.len() / 2;
    (most(&memory[memory.len() / 4..half]), most(&memory[half..]))
}
