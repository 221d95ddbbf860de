//! The systems accept everything that the shipped suites for them require: no setting and no fault is refused, and
//! every probe and every sign exists before a fault.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use suite::builtin::{BUILT_IN, built_in};
use suite::drill::Drill;
use suite::file::{MetricSign, Probe, SuiteFile, SystemFault};
use suite::plan::{PlannedTest, Selection, plan};
use suite::run::{Admin, prepare};

use crate::served_target::Target;

const TTL: Duration = Duration::from_secs(60);

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The suites of simulated systems: the system's name, and the file.
fn suites() -> impl Iterator<Item = (String, SuiteFile)> {
    BUILT_IN.iter().filter_map(|(name, _)| {
        let file = built_in(name).expect("built in").expect("sound");
        Some((file.system.clone()?, file))
    })
}

/// Every test, part and cell of a suite.
fn planned(file: &SuiteFile, time_scale: f64) -> Vec<PlannedTest> {
    let selection = Selection {
        tests: vec!["all-tests".to_owned()],
        time_scale,
        full: file
            .tests
            .values()
            .any(|test| test.parts.values().any(|part| part.full)),
        ..Selection::default()
    };
    plan(file, &selection, &|_| None).expect("a plan").tests
}

/// The faults of a test or part as the file declares them.
fn faults<'a>(
    file: &'a SuiteFile,
    test: &'a PlannedTest,
) -> impl Iterator<Item = (&'a str, &'a SystemFault)> {
    let declared = &file.tests[&test.name];
    let part = test.part.as_ref().map(|part| &declared.parts[part]);
    test.faults.iter().map(move |planned| {
        let own = part.and_then(|part| part.faults.get(&planned.name));
        let fault = own.or(declared.faults.get(&planned.name));
        (
            planned.name.as_str(),
            fault.expect("the plan has it from there"),
        )
    })
}

#[test]
fn systems_take_every_setting_and_every_patch_of_the_shipped_suites() {
    for (system, file) in suites() {
        let target = Target::start(&system, &[]);
        let admin = Admin::new(target.url());
        let shipped = admin.profile().expect("the document");
        for time_scale in [1.0, 0.001] {
            for test in planned(&file, time_scale) {
                let label = format!("{system} {} at {time_scale}", test.label());
                let undo = prepare(&test, Some(&admin), &system)
                    .unwrap_or_else(|error| panic!("{label}: {error}"));
                for (name, fault) in faults(&file, &test) {
                    let Some(patch) = &fault.patch else { continue };
                    let before = admin.profile().expect("the document");
                    admin
                        .lay("fault", patch, TTL)
                        .unwrap_or_else(|error| panic!("{label}, {name}: {error}"));
                    let changed = admin.profile().expect("the document") != before;
                    assert!(changed, "{label}: {name} changes nothing");
                    admin.lift("fault").expect("it goes");
                }
                undo.undo()
                    .unwrap_or_else(|error| panic!("{label}: {error}"));
            }
        }
        assert_eq!(admin.profile().expect("the document"), shipped, "{system}");
    }
}

#[test]
fn every_host_that_crashes_has_as_many_instances_as_are_to_crash() {
    for (system, file) in suites() {
        for test in planned(&file, 1.0) {
            for (name, fault) in faults(&file, &test) {
                let Some(host) = &fault.crash else { continue };
                let target = Target::start(&system, &[]);
                let admin = Admin::new(target.url());
                for instance in 0..fault.instances.unwrap_or(1) {
                    admin
                        .crash(host, instance)
                        .unwrap_or_else(|error| panic!("{system} {name} {instance}: {error}"));
                }
            }
        }
    }
}

#[test]
fn probes_are_answered_and_signs_are_there_before_a_fault() {
    for (system, file) in suites() {
        let target = Target::start(&system, &[]);
        let admin = Admin::new(target.url());
        for test in planned(&file, 1.0) {
            for (name, fault) in faults(&file, &test) {
                let status = answer(target.url(), &fault.probe);
                let is_ok = fault.probe.ok.contains(&status);
                assert!(is_ok, "{system} {name}: {status} to {:?}", fault.probe);
                let sign = fault.detect.as_ref().and_then(|sign| sign.metric.as_ref());
                if let Some(sign) = sign {
                    let metrics = admin.metrics().expect("metrics");
                    assert!(has_series(&metrics, sign), "{system} {name}: {sign:?}");
                }
            }
        }
    }
}

fn answer(url: &str, probe: &Probe) -> u16 {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let (method, path) = probe.route.split_once(' ').expect("method and path");
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{url}{path}"))
        .header("Content-Type", "application/json")
        .body(
            probe
                .body
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default(),
        );
    let answer = ureq::Agent::from(agent).run(request.expect("a request"));
    answer.expect("it answers").status().as_u16()
}

fn has_series(metrics: &str, sign: &MetricSign) -> bool {
    let mut lines = metrics.lines().filter(|line| {
        let rest = line.strip_prefix(sign.name.as_str());
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    lines.any(|line| {
        let mut labels = sign.labels.iter();
        labels.all(|(name, value)| line.contains(&format!("{name}=\"{value}\"")))
    })
}

/// Faults of the orchestrator's drills are patches of the mocks' profiles in the shipped fleet.
#[test]
fn the_shipped_fleet_takes_every_fault_of_the_drills() {
    let text = std::fs::read_to_string(repository("detectors.yaml")).expect("readable");
    let fleet = live_config::read::yaml(&text).expect("YAML");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("detectors.yaml");
    let file = built_in("orchestrator").expect("built in").expect("sound");
    let drills = planned(&file, 1.0).into_iter().flat_map(|test| test.drills);
    let mut faults = 0;
    for drill in drills {
        let drill = repository("tests/suites").join(drill);
        let drill = Drill::read(&drill).unwrap_or_else(|error| panic!("{error}"));
        for fault in &drill.faults {
            let mut broken = fleet.clone();
            let detectors = broken["detectors"].as_object_mut().expect("detectors");
            let named = |name: &str| fault.detector == "all" || fault.detector == name;
            let drilled = detectors.iter_mut().filter(|(name, _)| named(name));
            let drilled = drilled.map(|(_, detector)| {
                live_config::merge(
                    &mut detector["mock"],
                    &fault.patch,
                    &fault_profile::patch::CHOICES,
                );
            });
            assert_ne!(drilled.count(), 0, "{}: no {}", drill.title, fault.detector);
            assert_ne!(broken, fleet, "{}: it changes nothing", drill.title);
            std::fs::write(&path, broken.to_string()).expect("writable");
            fleet::load(Some(&path), &[])
                .unwrap_or_else(|error| panic!("{}: {error}", drill.title));
            faults += 1;
        }
    }
    assert!(faults >= 3, "{faults}");
}
