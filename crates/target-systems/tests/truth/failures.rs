//! Failures that a file states: their shares in closed form, compared with the simulated network.

use target_systems::offline::{self, Mix, Report, Simulation, simulate};

use super::*;

const REQUESTS: u64 = 20_000;

const FAILS: &str = r#"
system: fails
components:
  plain: { kind: service, operations: { run: { service_ms: 1 } } }
  faulty:
    kind: service
    operations: { run: { service_ms: 1 } }
    faults: { success_rate: 0.8, failures: [{ weight: 3, kind: { status: { code: 503 } } }, { weight: 1, kind: { timeout: { after_ms: 21 } } }] }
  bursts:
    kind: service
    operations: { run: { service_ms: 1 } }
    faults: { correlation: { gilbert_elliott: { good_to_bad: 0.1, bad_to_good: 0.3, failure_rate_bad: 0.8 } } }
  scheduled:
    kind: service
    operations: { run: { service_ms: 1 } }
    faults: { schedule: { stages: [{ at_ms: 1000, for_ms: 1000, set: { success_rate: 0 } }] } }
stores:
  few: { capacity: 12, ttl_s: 1 }
  kept: { capacity: 100 }
endpoints:
  drawn:
    route: GET /drawn
    flow: [{ either: [{ share: 0.25, do: [{ fail: { status: 409, error_type: taken } }] }, { share: 0.2, do: [{ visit: plain.run }, { fail: { status: 502, error_type: gone } }] }] }, { visit: plain.run }]
  faulty: { route: GET /faulty, flow: [{ visit: faulty.run }] }
  again: { route: GET /again, flow: [{ visit: { at: faulty.run, times: 2, retries: 1 } }] }
  anyway: { route: GET /anyway, flow: [{ visit: { at: faulty.run, times: 3, on_error: continue } }] }
  both: { route: GET /both, flow: [{ parallel: { branches: [[{ visit: faulty.run }], [{ visit: faulty.run }]] } }] }
  held: { route: GET /held, flow: [{ visit: { at: plain.run, times: 2, hold: [{ visit: faulty.run }] } }] }
  bursts: { route: GET /bursts, flow: [{ visit: bursts.run }] }
  scheduled: { route: GET /scheduled, flow: [{ visit: scheduled.run }] }
  few: { route: POST /few, flow: [{ state: { create: few } }] }
  kept: { route: POST /kept, flow: [{ state: { create: kept } }] }
mixes:
  mixed: { drawn: 1, faulty: 3 }
"#;

fn simulated(system: &System, endpoint: &str, rate_per_s: f64) -> Report {
    let place = system.document.endpoints.get_index_of(endpoint);
    let simulation = Simulation {
        load: offline::Load::Open { rate_per_s },
        mix: Mix::only(
            place.expect("an endpoint"),
            target_systems::plan::Value::Null,
        ),
        requests: REQUESTS,
        warm_up: 500,
    };
    simulate(system.plan.as_ref().clone(), &simulation).expect("a sound plan")
}

fn shares(truth: &Truth) -> Vec<(String, u16, f64)> {
    let failures = truth.classes[0].failures.iter();
    failures
        .map(|one| (one.error_type.clone(), one.status, one.share.value))
        .collect()
}

/// Compares the share of successes of an endpoint with the simulation.
fn check(system: &System, endpoint: &str, expected: f64) -> Truth {
    const PER_S: f64 = 20.0;
    let truth = asked(system, endpoint, Load::Rate { per_s: PER_S });
    let class = &truth.classes[0];
    close(class.success_share.value, expected, 1e-9, endpoint);
    let failing: f64 = class.failures.iter().map(|one| one.share.value).sum();
    close(failing, 1.0 - expected, 1e-9, endpoint);
    let load = truth.load.as_ref().expect("a load");
    close(load.success_share.value, expected, 1e-9, endpoint);
    close(
        load.throughput_per_s.value,
        PER_S * expected,
        1e-9,
        endpoint,
    );
    let found = simulated(system, endpoint, PER_S);
    let share = found.ok as f64 / found.requests as f64;
    let error = (expected * (1.0 - expected) / REQUESTS as f64).sqrt();
    assert!(
        (share - expected).abs() <= 5.0 * error,
        "{endpoint}: {share} is not {expected}"
    );
    for one in &class.failures {
        let count = found
            .errors
            .get(one.error_type.as_str())
            .copied()
            .unwrap_or(0);
        let share = count as f64 / found.requests as f64;
        assert!(
            (share - one.share.value).abs() < 0.02,
            "{endpoint} {}: {share}",
            one.error_type
        );
    }
    truth
}

fn fails() -> System {
    System::read(FAILS).unwrap_or_else(|invalid| panic!("{invalid}"))
}

