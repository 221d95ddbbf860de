//! Native histograms: buckets whose bounds grow by 2^(1/8), about 9 % each.
//!
//! <https://prometheus.io/docs/specs/native_histograms/>, schema 3, as k6 uses it.

use std::collections::BTreeMap;

use super::wire::{BucketSpan, Histogram};

const SCHEMA: i32 = 3;
/// Buckets per power of two.
const PER_OCTAVE: i32 = 1 << SCHEMA;
/// 2^-128: smaller absolute values count as zero.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The upper bounds of the buckets from 0.5 on, below 1.
const BOUNDS: [f64; PER_OCTAVE as usize] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    std::f64::consts::FRAC_1_SQRT_2,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_5,
    0.917_004_043_204_671_2,
];

/// The aggregate of observations.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct NativeHistogram {
    count: u64,
    sum: f64,
    zeros: u64,
    /// By index: bucket `i` counts values above 2^((i−1)/8) and up to 2^(i/8).
    positive: BTreeMap<i32, i64>,
    negative: BTreeMap<i32, i64>,
}

impl NativeHistogram {
    pub(super) fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return; // metrics do not accept such values
        }
        self.count += 1;
        self.sum += value;
        if value.abs() <= ZERO_THRESHOLD {
            self.zeros += 1;
        } else if value > 0.0 {
            *self.positive.entry(bucket(value)).or_default() += 1;
        } else {
            *self.negative.entry(bucket(-value)).or_default() += 1;
        }
    }

    pub(super) fn to_wire(&self, timestamp_ms: i64) -> Histogram {
        let (positive_spans, positive_deltas) = spans(&self.positive);
        let (negative_spans, negative_deltas) = spans(&self.negative);
        Histogram {
            count: self.count,
            sum: self.sum,
            schema: SCHEMA,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: self.zeros,
            negative_spans,
            negative_deltas,
            positive_spans,
            positive_deltas,
            timestamp_ms,
        }
    }
}

fn bucket(value: f64) -> i32 {
    let (fraction, exponent) = split(value);
    let within = BOUNDS.partition_point(|bound| *bound < fraction);
    let within = i32::try_from(within).expect("there are eight bounds");
    within + (exponent - 1) * PER_OCTAVE
}

/// `value` as fraction·2^exponent with 0.5 <= fraction < 1. Normal numbers only: smaller ones are
/// zeros here.
fn split(value: f64) -> (f64, i32) {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
    (fraction, exponent)
}

fn spans(buckets: &BTreeMap<i32, i64>) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let (mut next, mut before) = (0, 0);
    for (&index, &count) in buckets {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(BucketSpan {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
        deltas.push(count - before);
        before = count;
    }
    (spans, deltas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_bucket_whose_bounds_hold_it() {
        // Bounds that Prometheus showed for values written by k6.
        let known = [
            (10.0, 9.513_656_920_021_768, 10.374_716_437_208_077),
            (0.25, 0.229_251_010_801_167_78, 0.25),
            (0.005, 0.004_645_340_292_979_379, 0.005_065_779_510_355_506),
            (1e6, 961_548.431_607_381_2, 1_048_576.0),
        ];
        for (value, low, high) in known {
            let index = bucket(value);
            let bound = |index: i32| 2f64.powf(f64::from(index) / f64::from(PER_OCTAVE));
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b;
            assert!(near(bound(index), high), "{value}: {} {high}", bound(index));
            assert!(near(bound(index - 1), low), "{value}");
        }
    }

    #[test]
    fn neighbours_share_a_span_and_counts_are_written_as_differences() {
        let mut histogram = NativeHistogram::default();
        for value in [1.0, 1.05, 1.05, 4.0, -5.0, 0.0] {
            histogram.observe(value);
        }
        let wire = histogram.to_wire(7);
        let span = |offset, length| BucketSpan { offset, length };
        assert_eq!(wire.positive_spans, [span(0, 2), span(14, 1)]);
        assert_eq!(wire.positive_deltas, [1, 1, -1]);
        assert_eq!(wire.negative_spans, [span(19, 1)]);
        assert_eq!(wire.negative_deltas, [1]);
        assert_eq!((wire.zero_count, wire.count), (1, 6));
    }
}
