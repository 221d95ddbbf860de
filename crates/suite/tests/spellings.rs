//! G-01: every spelling of the documents has the plan of its canonical form, byte for byte.

use std::path::PathBuf;
use std::time::Duration;

use report::record::{LoadModel, TestContent};
use suite::builtin::{BUILT_IN, built_in};
use suite::plan::{LoadOverride, PlannedTest, plan};
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

fn locust(system: &str, classes: &[&str], load: (u32, u32, u64)) -> Request {
    let (users, spawn_rate, run_time_s) = load;
    Request {
        system: Some(system.to_owned()),
        load: LoadOverride {
            users: Some(users.into()),
            spawn_rate: Some(spawn_rate.into()),
            run_time: Some(Duration::from_secs(run_time_s)),
        },
        ..words(classes)
    }
}

fn tests_of(request: &Request) -> Vec<PlannedTest> {
    let resolved = resolve(request).unwrap_or_else(|error| panic!("{error}"));
    let plan = plan(&resolved.file, &resolved.selection, &|_| None);
    plan.unwrap_or_else(|error| panic!("{error}")).tests
}

/// ACIS-02..04, DET-08: a command line of Locust with the values of a preset and its class is that preset.
#[test]
fn flags_of_locust_with_a_presets_values_and_class_are_that_preset() {
    for (class, load, test) in [
        ("ACISAPIUser", (100, 10, 600), "load"),
        ("ACISStressTestUser", (500, 50, 600), "stress"),
        ("ACISBackgroundJobUser", (10, 2, 1800), "background"),
    ] {
        check(&locust("acis", &[class], load), &["acis", test]);
        // The class alone determines the suite.
        let by_class = Request {
            system: None,
            ..locust("acis", &[class], load)
        };
        check(&by_class, &["acis", test]);
    }
    let orchestrator = Request {
        system: None,
        ..locust("", &[], (50, 5, 600))
    };
    check(&orchestrator, &["orchestrator", "load"]);
}

/// System, classes, users, the users of each class, and the test that judges it.
const LINES: [[&str; 5]; 16] = [
    [
        "acis",
        "",
        "100",
        "ACISAPIUser 34, ACISStressTestUser 33, ACISBackgroundJobUser 33",
        "load",
    ],
    [
        "acis",
        "",
        "50",
        "ACISAPIUser 17, ACISStressTestUser 17, ACISBackgroundJobUser 16",
        "load",
    ],
    [
        "acis",
        "ACISStressTestUser",
        "50",
        "ACISStressTestUser 50",
        "stress",
    ],
    ["aiaas", "", "100", "AIaaSUser 50, HighLoadUser 50", "load"],
    // Locust stops after its run time, however many users it has reached: 600 in a minute.
    [
        "aiaas",
        "",
        "1000",
        "AIaaSUser 300, HighLoadUser 300",
        "load",
    ],
    [
        "aiaas",
        "",
        "2000",
        "AIaaSUser 300, HighLoadUser 300",
        "load",
    ],
    ["aiaas", "AIaaSUser", "100", "AIaaSUser 100", "load"],
    ["aiaas", "HighLoadUser", "100", "HighLoadUser 100", "load"],
    [
        "agent360",
        "",
        "50",
        "BasicLoadTest 17, WorkflowLoadTest 17, StressTest 16",
        "load",
    ],
    [
        "agent360",
        "",
        "500",
        "BasicLoadTest 167, WorkflowLoadTest 167, StressTest 166",
        "load",
    ],
    // Fewer users than classes: a class without users has no scenario.
    [
        "agent360",
        "",
        "2",
        "BasicLoadTest 1, WorkflowLoadTest 1",
        "load",
    ],
    ["agent360", "StressTest", "500", "StressTest 500", "load"],
    [
        "agent360",
        "BasicLoadTest StressTest",
        "9",
        "BasicLoadTest 5, StressTest 4",
        "load",
    ],
    [
        "acso",
        "",
        "50",
        "Threats 10, Services 9, Finance 6, ACSOUser 25",
        "load",
    ],
    ["acso", "Threats", "50", "Threats 50", "load"],
    ["acso", "ACSOUser", "50", "ACSOUser 50", "load"],
];

/// ACIS-01, ACIS-02, ACIS-20, AIA-32, A360-13, S-06: without a class, flags select one closed test of all classes of
/// the locustfile, by their weights; with classes, of these alone.
#[test]
fn flags_of_locust_are_one_closed_test_of_all_classes_or_of_those_that_are_named() {
    for [system, classes, users, expected, judged_as] in LINES {
        let line = format!("{system} -u {users} {classes}");
        let classes: Vec<&str> = classes.split_whitespace().collect();
        let users: u32 = users.parse().expect("a number");
        let tests = tests_of(&locust(system, &classes, (users, 10, 60)));
        assert_eq!(tests.len(), 1, "{line}");
        let test = &tests[0];
        let phases = (LoadModel::Closed, TestContent::Phases);
        assert_eq!((test.model, test.content), phases, "{line}");
        assert_eq!(test.name, judged_as, "{line}");
        assert_eq!(test.part, None, "{line}");
        let phases = test.phases.iter();
        let phases: Vec<(f64, f64)> = phases.map(|it| (it.end_s, it.level())).collect();
        let level = f64::from(users).min(600.0);
        match level < 600.0 {
            true => assert_eq!(phases, [(level / 10.0, level), (60.0, level)], "{line}"),
            false => assert_eq!(phases, [(60.0, level)], "{line}"),
        }
        let scenarios = test.options["scenarios"].as_object().expect("scenarios");
        let last = |scenario: &serde_json::Value| {
            let stages = scenario["stages"].as_array()?;
            stages.last()?["target"].as_u64()
        };
        let shares: Vec<String> = scenarios
            .iter()
            .map(|(class, scenario)| format!("{class} {}", last(scenario).expect("users")))
            .collect();
        assert_eq!(shares.join(", "), expected, "{line}");
    }
}

