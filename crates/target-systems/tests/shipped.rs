//! The built-in systems in virtual time, compared with their truth.

use target_systems::offline::{Load, Mix, Report, Simulation, simulate};
use target_systems::plan::Amount;
use target_systems::truth::{self, Asking, requests, truth};
use target_systems::{System, systems};

fn shipped(name: &str) -> System {
    let text = systems::text(name).expect("an embedded system");
    System::read(text).unwrap_or_else(|invalid| panic!("{name}: {invalid:#?}"))
}

fn run(system: &System, mix: &str, load: Load, count: u64) -> Report {
    let samples = requests(system, mix).expect("a mix");
    let entries = samples
        .into_iter()
        .map(|sample| (sample.share, sample.endpoint, sample.input));
    let simulation = Simulation {
        load,
        mix: Mix::new(entries),
        requests: count,
        warm_up: count / 3,
    };
    simulate((*system.plan).clone(), &simulation).expect("a sound plan")
}

fn used(report: &Report, host: &str, resource: &str) -> f64 {
    let found = report
        .utilisation
        .iter()
        .find(|one| &*one.host == host && one.resource == resource);
    found.expect("a limited resource").share
}

fn close(found: f64, expected: f64, share: f64, what: &str) {
    assert!(
        (found - expected).abs() <= share * expected.abs(),
        "{what}: {found} is not {expected}"
    );
}

/// Users in virtual time and in the truth: throughput, response time and utilisation.
fn check_users(name: &str, mix: &str, think_ms: f64, users: u32, count: u64) {
    let system = shipped(name);
    let what = format!("{name} {mix} {users}");
    let think = Amount::new(fault_profile::Latency::Exponential { mean_ms: think_ms });
    let report = run(
        &system,
        mix,
        Load::Closed {
            users,
            think_ms: think,
        },
        count,
    );
    let asking = Asking {
        mix: mix.to_owned(),
        load: truth::Load::Users { users, think_ms },
    };
    let truth = truth(&system, &[asking]).expect("a mix");
    let load = truth.load.expect("a load");
    close(
        report.throughput_per_s,
        load.throughput_per_s.value,
        0.05,
        &what,
    );
    close(
        report.mean_ms,
        load.response_ms.expect("steady").value,
        0.08,
        &what,
    );
    for resource in truth
        .resources
        .iter()
        .filter(|one| matches!(one.resource, "cpu" | "disk"))
    {
        let expected = resource.utilisation.expect("a load").value;
        let found = used(&report, &resource.of, resource.resource);
        assert!(
            (found - expected).abs() <= 0.02 + 0.06 * expected,
            "{what} {} {}: {found} is not {expected}",
            resource.of,
            resource.resource
        );
    }
    let refused = report.rejected as f64 / report.requests as f64;
    let expected = load.refused_share.value;
    assert!(
        (refused - expected).abs() <= 0.02,
        "{what}: {refused} is not {expected}"
    );
}

#[test]
fn users_in_virtual_time_meet_what_truth_says() {
    check_users("acso", "mixed", 5_000.0, 500, 6_000);
    check_users("acis", "api_user", 600.0, 100, 6_000);
    check_users("agent360", "basic", 2_000.0, 200, 6_000);
    check_users("agent360", "stress", 300.0, 200, 4_000);
}

#[test]
fn overload_in_virtual_time_refuses_what_truth_says() {
    check_users("acso", "mixed", 5_000.0, 2_500, 20_000);
    check_users("acis", "api_user", 600.0, 400, 30_000);
}

#[test]
fn arrivals_in_virtual_time_meet_what_truth_says() {
    let system = shipped("aiaas");
    let report = run(
        &system,
        "aiaas_user",
        Load::Open {
            rate_per_s: 2_000.0,
        },
        20_000,
    );
    assert_eq!(report.rejected, 0, "{:?}", report.errors);
    let asking = Asking {
        mix: "aiaas_user".to_owned(),
        load: truth::Load::Rate { per_s: 2_000.0 },
    };
    let truth = truth(&system, &[asking]).expect("a mix");
    for resource in truth
        .resources
        .iter()
        .filter(|one| matches!(one.resource, "cpu" | "disk"))
    {
        let expected = resource.utilisation.expect("a load").value;
        let found = used(&report, &resource.of, resource.resource);
        assert!(
            (found - expected).abs() <= 0.01 + 0.05 * expected,
            "{} {}: {found} is not {expected}",
            resource.of,
            resource.resource
        );
    }
    let mean = truth
        .load
        .expect("a load")
        .response_ms
        .expect("steady")
        .value;
    close(report.mean_ms, mean, 0.08, "mean");
}

#[test]
fn every_endpoint_answers_its_examples() {
    for (name, _) in systems::ALL {
        let system = shipped(name);
        for (endpoint, declared) in &system.document.endpoints {
            let report = run(&system, endpoint, Load::Open { rate_per_s: 2.0 }, 60);
            let found: Vec<&str> = report.errors.keys().map(|name| &**name).collect();
            if declared.route.contains("{id}") {
                // An example cannot know the id of an entry that another request makes.
                let expected = |name: &&str| matches!(*name, "not_found" | "bad_request");
                assert!(found.iter().all(expected), "{name} {endpoint}: {found:?}");
            } else {
                assert_eq!(found, Vec::<&str>::new(), "{name} {endpoint}");
            }
        }
    }
}
