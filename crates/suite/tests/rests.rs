//! Rests: no load, and probes that show how the system recovers.

use serde_json::Value;
use suite::builtin::{built_in, parse};
use suite::plan::{Kind, PlannedTest, Selection, plan};

fn tests(suite: &str, name: &str, time_scale: f64) -> Vec<PlannedTest> {
    let file = built_in(suite).expect("built in").expect("sound");
    let selection = Selection {
        tests: vec![name.to_owned()],
        time_scale,
        ..Selection::default()
    };
    plan(&file, &selection, &|_| None).expect("a plan").tests
}

/// Section 2 of the suites' design: a rest has no load, but probes: one user of each class, separate from the
/// measurements.
#[test]
fn a_rest_is_probed_by_one_user_of_each_class() {
    let rested = &tests("acis", "breakpoint", 1.0)[0];
    let scenarios = rested.options["scenarios"].as_object().expect("scenarios");
    assert_eq!(scenarios.len(), 1 + 5, "five rests between six steps");
    let rests = rested
        .phases
        .iter()
        .filter(|phase| phase.kind == Kind::Rest);
    for (place, rest) in rests.enumerate() {
        let probe = &scenarios[&format!("ACISAPIUser_probe_{}", place + 1)];
        assert_eq!(probe["executor"], "constant-vus");
        assert_eq!(
            (&probe["vus"], &probe["exec"]),
            (&1.into(), &"api_user".into())
        );
        assert_eq!(probe["startTime"], format!("{}s", rest.begin_s));
        assert_eq!(probe["duration"], "60s");
        assert_eq!(probe["tags"]["phase"], "probe");
        assert_eq!(probe["env"]["SPARRING_WAIT_S"], "0.2,0.2");
    }
    for test in tests("agent360", "stress", 1.0) {
        assert!(test.options["scenarios"]["StressTest_probe_1"].is_object());
    }
    for time_scale in [0.001, 0.013, 0.3] {
        for test in tests("agent360", "stress", time_scale) {
            let probe = &test.options["scenarios"]["StressTest_probe_1"];
            let ms = |text: &Value| {
                let text = text.as_str().expect("a duration");
                let in_ms = text.strip_suffix("ms").and_then(|it| it.parse().ok());
                in_ms.unwrap_or_else(|| {
                    let seconds: u64 = text.trim_end_matches('s').parse().expect("seconds");
                    seconds * 1000
                })
            };
            let rest = test.phases.last().expect("a rest");
            assert!(ms(&probe["duration"]) >= 1000, "k6 wants a second: {probe}");
            let begin_ms = ms(&probe["startTime"]) as f64;
            assert!((begin_ms - rest.begin_s * 1e3).abs() <= 1.0, "{probe}");
        }
    }
}

/// A recovery is visible after the highest load: in a rest with its probes, or in less load.
#[test]
fn a_recovery_that_nothing_can_show_is_an_error() {
    let of = |content: &str| {
        let text = format!(
            "suite: own\ndefault: [one]\nall: [one]\nclasses:\n  A: {{ script: a.js, exec: user, wait_s: [1, 2] }}\n\
             tests:\n  one: {{ about: one, users: [A], {content}, judge: {{ names: [recovery] }} }}\n"
        );
        parse("own.yaml", &text, None)
            .err()
            .map(|error| error.to_string())
    };
    let up = "{ ramp: { to: 2 } }, { steady: { for: 1s } }";
    for (content, expected) in [
        (format!("phases: [{up}]"), Some("end with a `rest`")),
        (format!("phases: [{up}, {{ rest: {{ for: 1s }} }}]"), None),
        (
            format!("phases: [{up}, {{ ramp: {{ to: 1 }} }}, {{ steady: {{ for: 1s }} }}]"),
            None,
        ),
        (
            format!("phases: [{up}, {{ ramp: {{ to: 3 }} }}]"),
            Some("end with a `rest`"),
        ),
        (
            "ladder: { levels: [1], at_per_s: 1, each: 1s }".to_owned(),
            Some("`back_to`"),
        ),
        (
            "ladder: { levels: [2], at_per_s: 1, each: 1s, back_to: 1 }".to_owned(),
            None,
        ),
        (
            "samples: { iterations: 1 }".to_owned(),
            Some("only phases and ladders"),
        ),
    ] {
        let said = of(&content);
        let found = said.as_deref().unwrap_or_default();
        assert_eq!(said.is_some(), expected.is_some(), "{content}: {found}");
        assert!(
            found.contains(expected.unwrap_or_default()),
            "{content}: {found}"
        );
    }
}
