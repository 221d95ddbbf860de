//! The impact of a fault as clients see it: time to detect, time to recover, lost requests, blast radius.

use crate::adjustment::benjamini_hochberg;
use crate::distribution::normal_cdf;
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::proportion::{Count, proportion_difference};

/// The observations of clients in one period. Times are seconds since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub start_s: f64,
    pub end_s: f64,
    pub requests: u64,
    /// Failed, or answered later than the objective permits.
    pub bad: u64,
}

/// The injection of the fault, and the criteria for windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experiment {
    pub injected_s: f64,
    /// The end of the fault.
    pub removed_s: f64,
    /// A window is good if at least this share of its requests is good.
    pub good_share: f64,
    /// The system counts as recovered after this many seconds without a violation.
    pub stable_s: f64,
}

/// The impact of the fault. Times are seconds from the injection, with the resolution of the windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impact {
    /// Whether the system met its objective before the fault; if not, the figures below do not describe the
    /// fault.
    pub was_well: bool,
    /// Until the end of the first window in violation; `None`: the fault had no visible effect.
    pub time_to_detect_s: Option<f64>,
    /// Until the end of the last window in violation, followed by the stable time; `None`: there was no
    /// violation, or no recovery before the run ended.
    pub time_to_recover_s: Option<f64>,
    pub recovered: bool,
    /// Bad requests from the injection on, minus those expected from the share before it.
    pub lost_requests: f64,
    /// Time in violation from the injection on.
    pub budget_minutes: f64,
}

/// Measures a fault in windows in order of time. Windows without requests are ignored.
///
/// # Errors
/// `Empty` without windows; `OutOfRange` for windows that end before they start or begin before the one
/// before has ended, more bad than all requests, a share outside 0..=1, or a fault that ends before it
/// begins.
pub fn impact(windows: &[Window], experiment: &Experiment) -> Result<Impact, InputError> {
    check(windows, experiment)?;
    let is_well = |window: &&Window| {
        let good = (window.requests - window.bad) as f64;
        good >= experiment.good_share * window.requests as f64
    };
    let injected = experiment.injected_s;
    let before = windows.iter().filter(|window| window.end_s <= injected);
    // A window during which the fault is injected belongs to the fault.
    let after = windows.iter().filter(|window| window.end_s > injected);
    let violations = || after.clone().filter(|window| !is_well(window));

    let first = violations().next();
    let last = violations().next_back();
    let end = windows[windows.len() - 1].end_s;
    let is_stable = |last: &Window| end - last.end_s >= experiment.stable_s;
    let (requests, bad) = before
        .clone()
        .fold((0, 0), |sum, w| (sum.0 + w.requests, sum.1 + w.bad));
    let usual = if requests == 0 {
        0.0
    } else {
        bad as f64 / requests as f64
    };
    let lost: f64 = after
        .clone()
        .map(|window| window.bad as f64 - usual * window.requests as f64)
        .sum();
    let budget_s: f64 = violations()
        .map(|window| window.end_s - window.start_s.max(injected))
        .sum();
    Ok(Impact {
        was_well: before.clone().all(|window| is_well(&window)),
        time_to_detect_s: first.map(|window| window.end_s - injected),
        time_to_recover_s: last
            .filter(|window| is_stable(window))
            .map(|window| window.end_s - injected),
        recovered: last.is_none_or(is_stable),
        lost_requests: lost.max(0.0),
        budget_minutes: budget_s / 60.0,
    })
}

fn check(windows: &[Window], experiment: &Experiment) -> Result<(), InputError> {
    if windows.is_empty() {
        return Err(InputError::Empty {
            what: "the windows",
        });
    }
    let mut clock = f64::NEG_INFINITY;
    for window in windows {
        input::holds(
            "the start of a window",
            window.start_s,
            window.start_s.is_finite() && window.start_s >= clock,
            "not before the end of the window before",
        )?;
        input::holds(
            "the end of a window",
            window.end_s,
            window.end_s.is_finite() && window.end_s > window.start_s,
            "after its start",
        )?;
        input::holds(
            "the bad requests of a window",
            window.bad as f64,
            window.bad <= window.requests,
            "at most its requests",
        )?;
        clock = window.end_s;
    }
    input::holds(
        "the good share",
        experiment.good_share,
        (0.0..=1.0).contains(&experiment.good_share),
        "within 0 to 1",
    )?;
    input::not_negative("the stable time", experiment.stable_s)?;
    input::not_negative("the time of injection", experiment.injected_s)?;
    input::holds(
        "the time of removal",
        experiment.removed_s,
        experiment.removed_s >= experiment.injected_s,
        "not before the injection",
    )
}

/// One endpoint, tenant or detector during the fault, and a control group without the fault, such as itself before: the
/// bad requests among the requests of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure<'a> {
    pub name: &'a str,
    pub exposed: Count,
    pub control: Count,
}

/// Whether an endpoint was affected.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub name: String,
    /// Bad share with the fault minus bad share of the control group.
    pub difference: Interval,
    /// Benjamini and Hochberg's, over all endpoints.
    pub adjusted_p_value: f64,
    pub is_hit: bool,
}

