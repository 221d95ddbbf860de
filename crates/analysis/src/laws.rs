//! Operational laws, which hold for every system whatever its distributions: measurements that violate them
//! are wrong.
//!
//! Source: Denning and Buzen, "The operational analysis of queueing network models" (1978).

use crate::input::{self, InputError};

/// Two numbers that have to be equal, and their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    pub measured: f64,
    pub expected: f64,
    /// measured / expected - 1; 0 when both are 0.
    pub deviation: f64,
    pub holds: bool,
}

impl Check {
    fn of(measured: f64, expected: f64, tolerance: f64) -> Self {
        let deviation = if measured == expected {
            0.0
        } else {
            measured / expected - 1.0
        };
        Self {
            measured,
            expected,
            deviation,
            holds: deviation.abs() <= tolerance,
        }
    }
}

/// Little's law: the mean number in the system is throughput times mean time in the system, N = X·R.
/// `tolerance` is the permitted deviation, 0.05 for 5 %.
///
/// # Errors
/// `OutOfRange` for negative or not finite numbers.
pub fn little(
    mean_in_system: f64,
    throughput_per_s: f64,
    mean_response_s: f64,
    tolerance: f64,
) -> Result<Check, InputError> {
    input::not_negative("the mean number in the system", mean_in_system)?;
    input::not_negative("the throughput", throughput_per_s)?;
    input::not_negative("the mean response time", mean_response_s)?;
    input::not_negative("the tolerance", tolerance)?;
    let expected = throughput_per_s * mean_response_s;
    Ok(Check::of(mean_in_system, expected, tolerance))
}

/// The mean times of a user's cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cycle {
    pub response_s: f64,
    pub think_s: f64,
}

/// The law for closed loads: users cycle through response and think time, N = X·(R + Z).
///
/// # Errors
/// `OutOfRange` for negative or not finite numbers.
pub fn interactive_response_time(
    users: f64,
    throughput_per_s: f64,
    mean: Cycle,
    tolerance: f64,
) -> Result<Check, InputError> {
    input::not_negative("the mean think time", mean.think_s)?;
    input::not_negative("the mean response time", mean.response_s)?;
    little(
        users,
        throughput_per_s,
        mean.response_s + mean.think_s,
        tolerance,
    )
}

/// The utilisation law: busy share = throughput times service demand, U = X·D, the demand per request
/// being of the whole resource.
///
/// # Errors
/// `OutOfRange` for negative or not finite numbers or a busy share above 1.
pub fn utilisation(
    busy_share: f64,
    throughput_per_s: f64,
    demand_s: f64,
    tolerance: f64,
) -> Result<Check, InputError> {
    input::holds(
        "the busy share",
        busy_share,
        (0.0..=1.0).contains(&busy_share),
        "within 0 to 1",
    )?;
    input::not_negative("the throughput", throughput_per_s)?;
    input::not_negative("the demand", demand_s)?;
    input::not_negative("the tolerance", tolerance)?;
    Ok(Check::of(
        busy_share,
        throughput_per_s * demand_s,
        tolerance,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_per_second_at_fifty_milliseconds_are_five() {
        let check = little(5.1, 100.0, 0.05, 0.05).expect("valid input");
        assert!(
            check.holds && (check.deviation - 0.02).abs() < 1e-9,
            "{check:?}"
        );
        assert!(!little(6.0, 100.0, 0.05, 0.05).expect("valid input").holds);
        assert!(little(0.0, 0.0, 0.05, 0.05).expect("valid input").holds);
        assert!(!little(1.0, 0.0, 0.05, 0.05).expect("valid input").holds);
    }

    #[test]
    fn users_think_between_requests() {
        let mean = Cycle {
            response_s: 0.5,
            think_s: 1.5,
        };
        let check = interactive_response_time(10.0, 5.0, mean, 0.01).expect("valid input");
        assert!(check.holds, "{check:?}");
    }

    #[test]
    fn busy_shares_above_one_are_refused() {
        assert!(
            utilisation(0.4, 100.0, 0.004, 0.01)
                .expect("valid input")
                .holds
        );
        assert!(utilisation(40.0, 100.0, 0.004, 0.01).is_err());
    }
}