/// A360-13: without a class, the requirements are those of the test, and the message names its classes.
#[test]
fn a_command_line_is_told_as_it_was_understood() {
    let told = |request: &Request| resolve(request).expect("understood").understood;
    for (request, sentences) in [
        (
            locust("agent360", &[], (50, 10, 60)),
            &[
                "one closed test of suite agent360",
                "all user classes of agent360.py, by their weights, as Locust runs them (BasicLoadTest, WorkflowLoadTest, StressTest)",
                "judged as its test load",
                "the test itself has BasicLoadTest, WorkflowLoadTest",
            ][..],
        ),
        (
            locust("agent360", &["StressTest"], (50, 10, 60)),
            &["one closed test of suite agent360 with StressTest, judged as its test load"],
        ),
        (
            locust("acis", &["ACISStressTestUser"], (50, 10, 60)),
            &["with ACISStressTestUser, judged as its test stress"],
        ),
        (
            locust("acis", &["spike"], (50, 10, 60)),
            &["test spike of suite acis; users, spawn rate and run time replace"],
        ),
        (
            words(&["acso"]),
            &["the tests that suite acso runs if none is named, all"],
        ),
        (
            words(&["acis", "load", "spike"]),
            &["tests load, spike of suite acis"],
        ),
        (
            words(&["acso", "Threats"]),
            &["test load of suite acso, with the users of Threats"],
        ),
    ] {
        for sentence in sentences {
            let understood = told(&request);
            assert!(understood.contains(sentence), "{sentence} in {understood}");
        }
    }
}

/// ACSO-18..20, A360-09: a class without load flags selects its own part of a test, or the test that has
/// it.
#[test]
fn a_class_alone_selects_that_class_only() {
    for (suite, class, expected) in [
        ("acso", "Threats", &["load/threats"][..]),
        ("acso", "Services", &["load/services"]),
        ("acso", "Finance", &["load/finance"]),
        ("acso", "ACSOUser", &["load/mixed"]),
        ("acis", "ACISStressTestUser", &["stress"]),
        (
            "agent360",
            "StressTest",
            &[
                "stress/light",
                "stress/medium",
                "stress/heavy",
                "stress/one_core",
                "stress/small_memory",
            ],
        ),
        ("aiaas", "HighLoadUser", &["load/basic", "load/high"]),
    ] {
        let tests = tests_of(&words(&[suite, class]));
        let labels: Vec<String> = tests.iter().map(PlannedTest::label).collect();
        assert_eq!(labels, expected, "{suite} {class}");
        for test in &tests {
            let classes: Vec<&str> = test.classes.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(classes, [class], "{suite} {}", test.label());
        }
    }
}

/// The classes and weights of the locustfiles are those of the suites.
#[test]
fn locustfiles_have_the_suites_classes_and_weights() {
    for (suite, _) in BUILT_IN {
        let file = built_in(suite).expect("built in").expect("sound");
        let locust = file.locust.as_ref().expect("a locustfile");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/suites");
        let text = std::fs::read_to_string(path.join(&locust.file)).expect("a locustfile");
        for class in &locust.users {
            let begin = text.find(&format!("class {}(", locust.class(class)));
            let body = &text[begin.unwrap_or_else(|| panic!("{suite}: no class {class}"))..];
            let body = body.split("\nclass ").next().unwrap_or_default();
            let weight = body.split("    weight = ").nth(1).map_or(1, |rest| {
                let digits = rest.split_whitespace().next().unwrap_or_default();
                digits.parse().expect("a weight")
            });
            assert_eq!(file.classes[class].weight, weight, "{suite} {class}");
        }
        // No class that Locust would run is left out.
        let classes = text.split("\nclass ").skip(1);
        let shown = classes.filter(|it| !it.contains("abstract = True")).count();
        if !locust.users.is_empty() {
            assert_eq!(shown, locust.users.len(), "{suite}");
        }
    }
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
fn an_unknown_name_comes_with_the_nearest_one() {
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
    assert!(error(&scale).contains("from 0.001 to 1"));
    let scale = Request {
        time_scale: Some(1e-9),
        ..Request::default()
    };
    assert!(error(&scale).contains("from 0.001 to 1"));
    assert!(error(&words(&["nowhere.yaml"])).contains("nowhere.yaml"));
}