/// The blast radius: the endpoints that are worse than their control group, by the pooled test of two
/// proportions at the level `alpha` over all endpoints.
///
/// # Errors
/// `Empty` for an endpoint or control without requests; `OutOfRange` for more bad than all requests or a
/// level outside (0, 1). No endpoints give no hits.
pub fn blast_radius(exposures: &[Exposure], alpha: f64) -> Result<Vec<Hit>, InputError> {
    input::open_unit("the level", alpha)?;
    let differences = exposures
        .iter()
        .map(|e| proportion_difference(e.control, e.exposed, 1.0 - alpha))
        .collect::<Result<Vec<_>, _>>()?;
    let p_values: Vec<f64> = exposures
        .iter()
        .map(|e| worse_by_chance(e.control, e.exposed))
        .collect();
    hits(exposures, differences, &p_values, alpha)
}

/// A concurrent control group: others that the fault did not spoil, before it and at the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meanwhile {
    pub before: Count,
    pub during: Count,
}

/// Those whose bad share rose by more, from themselves before (`control`) to the fault, than that of the concurrent
/// control group: the difference of the two differences, by the normal test at the level `alpha` for all together, with
/// its interval by MOVER (Zou and Donner, 2008) from those of the two differences.
///
/// # Errors
/// As [`blast_radius`], and `Empty` for a control group without requests.
pub fn beyond_control(
    exposures: &[Exposure],
    meanwhile: &Meanwhile,
    alpha: f64,
) -> Result<Vec<Hit>, InputError> {
    input::open_unit("the level", alpha)?;
    let rise = |from: Count, to: Count| {
        let interval = proportion_difference(from, to, 1.0 - alpha)?;
        Ok((to.share() - from.share(), interval))
    };
    let (others, others_interval) = rise(meanwhile.before, meanwhile.during)?;
    let mut differences = Vec::new();
    let mut p_values = Vec::new();
    for Exposure {
        exposed, control, ..
    } in exposures
    {
        let (own, own_interval) = rise(*control, *exposed)?;
        let excess = own - others;
        differences.push(Interval {
            lower: excess - (own - own_interval.lower).hypot(others_interval.upper - others),
            upper: excess + (own_interval.upper - own).hypot(others - others_interval.lower),
            confidence: 1.0 - alpha,
        });
        let counts = [*control, *exposed, meanwhile.before, meanwhile.during];
        let variance: f64 = counts.into_iter().map(variance).sum();
        p_values.push(normal_cdf(-excess / variance.sqrt()));
    }
    hits(exposures, differences, &p_values, alpha)
}

/// The variance of a share, of which one hit and one miss more keep it from 0.
fn variance(count: Count) -> f64 {
    let trials = count.trials as f64 + 2.0;
    let share = (count.hits as f64 + 1.0) / trials;
    share * (1.0 - share) / trials
}

fn hits(
    exposures: &[Exposure],
    differences: Vec<Interval>,
    p_values: &[f64],
    alpha: f64,
) -> Result<Vec<Hit>, InputError> {
    let adjusted = benjamini_hochberg(p_values)?;
    Ok(exposures
        .iter()
        .zip(differences)
        .zip(adjusted)
        .map(|((exposure, difference), adjusted_p_value)| Hit {
            name: exposure.name.to_owned(),
            difference,
            adjusted_p_value,
            is_hit: adjusted_p_value <= alpha,
        })
        .collect())
}

/// The one-sided p value of the difference.
fn worse_by_chance(control: Count, exposed: Count) -> f64 {
    let (n, m) = (control.trials as f64, exposed.trials as f64);
    let pooled = (control.hits + exposed.hits) as f64 / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let difference = exposed.share() - control.share();
    if error == 0.0 {
        return 1.0;
    }
    normal_cdf(-difference / error)
}

