//! C-28: with `as_documented`, ACIS responds like the example report of its document.

use std::time::Duration;

use serde_json::json;
use target_systems::network::{Arrival, Detail, Finished, Key, Network};
use target_systems::truth::requests;
use target_systems::{System, systems};

/// The design's number of requests, used to judge failures.
const REQUESTS: u64 = 10_000;
/// With 10 000, three standard errors of the highest percentiles exceed the permitted 3 %.
const TIMED: u64 = 400_000;

/// Requests of an endpoint, none of which waits for another.
fn answers(system: &System, endpoint: &str) -> Vec<Finished> {
    let sample = requests(system, endpoint).expect("an endpoint").remove(0);
    let plan = system.plan.as_ref().clone();
    let mut network = Network::new(plan, Detail::Totals).expect("a sound plan");
    for index in 1..=TIMED {
        let arrival = Arrival {
            endpoint: sample.endpoint,
            tenant: "".into(),
            key: Key::Index(index),
            attempt: 1,
            index,
            bytes: 0,
            input: sample.input.clone(),
        };
        network.arrive(Duration::from_millis(20) * index as u32, arrival);
    }
    network.advance(Duration::from_secs(10_000));
    let finished: Vec<Finished> = network.finished().collect();
    assert_eq!(finished.len() as u64, TIMED);
    finished
}

/// Wilson's interval of a share, at 3 standard errors.
fn wilson(count: u64, of: u64) -> (f64, f64) {
    let (n, z) = (of as f64, 3.0f64);
    let share = count as f64 / n;
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

/// Checks percentiles in ms and the share of failures against those of the document's report.
fn check(endpoint: &str, percentiles: &[(f64, f64)], failures: f64) {
    let system = System::read(systems::text("acis").expect("embedded")).expect("shipped");
    let on = json!({ "toggles": { "as_documented": { "on": true } } });
    let system = system.patched(&on).expect("a toggle");
    let finished = answers(&system, endpoint);
    let failed = finished
        .iter()
        .take(REQUESTS as usize)
        .filter(|one| one.outcome.error_type().is_some())
        .count() as u64;
    let (least, most) = wilson(failed, REQUESTS);
    assert!(
        (least..=most).contains(&failures) || failed == 0 && failures == 0.0,
        "{endpoint}: {failed} of {REQUESTS} failed, {failures} is not within {least}..{most}"
    );
    let mut times: Vec<f64> = finished
        .iter()
        .map(|one| one.elapsed().as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    for (percentile, expected_ms) in percentiles {
        let found = times[(percentile / 100.0 * (times.len() - 1) as f64).round() as usize];
        assert!(
            (found / expected_ms - 1.0).abs() <= 0.03,
            "{endpoint} p{percentile}: {found} ms is not {expected_ms} ms"
        );
    }
}

#[test]
fn c_28_lists_of_clients_take_what_the_report_says() {
    let table = [
        (50.0, 200.0),
        (66.0, 250.0),
        (75.0, 300.0),
        (80.0, 350.0),
        (90.0, 450.0),
        (95.0, 500.0),
    ];
    check("clients", &table, 0.0);
}

#[test]
fn c_28_predictions_take_and_fail_as_the_report_says() {
    let table = [
        (50.0, 700.0),
        (66.0, 850.0),
        (75.0, 950.0),
        (80.0, 1_050.0),
        (90.0, 1_500.0),
        (95.0, 2_000.0),
    ];
    check("predict", &table, 0.0125);
}

/// ACIS-16: the endpoint of trades.
#[test]
fn c_28_trades_take_and_fail_as_the_report_says() {
    check("trade", &[(50.0, 1_200.0), (95.0, 4_000.0)], 0.1);
}
