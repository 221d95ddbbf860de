//! G-01: every spelling of the documents has the plan of its canonical form, byte for byte.

use std::path::PathBuf;
use std::time::Duration;

use suite::plan::{LoadOverride, plan};
use suite::request::{Request, resolve};

fn words(words: &[&str]) -> Request {
    Request {
        words: words.iter().map(ToString::to_string).collect(),
        ..Request::default()
    }
}

fn planned(request: &Request) -> String {
    let resolved = resolve(request).unwrap_or_else(|error| panic!("{error}"));
    let plan = plan(&resolved.file, &resolved.selection, &|_| None);
    let plan = plan.unwrap_or_else(|error| panic!("{error}"));
    serde_json::to_string_pretty(&plan).expect("a plan is JSON")
}

fn check(spelling: &Request, canonical: &[&str]) {
    assert_eq!(
        planned(spelling),
        planned(&words(canonical)),
        "{canonical:?}"
    );
}

fn error(request: &Request) -> String {
    resolve(request).expect_err("an error").to_string()
}

/// DET-06.
#[test]
fn a_test_type_is_a_test_of_the_orchestrator() {
    for name in [
        "smoke",
        "load",
        "stress",
        "fault-tolerance",
        "scalability",
        "all",
    ] {
        let spelling = Request {
            test_type: Some(name.to_owned()),
            ..Request::default()
        };
        check(&spelling, &["orchestrator", name]);
        check(&words(&[name]), &["orchestrator", name]);
    }
    check(&Request::default(), &["orchestrator", "smoke"]);
}

/// ACSO-06, ACSO-09, ACSO-10, ACSO-12.
#[test]
fn filters_and_the_quick_check_are_tests_of_acso() {
    for name in ["load", "scalability", "stress"] {
        let spelling = Request {
            filter: Some(name.to_owned()),
            ..Request::default()
        };
        check(&spelling, &["acso", name]);
    }
    check(
        &Request {
            quick_check: true,
            ..Request::default()
        },
        &["acso", "quick-check"],
    );
    check(
        &words(&["acso"]),
        &["acso", "load", "scalability", "stress"],
    );
    check(&words(&["acso", "all"]), &["acso"]);
}

/// AIA-32, ACIS-01..04, ACIS-20, A360-13.
#[test]
fn flags_of_locust_are_one_closed_test() {
    let load = LoadOverride {
        users: Some(100.0),
        spawn_rate: Some(10.0),
        run_time: Some(Duration::from_secs(600)),
    };
    let locust = |system: &str, words: &[&str], load| Request {
        words: words.iter().map(ToString::to_string).collect(),
        system: Some(system.to_owned()),
        load,
        ..Request::default()
    };
    check(&locust("acis", &[], load), &["acis", "load"]);
    let stress = LoadOverride {
        users: Some(500.0),
        spawn_rate: Some(50.0),
        ..load
    };
    check(
        &locust("acis", &["ACISStressTestUser"], stress),
        &["acis", "stress"],
    );
    // The class alone says which suite is meant.
    let class = Request {
        load: stress,
        ..words(&["ACISStressTestUser"])
    };
    check(&class, &["acis", "stress"]);
    let background = LoadOverride {
        users: Some(10.0),
        spawn_rate: Some(2.0),
        run_time: Some(Duration::from_secs(1800)),
    };
    check(
        &locust("acis", &["ACISBackgroundJobUser"], background),
        &["acis", "background"],
    );
}

#[test]
fn words_may_come_in_any_order() {
    check(&words(&["breakpoint", "acis"]), &["acis", "breakpoint"]);
}

#[test]
fn a_suite_can_be_a_file() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/suites/acis.yaml");
    let by_word = words(&[path.to_str().expect("a path of this repository"), "smoke"]);
    check(&by_word, &["acis", "smoke"]);
    let by_flag = Request {
        config: Some(path),
        ..words(&["smoke"])
    };
    check(&by_flag, &["acis", "smoke"]);
}

#[test]
fn what_nothing_is_named_comes_with_the_nearest_name() {
    assert!(error(&words(&["acis", "brekpoint"])).contains("did you mean `breakpoint`?"));
    assert!(error(&words(&["acsi"])).contains("did you mean `acis`?"));
    let system = Request {
        system: Some("agent30".to_owned()),
        ..Request::default()
    };
    assert!(error(&system).contains("did you mean `agent360`?"));
    assert!(error(&words(&["acis", "acso"])).contains("two suites"));
    let scale = Request {
        time_scale: Some(2.0),
        ..Request::default()
    };
    assert!(error(&scale).contains("at most 1"));
    let scale = Request {
        time_scale: Some(1e-9),
        ..Request::default()
    };
    assert!(error(&scale).contains("at least 0.001"));
    assert!(error(&words(&["nowhere.yaml"])).contains("nowhere.yaml"));
}
