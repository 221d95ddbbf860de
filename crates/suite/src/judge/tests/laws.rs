//! Operational laws, and resource pressure.

use report::record::{Conclusion, ResourceSample, TestRecord};
use serde_json::Value;

use super::super::sample::{SECONDS, Sample, phase};

/// 100 requests per second of 50 ms, with this many in flight by the target's count.
fn counted(in_flight: f64) -> TestRecord {
    let mut sample = Sample::of("acis", "load");
    sample.record.observed.target = (0..SECONDS)
        .map(|at| ResourceSample {
            at_s: at as f64,
            host: Some("system".to_owned()),
            other: [("in_flight".to_owned(), in_flight)].into(),
            ..ResourceSample::default()
        })
        .collect();
    sample.judged()
}

#[test]
fn throughput_times_response_time_is_what_the_target_counts_in_flight() {
    let check = |in_flight, holds, conclusion| {
        let record = counted(in_flight);
        let law = &record.analysis["littles_law"][0];
        assert_eq!(law["law_in_flight"], 5.0, "{law}");
        assert_eq!(law["holds"], holds, "{law}");
        let mut entries = record.ledger.iter();
        let entry = entries
            .find(|it| it.what == "littles_law")
            .expect("an entry");
        assert_eq!(entry.conclusion, conclusion, "{}", entry.text);
    };
    check(5.0, true, Conclusion::Valid);
    check(4.6, true, Conclusion::Valid);
    // Two of five are outside the target.
    check(3.0, false, Conclusion::Suspect);
    check(8.0, false, Conclusion::Suspect);
}

/// Four levels, each with its requests per second, response time and use of the processor.
fn levels(steps: [[f64; 3]; 4], pressure: f64, source: &str) -> TestRecord {
    let mut sample = Sample::of("acso", "scalability");
    let phases = steps.iter().enumerate().map(|(place, [per_s, ms, _])| {
        let users = 10.0 * (place + 1) as f64;
        let mut step = phase(&users.to_string(), users, *per_s, *ms);
        (step.begin_s, step.end_s) = (place as f64 * 60.0, place as f64 * 60.0 + 60.0);
        step
    });
    sample.record.phases = phases.collect();
    sample.record.observed.target_source = Some(source.to_owned());
    sample.record.observed.target = (0..240)
        .map(|at: u32| ResourceSample {
            at_s: f64::from(at) + 0.5,
            cpu_ratio: Some(steps[at as usize / 60][2]),
            pressure: [("cpu".to_owned(), pressure)].into(),
            ..ResourceSample::default()
        })
        .collect();
    sample.judged()
}

fn demand(record: &TestRecord) -> &Value {
    &record.analysis["service_demand"]["demands"][0]
}

#[test]
fn a_resource_whose_use_does_not_follow_throughput_breaks_the_utilisation_law() {
    let proportional = [
        [100.0, 50.0, 0.2],
        [200.0, 50.0, 0.4],
        [300.0, 50.0, 0.6],
        [400.0, 50.0, 0.8],
    ];
    let record = levels(proportional, 0.0, "cgroup");
    assert_eq!(demand(&record)["law_holds"], true, "{}", demand(&record));
    let mut burst = proportional;
    burst[1][2] = 0.7;
    let record = levels(burst, 0.0, "cgroup");
    assert_eq!(demand(&record)["law_holds"], false, "{}", demand(&record));
}

/// A quota of a cgroup throttles processes whose mean use is half of it.
#[test]
fn a_resource_that_the_target_stalls_for_is_its_bottleneck_though_it_is_not_full() {
    let slow = [
        [100.0, 50.0, 0.2],
        [200.0, 60.0, 0.3],
        [300.0, 150.0, 0.45],
        [310.0, 400.0, 0.5],
    ];
    let check = |pressure, source, resource: &str, by: &str| {
        let record = levels(slow, pressure, source);
        let found = &record.analysis["bottleneck"];
        assert_eq!(
            found["resource"].as_str().unwrap_or("none"),
            resource,
            "{found}"
        );
        assert_eq!(found["by"], by, "{found}");
    };
    check(0.6, "cgroup", "cpu", "pressure");
    check(0.05, "cgroup", "none", "exclusion");
    // The machine's pressure may be the generator's.
    check(0.6, "host", "none", "exclusion");
}

#[test]
fn pressure_confirms_a_full_resource() {
    let full = [
        [100.0, 50.0, 0.3],
        [200.0, 50.0, 0.6],
        [300.0, 60.0, 0.9],
        [310.0, 400.0, 0.99],
    ];
    let check = |pressure, confirmed| {
        let record = levels(full, pressure, "cgroup");
        let found = &record.analysis["bottleneck"];
        assert_eq!(
            (&found["resource"], &found["by"]),
            (&"cpu".into(), &"use".into()),
            "{found}"
        );
        assert_eq!(found["confirmed_by_pressure"], confirmed, "{found}");
    };
    check(0.4, true);
    check(0.0, false);
}
