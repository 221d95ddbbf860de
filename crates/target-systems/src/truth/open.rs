//! Open stations: Poisson arrivals at a rate.

/// Maximum number of summed states of a birth and death process.
const MOST_STATES: usize = 2_000_000;
/// The negligible remainder at which the sum ends.
const NEGLIGIBLE: f64 = 1e-14;

/// The speed of a station with n inside, as a number of servers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Speed {
    /// min(n, m).
    Servers(f64),
    /// n/(1 + sigma·(n−1) + kappa·n·(n−1)), with at most `most` at once.
    Usl { sigma: f64, kappa: f64, most: f64 },
}

impl Speed {
    pub fn at(self, n: f64) -> f64 {
        match self {
            Self::Servers(servers) => n.min(servers),
            Self::Usl { sigma, kappa, most } => {
                let n = n.min(most).max(1.0);
                n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
            }
        }
    }

    /// The greatest speed.
    pub fn greatest(self) -> f64 {
        match self {
            Self::Servers(servers) => servers,
            Self::Usl { sigma, kappa, most } => {
                let peak = if kappa > 0.0 {
                    ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0)
                } else {
                    most
                };
                let peak = peak.min(most);
                self.at(peak.floor()).max(self.at(peak.ceil()))
            }
        }
    }
}

/// A birth and death process in steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Steady {
    /// Mean number inside.
    pub inside: f64,
    /// Mean number of waiting requests, with one at each server.
    pub waiting: f64,
    /// Share of arrivals that find it full.
    pub lost: f64,
    /// Share of arrivals that wait.
    pub wait_share: f64,
}

/// The steady state at a load of `offered` (rate times service time of a server), with space for `room`;
/// `None` if there is none.
pub(super) fn steady(offered: f64, speed: Speed, room: Option<f64>) -> Option<Steady> {
    let most = room.unwrap_or(f64::INFINITY);
    if offered >= speed.greatest() && room.is_none_or(|room| room > MOST_STATES as f64) {
        return None;
    }
    let servers = speed.greatest();
    let mut weight = 1.0f64;
    let (mut sum, mut inside, mut waiting, mut waits, mut last) = (1.0, 0.0, 0.0, 0.0, 1.0);
    let mut n = 0.0;
    while n < most && n < MOST_STATES as f64 {
        n += 1.0;
        weight *= offered / speed.at(n);
        if weight > 1e200 {
            // The sums are ratios, so all of them may be scaled together.
            for one in [&mut weight, &mut sum, &mut inside, &mut waiting, &mut waits] {
                *one *= 1e-200;
            }
        }
        sum += weight;
        inside += n * weight;
        let busy = match speed {
            Speed::Servers(servers) => servers.max(1.0),
            Speed::Usl { most, .. } => most,
        };
        waiting += (n - busy).max(0.0) * weight;
        // An arrival that finds n waits when all servers are busy, unless it is lost.
        if n >= busy && n < most {
            waits += weight;
        }
        last = weight;
        if n > servers && weight < NEGLIGIBLE * sum && offered < speed.at(n + 1.0) {
            last = 0.0;
            break;
        }
    }
    let lost = if n >= most { last / sum } else { 0.0 };
    Some(Steady {
        inside: inside / sum,
        waiting: waiting / sum,
        lost,
        wait_share: waits / sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-3 * expected.max(1e-3),
            "{found} {expected}"
        );
    }

    #[test]
    fn known_queues_are_met() {
        // M/M/1 at 0.9, M/M/4 at 0.8: mean inside and the share that waits.
        let one = steady(0.9, Speed::Servers(1.0), None).expect("stable");
        check(one.inside, 9.0);
        check(one.wait_share, 0.9);
        let four = steady(3.2, Speed::Servers(4.0), None).expect("stable");
        check(four.wait_share, 0.5964);
        check(four.inside, 3.2 * 1.7455);
        // Erlang B, and M/M/1/10.
        check(
            steady(3.2, Speed::Servers(4.0), Some(4.0))
                .expect("finite")
                .lost,
            0.2281,
        );
        check(
            steady(2.0, Speed::Servers(4.0), Some(4.0))
                .expect("finite")
                .lost,
            0.0952,
        );
        for (load, lost) in [(0.8, 0.02349), (1.25, 0.21879), (2.0, 0.50024)] {
            check(
                steady(load, Speed::Servers(1.0), Some(10.0))
                    .expect("finite")
                    .lost,
                lost,
            );
        }
        // Half a core at a quarter of a core's load.
        check(
            steady(0.25, Speed::Servers(0.5), None)
                .expect("stable")
                .inside,
            1.0,
        );
        assert_eq!(steady(1.0, Speed::Servers(1.0), None), None);
    }

    #[test]
    fn the_scalability_law_has_its_peak() {
        let speed = Speed::Usl {
            sigma: 0.05,
            kappa: 0.001,
            most: 100_000.0,
        };
        check(speed.at(32.0), 9.0344);
        assert!(speed.greatest() >= speed.at(31.0) && speed.greatest() >= speed.at(30.0));
    }
}