/// Litmus' resilience score in percent: the mean of the probes' success percentages, weighted by the
/// faults' weights. `None` when there is no weight.
///
/// # Errors
/// `OutOfRange` for a negative weight or a percentage outside 0..=100.
pub fn resilience_score(faults: &[(f64, f64)]) -> Result<Option<f64>, InputError> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (weight, success_percent) in faults {
        input::not_negative("a fault's weight", *weight)?;
        input::holds(
            "a probe success percentage",
            *success_percent,
            (0.0..=100.0).contains(success_percent),
            "within 0 to 100",
        )?;
        sum += weight * success_percent;
        weights += weight;
    }
    Ok((weights > 0.0).then(|| sum / weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of a second with a hundred requests each, and this many bad ones in each.
    fn windows(bad: impl Fn(u64) -> u64, count: u64) -> Vec<Window> {
        (0..count)
            .map(|second| Window {
                start_s: second as f64,
                end_s: second as f64 + 1.0,
                requests: 100,
                bad: bad(second),
            })
            .collect()
    }

    const EXPERIMENT: Experiment = Experiment {
        injected_s: 10.0,
        removed_s: 15.0,
        good_share: 0.95,
        stable_s: 5.0,
    };

    #[test]
    fn a_fault_of_five_seconds_with_a_lag_of_two_is_measured_as_seven() {
        let series = windows(|second| if (10..17).contains(&second) { 50 } else { 1 }, 30);
        let found = impact(&series, &EXPERIMENT).expect("valid windows");
        assert!(found.was_well && found.recovered);
        assert_eq!(found.time_to_detect_s, Some(1.0));
        assert_eq!(found.time_to_recover_s, Some(7.0));
        assert!((found.lost_requests - 7.0 * 49.0).abs() < 1e-9, "{found:?}");
        assert!((found.budget_minutes - 7.0 / 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_fault_that_never_shows_costs_nothing() {
        let found = impact(&windows(|_| 1, 30), &EXPERIMENT).expect("valid windows");
        assert_eq!(
            (found.time_to_detect_s, found.time_to_recover_s),
            (None, None)
        );
        assert!(found.recovered);
        assert_eq!((found.lost_requests, found.budget_minutes), (0.0, 0.0));
    }

    #[test]
    fn a_run_that_ends_too_soon_has_not_recovered() {
        let series = windows(|second| if second >= 10 { 50 } else { 0 }, 20);
        let found = impact(&series, &EXPERIMENT).expect("valid windows");
        assert!(!found.recovered);
        assert_eq!(found.time_to_recover_s, None);
    }

    #[test]
    fn a_system_that_was_unhealthy_before_the_fault_is_reported() {
        let series = windows(|second| if second == 3 { 50 } else { 0 }, 30);
        assert!(
            !impact(&series, &EXPERIMENT)
                .expect("valid windows")
                .was_well
        );
    }

    #[test]
    fn only_the_faulty_detector_is_within_the_radius() {
        let exposure = |name, bad| Exposure {
            name,
            exposed: Count::new(bad, 500),
            control: Count::new(5, 500),
        };
        let exposures = [exposure("a", 6), exposure("b", 60), exposure("c", 4)];
        let hits = blast_radius(&exposures, 0.05).expect("valid counts");
        let hit: Vec<&str> = hits
            .iter()
            .filter(|hit| hit.is_hit)
            .map(|hit| hit.name.as_str())
            .collect();
        assert_eq!(hit, ["b"]);
        assert!(hits[1].difference.lower > 0.05);
    }

    #[test]
    fn what_happens_to_the_control_group_as_well_is_not_the_faults() {
        // Both rise from 1 %, the one to 12 %, the other to 40 %.
        let exposure = |name, bad| Exposure {
            name,
            exposed: Count::new(bad, 500),
            control: Count::new(5, 500),
        };
        let exposures = [exposure("busy", 60), exposure("broken", 200)];
        let found = |during| {
            let meanwhile = Meanwhile {
                before: Count::new(10, 1000),
                during: Count::new(during, 1000),
            };
            beyond_control(&exposures, &meanwhile, 0.05).expect("valid counts")
        };
        let are_hit = |hits: &[Hit]| hits.iter().map(|hit| hit.is_hit).collect::<Vec<_>>();
        assert_eq!(are_hit(&found(10)), [true, true]);
        let hits = found(100);
        assert_eq!(are_hit(&hits), [false, true], "{hits:?}");
        assert!(hits[0].difference.contains(0.02) && hits[0].difference.contains(0.0));
        assert!(hits[1].difference.contains(0.3) && hits[1].difference.lower > 0.2);
        let nobody = Meanwhile {
            before: Count::new(0, 0),
            during: Count::new(0, 0),
        };
        assert!(beyond_control(&exposures, &nobody, 0.05).is_err());
    }

    /// Neither rises: each of 2000 draws at 5 % is a hit about as often as the level says.
    #[test]
    fn without_a_fault_hits_beyond_the_control_are_as_rare_as_the_level() {
        let mut state = 7_u64;
        let mut draw = |share: f64, trials: u64| {
            let mut hits = 0;
            for _ in 0..trials {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                hits += u64::from(((state >> 33) as f64 / (1_u64 << 31) as f64) < share);
            }
            Count::new(hits, trials)
        };
        let found = (0..2000).filter(|_| {
            let exposure = Exposure {
                name: "a",
                exposed: draw(0.1, 200),
                control: draw(0.05, 200),
            };
            let meanwhile = Meanwhile {
                before: draw(0.05, 400),
                during: draw(0.1, 400),
            };
            let hits = beyond_control(&[exposure], &meanwhile, 0.05).expect("valid counts");
            hits[0].is_hit
        });
        let share = found.count() as f64 / 2000.0;
        assert!((0.03..=0.065).contains(&share), "{share}");
    }

    #[test]
    fn the_resilience_score_is_harness_example() {
        // Weights 2, 4, 8 with 0 %, 100 %, 75 %: 1000 / 14.
        let score = resilience_score(&[(2.0, 0.0), (4.0, 100.0), (8.0, 75.0)]);
        let score = score.expect("valid input").expect("there are weights");
        assert!((score - 1000.0 / 14.0).abs() < 1e-9);
        assert_eq!(resilience_score(&[]), Ok(None));
    }
}
