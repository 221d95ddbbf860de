//! An independent implementation, HdrHistogram's own port to Python, reads the logs that this crate writes.
//!
//! Without it (`pip install hdrhistogram`) the test is skipped with a message, unless `REQUIRE_HDRHISTOGRAM` is set, as CI
//! does. `PYTHON` names another interpreter than the one on the path.

use std::process::Command;

use interval_log::{IntervalLog, Key, histogram, percentile, write};

/// Prints each interval: tag, begin in s, length in s, count, mean, and the values at the percentiles.
const READER: &str = "
import sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3600000000, 3))
while True:
    histogram = reader.get_next_interval_histogram()
    if histogram is None:
        break
    span = [histogram.get_start_time_stamp(), histogram.get_end_time_stamp()]
    values = [histogram.get_value_at_percentile(p) for p in (50, 90, 95, 99, 99.9, 100)]
    print(histogram.get_tag(), *(int(at) for at in span), histogram.get_total_count(), *values)
";
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// The interpreter; `None` with a message if it has no reader.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let tried = Command::new(&python)
        .args(["-c", "import hdrh.log"])
        .output();
    if tried.is_ok_and(|done| done.status.success()) {
        return Some(python);
    }
    let how = format!("{python} has no `hdrh`; `pip install hdrhistogram` brings it");
    assert!(std::env::var_os("REQUIRE_HDRHISTOGRAM").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}

/// Latencies with a long tail, from a microsecond to half an hour.
fn values(second: u64) -> impl Iterator<Item = u64> {
    let near = move |number: u64| 900 + (number * 7919 + second * 31) % 1_000;
    let tail = [
        1,
        2,
        2047,
        2048,
        65_537,
        1_234_567,
        59_000_000,
        1_800_000_000,
    ];
    // A multiple of a thousand values: the reader rounds the rank q·n to the nearest, this crate rounds it up; here it
    // is whole.
    let thousands = 3 + second as usize;
    (0..2_992)
        .map(near)
        .chain(tail)
        .cycle()
        .take(1_000 * thousands)
}

#[test]
fn an_external_reader_finds_the_same_counts_and_percentiles() {
    let Some(python) = python() else {
        return;
    };
    let mut log = IntervalLog::of_micros();
    for second in 0..5 {
        for tag in ["GET_/a", "POST_/b"] {
            let mut one = histogram();
            for value in values(second) {
                one.record(value).expect("within the bounds");
            }
            let begin_ms = 1_700_000_000_000 + 1000 * second;
            let (length_ms, tag) = (1000, tag.to_owned());
            log.add(
                Key {
                    begin_ms,
                    length_ms,
                    tag,
                },
                &one,
            );
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("latency.hlog");
    let mut file = std::fs::File::create(&path).expect("it can be written");
    write(&log, "a test", &mut file).expect("it can be written");
    let read = Command::new(python)
        .args(["-c", READER])
        .arg(&path)
        .output();
    let read = read.expect("it can be executed");
    let said = String::from_utf8_lossy(&read.stdout);
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let expected: Vec<String> = log
        .intervals()
        .map(|(key, own)| {
            let values = QUANTILES.map(|quantile| {
                let value = percentile(&own, quantile).expect("it has values");
                // The reader shows the highest value of a bucket, as HdrHistogram's tools do.
                own.highest_equivalent(value).to_string()
            });
            let end_ms = key.begin_ms + key.length_ms;
            let count = own.len();
            format!(
                "{} {} {end_ms} {count} {}",
                key.tag,
                key.begin_ms,
                values.join(" ")
            )
        })
        .collect();
    let found: Vec<&str> = said.lines().collect();
    assert_eq!(found, expected);
}
