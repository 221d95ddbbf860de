//! Logs are merged in any order and any grouping to the same bytes.

use hdrhistogram::Histogram;
use interval_log::{IntervalLog, Key, decode, encode, histogram, percentile, read, write};
use proptest::prelude::*;

fn bytes(log: &IntervalLog) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(log, "a test", &mut bytes).expect("memory can be written");
    bytes
}

fn key(second: u64, tag: &str) -> Key {
    Key {
        begin_ms: 1_700_000_000_000 + 1000 * second,
        length_ms: 1000,
        tag: tag.to_owned(),
    }
}

/// The log of these values: second, microseconds.
fn log(values: &[(u64, u64)]) -> IntervalLog {
    let mut log = IntervalLog::of_micros();
    for (second, micros) in values {
        let mut one = histogram();
        one.record(*micros).expect("within the bounds");
        log.add(key(*second, "GET_/a"), &one);
    }
    log
}

proptest! {
    // Histograms are large.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_and_the_grouping_of_logs_do_not_matter(
        parts in prop::collection::vec(prop::collection::vec((0u64..5, 1u64..4_000_000), 1..40), 2..6),
        turn in 0usize..6,
    ) {
        let logs: Vec<IntervalLog> = parts.iter().map(|part| log(part)).collect();
        let whole = log(&parts.concat());
        let mut turned = logs.clone();
        let places = turned.len();
        turned.rotate_left(turn % places);
        turned.reverse();
        let mut merged = IntervalLog::default();
        turned.iter().for_each(|part| merged.merge(part));
        // In groups, each through a file of its own.
        let mut grouped = IntervalLog::default();
        for group in logs.chunks(2) {
            let mut of_group = IntervalLog::default();
            group.iter().for_each(|part| of_group.merge(part));
            grouped.merge(&read(&bytes(&of_group)).expect("what was written can be read"));
        }
        prop_assert_eq!(bytes(&merged), bytes(&whole));
        prop_assert_eq!(bytes(&grouped), bytes(&whole));
        for quantile in [0.5, 0.95, 0.99, 1.0] {
            let of = |log: &IntervalLog| log.total().and_then(|total| percentile(&total, quantile));
            prop_assert_eq!(of(&merged), of(&whole));
        }
    }
}

#[test]
fn histograms_of_other_kinds_are_merged_in_any_order_too() {
    let coarse = || {
        let mut coarse = Histogram::<u64>::new_with_bounds(1, 60_000_000, 2).expect("bounds");
        [1500, 1501, 99_999]
            .iter()
            .for_each(|value| coarse.record(*value).expect("within"));
        coarse
    };
    let mut fine = histogram();
    fine.record(1500).expect("within");
    let of = |first: &Histogram<u64>, second: &Histogram<u64>| {
        let mut log = IntervalLog::of_micros();
        log.add(key(0, ""), first);
        log.add(key(0, ""), second);
        bytes(&log)
    };
    assert_eq!(of(&coarse(), &fine), of(&fine, &coarse()));
    let again = decode(&encode(&coarse())).expect("what was encoded can be decoded");
    assert_eq!(again, coarse());
}

#[test]
fn what_is_not_a_log_is_refused_with_its_line() {
    let good = bytes(&log(&[(0, 5), (1, 7)]));
    let mut lines: Vec<&str> = std::str::from_utf8(&good).expect("text").lines().collect();
    let place = lines.len();
    lines.push("1.0,1.0,5.0,AAAA");
    let broken = lines.join("\n") + "\n";
    let error = read(broken.as_bytes())
        .expect_err("it is refused")
        .to_string();
    assert!(
        error.starts_with(&format!("line {}: ", place + 1)),
        "{error}"
    );
    assert_eq!(
        read(b"").expect_err("it is refused").to_string(),
        "it has no histogram"
    );
    let error = read(b"hello\n").expect_err("it is refused").to_string();
    assert_eq!(error, "line 1 is not a line of a histogram log");
}