#[test]
fn steps_that_fail_are_a_part_of_the_truth() {
    let system = fails();
    let truth = check(&system, "drawn", 0.55);
    let expected = [
        ("gone".to_owned(), 502, 0.2),
        ("taken".to_owned(), 409, 0.25),
    ];
    assert_eq!(shares(&truth), expected);
    assert!(truth.classes[0].success_share.exact);
    assert!(truth.load.expect("a load").throughput_per_s.exact);
    assert_eq!(truth.not_counted, Vec::<String>::new());
    let mixed = unknown(&system, "mixed");
    close(
        mixed.classes[0].success_share.value,
        0.25 * 0.55 + 0.75 * 0.85,
        1e-9,
        "a mix",
    );
}

#[test]
fn injected_faults_are_counted_with_their_retries_branches_and_holds() {
    let system = fails();
    // A fifth draws a failure; a quarter of those is a correct response after 21 ms.
    let truth = check(&system, "faulty", 0.85);
    assert_eq!(shares(&truth).len(), 1);
    close(
        truth.classes[0].response.mean_ms.value,
        0.95 * 1.0 + 0.05 * 21.0,
        1e-9,
        "mean",
    );
    let attempt = 1.0 - 0.15f64.powi(2);
    check(&system, "again", attempt * attempt);
    check(&system, "anyway", 1.0);
    check(&system, "both", 0.85 * 0.85);
    check(&system, "held", 0.85 * 0.85);
}

#[test]
fn faults_without_a_closed_form_are_said_to_be_left_out() {
    let system = fails();
    let bursts = unknown(&system, "bursts");
    let share = bursts.classes[0].success_share;
    close(
        share.value,
        1.0 - 0.25 * 0.8,
        1e-9,
        "bursts in the long run",
    );
    assert!(!share.exact, "bursts are not drawn apart");
    let scheduled = unknown(&system, "scheduled");
    assert_eq!(
        scheduled.not_counted.len(),
        1,
        "{:?}",
        scheduled.not_counted
    );
    assert!(
        scheduled.not_counted[0].contains("schedule"),
        "{:?}",
        scheduled.not_counted
    );
}

#[test]
fn full_stores_refuse_what_the_truth_says() {
    let system = fails();
    // Entries live for a second: 10 of them at 10 requests a second, with room for 12.
    let erlang_b = (1..=12).fold(1.0, |lost, n| 10.0 * lost / (f64::from(n) + 10.0 * lost));
    let truth = asked(&system, "few", Load::Rate { per_s: 10.0 });
    let load = truth.load.expect("a load");
    close(load.success_share.value, 1.0 - erlang_b, 1e-6, "few");
    assert_eq!(load.failures[0].error_type, "disk_full");
    let found = simulated(&system, "few", 10.0);
    let share = found.ok as f64 / found.requests as f64;
    assert!(
        (share - (1.0 - erlang_b)).abs() < 0.015,
        "{share} is not {}",
        1.0 - erlang_b
    );
    // Entries without a lifetime fill the store, which is not a steady state.
    let truth = asked(&system, "kept", Load::Rate { per_s: 10.0 });
    assert_eq!(
        truth.not_counted,
        [
            "The store kept is full after 10 s of this load; requests that it then rejects are not counted."
        ]
    );
}

#[test]
fn a_leak_that_crashes_its_host_loses_requests() {
    // C-13: 296.6 s until the crash, and 10 s until the host is up again.
    let lab = shipped("lab");
    let truth = asked(&lab, "leak", Load::Rate { per_s: 50.0 });
    let load = truth.load.expect("a load");
    close(load.success_share.value, 0.9674, 1e-3, "availability");
    close(
        load.throughput_per_s.value,
        50.0 * 0.9674,
        1e-3,
        "throughput",
    );
    let names: Vec<&str> = load
        .failures
        .iter()
        .map(|one| one.error_type.as_str())
        .collect();
    assert_eq!(names, ["crashed", "unavailable"]);
    let host = json!({
        "cpu_cores": 2, "memory_mb": 4096, "base_mb": 1200, "instances": 2,
        "leak": { "kb_per_request": 200 },
    });
    let several = json!({ "components": { "leak": { "host": host } } });
    let several = lab.patched(&several).expect("sound");
    let truth = asked(&several, "leak", Load::Rate { per_s: 50.0 });
    assert!(
        truth.not_counted[0].contains("leak until they crash"),
        "{:?}",
        truth.not_counted
    );
}

#[test]
fn a_request_that_asks_for_too_much_fails_in_the_truth_as_in_the_network() {
    let text = r#"
system: too_much
components: { work: { kind: service, operations: { run: { service_ms: 1 } } } }
endpoints:
  run:
    route: POST /run
    request: { bounds: { body.n: { max: 10000 } } }
    flow: [{ each: { in: body.n, do: [{ visit: { at: work.run, times: body.n } }] } }]
    examples: [{ body: { n: 10 }, share: 3 }, { body: { n: 10000 }, share: 1 }]
"#;
    let system = System::read(text).unwrap_or_else(|invalid| panic!("{invalid}"));
    let truth = unknown(&system, "run");
    assert_eq!(shares(&truth), [("bad_request".to_owned(), 422, 0.25)]);
    close(
        truth.classes[0].response.mean_ms.value,
        0.75 * 100.0,
        1e-9,
        "mean",
    );
}
