//! Closed networks: a fixed number of users with think times.
//!
//! One class of users is solved by Buzen's convolution (J. Buzen, "Computational algorithms for
//! closed queueing networks with exponential servers", CACM 16/9, 1973), with stations of several
//! servers as load-dependent ones. It is exact for networks of product form: shared processors for
//! any distribution, queues for exponential service. All its terms are positive, so it does not
//! lose digits near saturation as mean value analysis with many servers does.
//!
//! Several classes are solved by Schweitzer's approximate mean value analysis, stations of m servers
//! as Seidmann's pair: one server that is m times as fast, and a delay.

use super::open::Speed;

/// Maximum number of users of one class for an exact solution; the effort grows with the square.
const MOST_EXACT: usize = 5_000;
/// Maximum number of iterations of the approximation, which converges in some tens.
const MOST_ITERATIONS: usize = 10_000;

/// A station: `servers` with one queue, or one shared processor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Station {
    /// Time of a server per request, by class.
    pub demand_ms: Vec<f64>,
    pub speed: Speed,
}

/// Users of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Class {
    pub users: usize,
    /// Think time and response time without queueing.
    pub delay_ms: f64,
}

/// The result, by class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    pub throughput_per_s: Vec<f64>,
    /// Computed by convolution, not by an approximation.
    pub by_convolution: bool,
}

pub(super) fn solve(stations: &[Station], classes: &[Class]) -> Solution {
    match classes {
        [class] if class.users <= MOST_EXACT => Solution {
            throughput_per_s: vec![convolution(stations, *class)],
            by_convolution: true,
        },
        _ => approximation(stations, classes),
    }
}

/// Throughput of a single class in requests per second.
fn convolution(stations: &[Station], class: Class) -> f64 {
    let most = class.users;
    if most == 0 {
        return 0.0;
    }
    let times: Vec<(f64, Speed)> = stations
        .iter()
        .map(|station| (station.demand_ms[0], station.speed))
        .filter(|(demand, _)| *demand > 0.0)
        .collect();
    let slowest = times
        .iter()
        .map(|(demand, speed)| demand / speed.greatest())
        .fold(0.0, f64::max);
    if slowest == 0.0 {
        return if class.delay_ms > 0.0 {
            most as f64 / class.delay_ms * 1_000.0
        } else {
            f64::INFINITY
        };
    }
    // In units of the slowest station's time, so that the terms neither grow nor vanish.
    let mut constants = delay_terms(class.delay_ms / slowest, most);
    for (demand, speed) in times {
        let terms = station_terms(demand / slowest, speed, most);
        constants = convolve(&constants, &terms);
    }
    let scale = constants[most - 1].log - constants[most].log;
    1_000.0 / slowest * scale.exp()
}

/// A positive number by its logarithm; products of many terms exceed the range of `f64`.
#[derive(Debug, Clone, Copy)]
struct Term {
    log: f64,
}

/// zⁿ/n! for n up to `most`.
fn delay_terms(z: f64, most: usize) -> Vec<Term> {
    let mut log = 0.0;
    let mut terms = vec![Term { log }];
    for n in 1..=most {
        log += z.ln() - (n as f64).ln();
        terms.push(Term { log });
    }
    terms
}

/// dⁿ divided by the product of the speeds with 1 to n inside, for n up to `most`.
fn station_terms(d: f64, speed: Speed, most: usize) -> Vec<Term> {
    let mut log = 0.0;
    let mut terms = vec![Term { log }];
    for n in 1..=most {
        log += d.ln() - speed.at(n as f64).ln();
        terms.push(Term { log });
    }
    terms
}

/// The convolution of two sequences. Each is scaled into the range of `f64` by a geometric factor, which a
/// convolution preserves, and by its greatest term.
fn convolve(a: &[Term], b: &[Term]) -> Vec<Term> {
    let most = a.len() - 1;
    (0..=most)
        .map(|n| {
            let greatest = (0..=n)
                .map(|i| a[i].log + b[n - i].log)
                .fold(f64::NEG_INFINITY, f64::max);
            if greatest == f64::NEG_INFINITY {
                return Term { log: greatest };
            }
            let sum: f64 = (0..=n)
                .map(|i| a[i].log + b[n - i].log - greatest)
                .filter(|log| *log > -40.0)
                .map(f64::exp)
                .sum();
            Term {
                log: greatest + sum.ln(),
            }
        })
        .collect()
}

