//! The sizes of the documents: the most users or arrivals per second of each test and its length, with `--full`.
//!
//! DET-07..11, ACSO-22, 25, 26, AIA-14..18, 32, ACIS-02..04, 20, 24..26, A360-10, 11.

use report::record::TestContent;
use suite::builtin::{BUILT_IN, built_in};
use suite::plan::{PlannedPhase, PlannedTest, Selection, plan};

/// Test or test/part, users or arrivals per second at most, and seconds.
type Size = (&'static str, f64, f64);

const ORCHESTRATOR: &[Size] = &[
    ("smoke", 5.0, 120.0),
    ("load", 50.0, 600.0),
    ("stress", 200.0, 600.0),
    ("fault-tolerance/clients", 20.0, 120.0),
    ("scalability", 50.0, 20.0),
    ("benchmark", 100.0, 120.0),
    ("spike", 500.0, 719.0),
    ("soak", 50.0, 3_600.0),
    ("volume", 20.0, 1_800.0),
];
const ACSO: &[Size] = &[
    ("quick-check/mixed", 100.0, 60.0),
    ("quick-check/ladder", 100.0, 45.0),
    ("load/threats", 100.0, 180.0),
    ("load/services", 100.0, 180.0),
    ("load/finance", 100.0, 180.0),
    ("load/mixed", 300.0, 600.0),
    ("scalability/users", 1_200.0, 660.0),
    ("scalability/instances", 2_800.0, 60.0),
    ("stress/capacity", 3_000.0, 360.0),
    ("stress/cpu", 500.0, 90.0),
    ("stress/memory", 500.0, 90.0),
    ("stress/network", 500.0, 90.0),
    ("stress/io", 500.0, 90.0),
    ("stress/application", 500.0, 90.0),
    ("optimisation/baseline", 150.0, 30.0),
    ("optimisation/bus_batching", 150.0, 30.0),
    ("smoke", 5.0, 60.0),
    ("soak/sound", 200.0, 14_400.0),
    ("soak/leaking", 200.0, 14_400.0),
    ("spike", 1_000.0, 540.0),
    ("volume", 100.0, 1_800.0),
    ("benchmark", 50.0, 120.0),
];
const AIAAS: &[Size] = &[
    ("smoke", 5.0, 60.0),
    ("load/basic", 100.0, 300.0),
    ("load/high", 1_000.0, 600.0),
    // Half an hour, and the aftermath with a hundred users.
    ("stress", 2_000.0, 1_983.8),
    ("spike", 2_000.0, 480.0),
    ("volume", 100.0, 1_800.0),
    ("throughput/api_1000", 1_000.0, 60.0),
    ("throughput/api_2000", 2_000.0, 60.0),
    ("throughput/api_5000", 5_000.0, 20.0),
    // A hundred queries in each request.
    ("throughput/database_10000", 100.0, 20.0),
    ("throughput/database_20000", 200.0, 20.0),
    ("throughput/database_50000", 500.0, 20.0),
    ("throughput/messages_5000", 100.0, 20.0),
    ("throughput/messages_10000", 200.0, 20.0),
    ("throughput/messages_25000", 500.0, 20.0),
    ("throughput/workflows_100", 100.0, 20.0),
    ("throughput/workflows_200", 200.0, 20.0),
    ("throughput/workflows_500", 500.0, 20.0),
    ("throughput/sockets_10000", 10_000.0, 60.0),
    ("throughput/sockets_20000", 20_000.0, 60.0),
    ("throughput/sockets_50000", 50_000.0, 60.0),
    ("soak", 100.0, 3_600.0),
];
const ACIS: &[Size] = &[
    ("smoke", 5.0, 60.0),
    ("ci", 50.0, 300.0),
    ("load", 100.0, 600.0),
    ("stress", 500.0, 600.0),
    ("background", 10.0, 1_800.0),
    ("spike", 500.0, 719.0),
    ("soak", 100.0, 86_400.0),
    ("breakpoint", 3_200.0, 2_100.0),
    ("benchmark", 50.0, 120.0),
];
const AGENT360: &[Size] = &[
    ("load/light", 50.0, 4_200.0),
    ("load/medium", 200.0, 4_200.0),
    ("load/heavy", 500.0, 4_200.0),
    // Ten minutes, and five of recovery.
    ("stress/light", 50.0, 900.0),
    ("stress/medium", 200.0, 900.0),
    ("stress/heavy", 500.0, 900.0),
    ("stress/one_core", 50.0, 900.0),
    ("stress/small_memory", 200.0, 900.0),
    ("soak/sound", 200.0, 14_400.0),
    ("soak/leaking", 200.0, 14_400.0),
    ("smoke", 5.0, 60.0),
    ("benchmark", 20.0, 120.0),
    ("spike", 500.0, 599.0),
    ("volume", 20.0, 1_800.0),
];

fn planned(suite: &str) -> Vec<PlannedTest> {
    let file = built_in(suite).expect("built in").expect("sound");
    let has_full = file.tests.values();
    let full = has_full
        .flat_map(|test| test.parts.values())
        .any(|it| it.full);
    let selection = Selection {
        tests: vec!["all-tests".to_owned()],
        full,
        ..Selection::default()
    };
    plan(&file, &selection, &|_| None).expect("a plan").tests
}

fn size(test: &PlannedTest) -> (f64, f64) {
    let levels = test.phases.iter().map(PlannedPhase::level);
    let most = levels.fold(test.sampling_users() as f64, f64::max);
    let held_s = || test.env.get("HOLD_S").and_then(|text| text.parse().ok());
    let end_s = test.phases.last().map(|phase| phase.end_s).or_else(held_s);
    (most, end_s.unwrap_or(0.0))
}

#[test]
fn tests_have_the_sizes_of_the_documents() {
    for (suite, sizes) in [
        ("orchestrator", ORCHESTRATOR),
        ("acso", ACSO),
        ("aiaas", AIAAS),
        ("acis", ACIS),
        ("agent360", AGENT360),
    ] {
        let tests = planned(suite);
        for (name, level, seconds) in sizes {
            let name_of = |test: &&PlannedTest| {
                let part = test.part.iter().map(|part| format!("/{part}"));
                format!("{}{}", test.name, part.collect::<String>()) == *name
            };
            let cells: Vec<(f64, f64)> = tests.iter().filter(name_of).map(size).collect();
            assert!(!cells.is_empty(), "{suite} {name}");
            let most = cells.iter().map(|(level, _)| *level).fold(0.0, f64::max);
            assert_eq!(most, *level, "{suite} {name}");
            for (_, found_s) in cells {
                assert!(
                    (found_s - seconds).abs() < 0.01,
                    "{suite} {name}: {found_s} s"
                );
            }
        }
    }
}

/// Tests that are not in the table search for their level, drive drills, or have a number of samples.
#[test]
fn every_other_test_has_no_size_of_its_own() {
    let tables = [ORCHESTRATOR, ACSO, AIAAS, ACIS, AGENT360];
    let suites = ["orchestrator", "acso", "aiaas", "acis", "agent360"];
    assert_eq!(BUILT_IN.len(), suites.len());
    for (suite, sizes) in suites.iter().zip(tables) {
        for test in planned(suite) {
            let is_in_table = sizes
                .iter()
                .any(|(name, ..)| name.split('/').next() == Some(&test.name));
            let is_sized = test.content == TestContent::Phases
                && test.faults.is_empty()
                && test.cell.is_empty();
            // Pages of two hundred for half an hour, with indexes and without.
            let is_halved = (*suite, test.name.as_str()) == ("acis", "volume");
            if is_halved {
                assert_eq!(size(&test), (50.0, 900.0), "{}", test.label());
            }
            assert!(
                is_in_table || is_halved || !is_sized,
                "{suite} {}",
                test.label()
            );
        }
    }
}
