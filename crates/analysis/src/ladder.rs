//! Figures of a ladder: the same work at increasing numbers of users.

use crate::input::{self, InputError};
use crate::least_squares::pearson;

/// The measurements of one rung in its steady window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    pub users: f64,
    /// Successes per second.
    pub throughput: f64,
    /// Share of requests that succeeded, 0..=1.
    pub success_rate: f64,
    /// Any unit, the same for all rungs.
    pub mean_response: f64,
    /// Busy share of the target's processors, 0..=1; `None` if it was not measured.
    pub cpu: Option<f64>,
}

/// The criteria of a stable rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stability {
    /// At least this share succeeds.
    pub success_rate: f64,
    /// The mean response time is below this multiple of that of the first rung.
    pub response_factor: f64,
    /// The processors are busy for less than this share.
    pub cpu: f64,
}

impl Default for Stability {
    fn default() -> Self {
        Self {
            success_rate: 0.95,
            response_factor: 2.0,
            cpu: 0.85,
        }
    }
}

/// The efficiency below which a system counts as saturated.
pub const SATURATED_BELOW: f64 = 0.9;

#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// (users, (X(N)/N) / (X(N₁)/N₁)), by ascending users; 1 is perfect scaling.
    pub efficiencies: Vec<(f64, f64)>,
    /// 100 times the mean efficiency.
    pub linear_scalability_score: f64,
    /// The largest stable number of users such that all smaller ones are stable, too; `None` if the first
    /// rung is not.
    pub max_stable_users: Option<f64>,
    /// The efficiency at `max_stable_users`.
    pub retention: Option<f64>,
    /// The number of users, interpolated, where efficiency falls to 0.9; `None` when it never does.
    pub saturation_point: Option<f64>,
    /// Pearson's, of users and throughput; `None` when throughput does not vary.
    pub correlation: Option<f64>,
}

/// # Errors
/// `TooFew` below two rungs; `NotFinite`; `OutOfRange` for users that are not above 0, rates outside
/// 0..=1, or a first rung without any throughput; `Constant` for rungs that all have the same users.
pub fn figures(rungs: &[Rung], stability: &Stability) -> Result<Figures, InputError> {
    check(rungs)?;
    let mut rungs = rungs.to_vec();
    rungs.sort_by(|a, b| a.users.total_cmp(&b.users));
    let first = rungs[0];
    let alone = first.throughput / first.users;
    input::positive("the first rung's throughput per user", alone)?;
    let efficiencies: Vec<(f64, f64)> = rungs
        .iter()
        .map(|rung| (rung.users, rung.throughput / rung.users / alone))
        .collect();
    let mean = efficiencies.iter().map(|(_, e)| e).sum::<f64>() / rungs.len() as f64;
    let stable = rungs
        .iter()
        .take_while(|rung| is_stable(rung, &first, stability))
        .count();
    let last_stable = stable.checked_sub(1);
    let users: Vec<f64> = rungs.iter().map(|rung| rung.users).collect();
    let throughputs: Vec<f64> = rungs.iter().map(|rung| rung.throughput).collect();
    let correlation = match pearson(&users, &throughputs) {
        Ok(correlation) => Some(correlation),
        Err(InputError::Constant {
            what: "the y values",
            ..
        }) => None,
        Err(error) => return Err(error),
    };
    Ok(Figures {
        linear_scalability_score: 100.0 * mean,
        max_stable_users: last_stable.map(|index| efficiencies[index].0),
        retention: last_stable.map(|index| efficiencies[index].1),
        saturation_point: saturation_point(&efficiencies),
        correlation,
        efficiencies,
    })
}

fn check(rungs: &[Rung]) -> Result<(), InputError> {
    let column = |of: fn(&Rung) -> f64| rungs.iter().map(of).collect::<Vec<f64>>();
    input::finite("the users", &column(|rung| rung.users), 2)?;
    input::finite("the throughputs", &column(|rung| rung.throughput), 2)?;
    input::finite("the response times", &column(|rung| rung.mean_response), 2)?;
    for rung in rungs {
        input::positive("the users of a rung", rung.users)?;
        input::not_negative("the throughput of a rung", rung.throughput)?;
        let share = |what, value: f64| {
            input::holds(what, value, (0.0..=1.0).contains(&value), "within 0 to 1")
        };
        share("the success rate of a rung", rung.success_rate)?;
        if let Some(cpu) = rung.cpu {
            share("the processor use of a rung", cpu)?;
        }
    }
    Ok(())
}

fn is_stable(rung: &Rung, first: &Rung, stability: &Stability) -> bool {
    // The first rung is compared with itself: 1 is below any reasonable factor.
    let limit = stability.response_factor * first.mean_response;
    rung.success_rate >= stability.success_rate
        && (rung.mean_response < limit || rung == first)
        && rung.cpu.is_none_or(|cpu| cpu < stability.cpu)
}

fn saturation_point(efficiencies: &[(f64, f64)]) -> Option<f64> {
    efficiencies.windows(2).find_map(|pair| {
        let [(from, high), (to, low)] = [pair[0], pair[1]];
        (low <= SATURATED_BELOW).then(|| {
            let share = (high - SATURATED_BELOW) / (high - low);
            from + share * (to - from)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(users: f64, throughput: f64) -> Rung {
        Rung {
            users,
            throughput,
            success_rate: 1.0,
            mean_response: 100.0,
            cpu: Some(0.5),
        }
    }

    #[test]
    fn perfect_scaling_scores_a_hundred_and_never_saturates() {
        let rungs: Vec<Rung> = [5.0, 10.0, 50.0].map(|n| rung(n, 2.0 * n)).to_vec();
        let found = figures(&rungs, &Stability::default()).expect("valid rungs");
        assert!((found.linear_scalability_score - 100.0).abs() < 1e-9);
        assert_eq!(found.saturation_point, None);
        assert_eq!(found.max_stable_users, Some(50.0));
        assert_eq!(found.retention, Some(1.0));
    }

    #[test]
    fn saturation_is_interpolated_between_rungs() {
        let rungs = [rung(10.0, 10.0), rung(20.0, 20.0), rung(40.0, 32.0)];
        let found = figures(&rungs, &Stability::default()).expect("valid rungs");
        // Efficiency 1.0 at 20 and 0.8 at 40.
        let point = found.saturation_point.expect("0.8 is below 0.9");
        assert!((point - 30.0).abs() < 1e-9, "{point}");
    }

    #[test]
    fn a_stable_rung_above_an_unstable_one_does_not_count() {
        let mut rungs = [rung(10.0, 10.0), rung(20.0, 20.0), rung(40.0, 40.0)];
        rungs[1].success_rate = 0.94;
        let found = figures(&rungs, &Stability::default()).expect("valid rungs");
        assert_eq!(found.max_stable_users, Some(10.0));
        rungs[1].success_rate = 0.95;
        rungs[2].mean_response = 200.0;
        let found = figures(&rungs, &Stability::default()).expect("valid rungs");
        assert_eq!(found.max_stable_users, Some(20.0));
        rungs[0].cpu = Some(0.85);
        let found = figures(&rungs, &Stability::default()).expect("valid rungs");
        assert_eq!((found.max_stable_users, found.retention), (None, None));
    }

    #[test]
    fn a_first_rung_without_throughput_is_refused() {
        let rungs = [rung(1.0, 0.0), rung(2.0, 1.0)];
        assert!(figures(&rungs, &Stability::default()).is_err());
        assert!(figures(&rungs[1..], &Stability::default()).is_err());
    }
}