/// Schweitzer's fixed point over several classes.
fn approximation(stations: &[Station], classes: &[Class]) -> Solution {
    let users: Vec<f64> = classes.iter().map(|class| class.users as f64).collect();
    let mut queue: Vec<Vec<f64>> = stations
        .iter()
        .map(|_| {
            users
                .iter()
                .map(|n| n / (stations.len().max(1) + 1) as f64)
                .collect()
        })
        .collect();
    let mut throughput = vec![0.0; classes.len()];
    for _ in 0..MOST_ITERATIONS {
        let mut change: f64 = 0.0;
        let mut next = throughput.clone();
        let mut times = vec![vec![0.0; classes.len()]; stations.len()];
        for (c, class) in classes.iter().enumerate() {
            if users[c] == 0.0 {
                continue;
            }
            let mut total = class.delay_ms;
            for (s, station) in stations.iter().enumerate() {
                let demand = station.demand_ms[c];
                let servers = station.speed.greatest();
                let own = queue[s][c] / users[c];
                let seen: f64 = queue[s].iter().sum::<f64>() - own;
                let fast = demand / servers;
                let wait_free = demand * ((servers - 1.0).max(0.0) / servers);
                times[s][c] = fast * (1.0 + seen);
                total += times[s][c] + wait_free;
            }
            next[c] = if total > 0.0 { users[c] / total } else { 0.0 };
        }
        for (s, _) in stations.iter().enumerate() {
            for c in 0..classes.len() {
                let length = next[c] * times[s][c];
                change = change.max((length - queue[s][c]).abs());
                queue[s][c] = length;
            }
        }
        throughput = next;
        if change < 1e-9 {
            break;
        }
    }
    Solution {
        throughput_per_s: throughput.iter().map(|x| x * 1_000.0).collect(),
        by_convolution: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(stations: &[(f64, f64)], users: usize, delay_ms: f64) -> f64 {
        let stations: Vec<Station> = stations
            .iter()
            .map(|(demand, servers)| Station {
                demand_ms: vec![*demand],
                speed: Speed::Servers(*servers),
            })
            .collect();
        solve(&stations, &[Class { users, delay_ms }]).throughput_per_s[0]
    }

    /// Throughput of the machine repair model by its birth and death process.
    fn repair(demand: f64, servers: f64, users: usize, delay: f64) -> f64 {
        let mut weight = 1.0;
        let (mut sum, mut busy) = (1.0, 0.0);
        for n in 1..=users {
            weight *= (users - n + 1) as f64 / delay * demand / (n as f64).min(servers);
            sum += weight;
            busy += weight * (n as f64).min(servers);
        }
        busy / sum / demand * 1_000.0
    }

    #[test]
    fn the_machine_repair_model_is_met_exactly() {
        for (demand, servers, delay) in [
            (50.0, 1.0, 1_000.0),
            (40.0, 8.0, 5_000.0),
            (10.0, 2.5, 300.0),
        ] {
            for users in [1, 2, 5, 20, 60, 150] {
                let (found, expected) = (
                    one(&[(demand, servers)], users, delay),
                    repair(demand, servers, users, delay),
                );
                assert!(
                    (found / expected - 1.0).abs() < 1e-9,
                    "{users}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn mean_value_analysis_of_single_servers_agrees() {
        // Reiser and Lavenberg's recursion for two queues and a delay.
        let (demands, delay) = ([30.0, 20.0], 100.0);
        let mut queue = [0.0, 0.0];
        for users in 1..=40 {
            let times: Vec<f64> = (0..2).map(|s| demands[s] * (1.0 + queue[s])).collect();
            let throughput = users as f64 / (delay + times.iter().sum::<f64>());
            for s in 0..2 {
                queue[s] = throughput * times[s];
            }
            let found = one(&[(30.0, 1.0), (20.0, 1.0)], users, delay);
            assert!(
                (found / throughput / 1_000.0 - 1.0).abs() < 1e-9,
                "{users}: {found}"
            );
        }
    }

    #[test]
    fn many_users_get_what_the_slowest_station_gives() {
        let found = one(&[(40.0, 8.0), (0.5, 4.0)], 2_500, 5_000.0);
        assert!((found - 200.0).abs() < 1e-6, "{found}");
        let approximate = approximation(
            &[Station {
                demand_ms: vec![2.15, 2.15],
                speed: Speed::Servers(5.0),
            }],
            &[
                Class {
                    users: 1_000,
                    delay_ms: 2_060.0,
                },
                Class {
                    users: 1_000,
                    delay_ms: 424.0,
                },
            ],
        );
        let used: f64 = approximate.throughput_per_s.iter().sum::<f64>() * 2.15 / 5_000.0;
        assert!(used <= 1.0 + 1e-9 && used > 0.95, "{used}");
    }

    #[test]
    fn the_scalability_law_is_followed_without_think_time() {
        let (sigma, kappa) = (0.05, 0.001);
        for users in [1usize, 2, 4, 8, 16, 32, 64, 128] {
            let station = Station {
                demand_ms: vec![10.0],
                speed: Speed::Usl {
                    sigma,
                    kappa,
                    most: 100_000.0,
                },
            };
            let found = solve(
                &[station],
                &[Class {
                    users,
                    delay_ms: 0.0,
                }],
            )
            .throughput_per_s[0];
            let n = users as f64;
            let law = 100.0 * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0));
            assert!((found / law - 1.0).abs() < 1e-9, "{users}: {found} {law}");
        }
    }

    #[test]
    fn a_network_of_delays_alone_does_not_queue() {
        assert!((one(&[], 10, 500.0) - 20.0).abs() < 1e-9);
        assert_eq!(one(&[(5.0, 1.0)], 0, 500.0), 0.0);
    }
}
