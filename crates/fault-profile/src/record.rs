//! A profile from recorded requests.

use std::time::Duration;

use crate::failure::{Failure, WeightedFailure};
use crate::latency::{Latency, PercentilePoint, Tail};
use crate::profile::Profile;

/// A recorded request.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRequest {
    pub latency: Duration,
    /// The kind of its failure, if it failed.
    pub failure: Option<Failure>,
}

/// Percentiles of a recorded table; the tails get more points than the middle.
const PERCENTILES: [f64; 15] = [
    0.0, 1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.9,
];

/// The profile that would show this behaviour. `None` without requests.
pub fn profile_of(seen: &[RecordedRequest], seed: u64) -> Option<Profile> {
    if seen.is_empty() {
        return None;
    }
    let failed = seen.iter().filter(|one| one.failure.is_some()).count();
    // If no request succeeded, only the times of failures are known.
    let succeeded: Vec<f64> = seen
        .iter()
        .filter(|one| one.failure.is_none() || failed == seen.len())
        .map(ms)
        .collect();
    Some(Profile {
        seed,
        success_rate: 1.0 - failed as f64 / seen.len() as f64,
        latency: latency_of(succeeded),
        failures: mix_of(seen),
        ..Profile::default()
    })
}

fn ms(seen: &RecordedRequest) -> f64 {
    // The measurements have a resolution of a microsecond.
    (seen.latency.as_secs_f64() * 1e6).round() / 1e3
}

fn latency_of(mut times: Vec<f64>) -> Latency {
    times.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Latency::default();
    };
    if first == last {
        return Latency::Constant { ms: *first };
    }
    let at =
        |percentile: f64| times[((times.len() - 1) as f64 * percentile / 100.0).round() as usize];
    let mut points: Vec<PercentilePoint> = PERCENTILES
        .iter()
        .map(|&percentile| PercentilePoint {
            percentile,
            ms: at(percentile),
        })
        .collect();
    points.push(PercentilePoint {
        percentile: 100.0,
        ms: *last,
    });
    Latency::Percentiles {
        points,
        tail: Tail::Clamp,
    }
}

/// The failures, weighted by their frequency.
fn mix_of(seen: &[RecordedRequest]) -> Vec<WeightedFailure> {
    let mut mix: Vec<WeightedFailure> = Vec::new();
    for failure in seen.iter().filter_map(|one| one.failure.as_ref()) {
        match mix.iter_mut().find(|entry| entry.kind == *failure) {
            Some(entry) => entry.weight += 1.0,
            None => mix.push(WeightedFailure {
                weight: 1.0,
                kind: failure.clone(),
            }),
        }
    }
    mix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Purpose, Root};
    use crate::sampler::Sampler;

    #[test]
    fn replaying_a_recording_gives_the_same_quantiles_and_mix() {
        let original = Sampler::new(&Latency::LogNormal {
            median_ms: 80.0,
            p99_ms: Some(600.0),
            sigma: None,
        });
        let reset = Failure::Reset {
            at: crate::Phase::BeforeHead,
        };
        let seen: Vec<RecordedRequest> = (0..50_000u64)
            .map(|n| RecordedRequest {
                latency: original.draw(&mut Root::new(1).word(n).draws(Purpose::Latency)),
                failure: n.is_multiple_of(10).then(|| match n % 20 {
                    0 => reset.clone(),
                    _ => Failure::default(),
                }),
            })
            .collect();
        let profile = profile_of(&seen, 9).expect("something was seen");
        let mut faults = Vec::new();
        profile.validate(&mut faults);
        assert_eq!(faults, []);
        assert!((profile.success_rate - 0.9).abs() < 1e-9);
        assert_eq!(
            profile
                .failures
                .iter()
                .map(|f| f.weight)
                .collect::<Vec<_>>(),
            [2500.0, 2500.0]
        );
        let replayed = Sampler::new(&profile.latency);
        let quantile = |sampler: &Sampler, q: f64| {
            let mut times: Vec<f64> = (0..50_000u64)
                .map(|n| sampler.draw_ms(&mut Root::new(2).word(n).draws(Purpose::Latency)))
                .collect();
            times.sort_by(f64::total_cmp);
            times[(times.len() as f64 * q) as usize]
        };
        for q in [0.05, 0.5, 0.9, 0.99, 0.999] {
            let (was, is) = (quantile(&original, q), quantile(&replayed, q));
            assert!(
                (is / was - 1.0).abs() < 0.06,
                "q {q}: {was} ms became {is} ms"
            );
        }
    }

    #[test]
    fn nothing_seen_is_no_profile() {
        assert_eq!(profile_of(&[], 0), None);
    }
}
