//! Closed networks: a fixed number of users that wait for each response and then think.
//!
//! Source: Reiser and Lavenberg, "Mean-value analysis of closed multichain queuing networks" (1980).
//! Times are in seconds.

use crate::input::{self, InputError};

/// A station at which requests spend time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Mean service time times visits per request.
    pub demand_s: f64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This number of servers with one queue.
    Servers(u32),
    /// A delay: requests do not wait for each other.
    Delay,
}

/// The solution for one number of users.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub users: u32,
    /// Completed requests per second.
    pub throughput_per_s: f64,
    /// Excluding the think time.
    pub mean_response_s: f64,
    /// Mean number of requests at each station.
    pub queue_lengths: Vec<f64>,
    /// Busy share of each station's servers; the mean number in service for delays.
    pub utilisations: Vec<f64>,
}

/// Exact mean-value analysis up to `users` users; the last solution is for all of them.
///
/// Stations with several servers keep their marginal probabilities (the load-dependent form), exact for
/// exponential service. One station with c servers and a think time is the machine-repair model.
///
/// The textbook's P(0 requests here) is 1 minus the others and loses all of its digits long before
/// saturation. Here it follows from the throughput of the network without the station, P(0|n) = P(0|n-1) ·
/// X(n) / X without(n), which only multiplies. That solves a network for each set of such stations.
///
/// # Errors
/// `Empty` without users, stations or servers; `OutOfRange` for negative times, when everything takes
/// no time at all, or for more than eight stations with several servers.
pub fn mean_value_analysis(
    stations: &[Station],
    think_s: f64,
    users: u32,
) -> Result<Vec<Solution>, InputError> {
    check(stations, think_s, users)?;
    Ok(solve(stations, think_s, users))
}

/// Throughputs of the network without each station that has several servers.
fn without(stations: &[Station], think_s: f64, users: u32) -> Vec<Vec<f64>> {
    let others = |place: usize| {
        let mut rest = stations.to_vec();
        rest.remove(place);
        let solutions = solve(&rest, think_s, users);
        solutions.iter().map(|it| it.throughput_per_s).collect()
    };
    let several = |station: &Station| matches!(station.kind, Kind::Servers(2..));
    stations
        .iter()
        .enumerate()
        .map(|(place, station)| {
            if several(station) {
                others(place)
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// Without any station and think time, throughput is infinite.
fn solve(stations: &[Station], think_s: f64, users: u32) -> Vec<Solution> {
    let without = without(stations, think_s, users);
    let mut states: Vec<State> = stations.iter().map(State::empty).collect();
    (1..=users)
        .map(|present| {
            let times: Vec<f64> = states.iter().map(State::time).collect();
            let response: f64 = times.iter().sum();
            let throughput = f64::from(present) / (response + think_s);
            for ((state, time), others) in states.iter_mut().zip(&times).zip(&without) {
                let others = others.get(present as usize - 1);
                let share = others.map_or(1.0, |others| throughput / others);
                state.advance(throughput, throughput * time, share);
            }
            Solution {
                users: present,
                throughput_per_s: throughput,
                mean_response_s: response,
                queue_lengths: states.iter().map(|state| state.length).collect(),
                utilisations: states
                    .iter()
                    .map(|state| throughput * state.demand / state.servers.max(1) as f64)
                    .collect(),
            }
        })
        .collect()
}

/// The machine-repair model M/M/c//N: `users` think for `think_s` and are served by `servers` servers.
///
/// # Errors
/// As [`mean_value_analysis`].
pub fn machine_repair(
    users: u32,
    think_s: f64,
    service_s: f64,
    servers: u32,
) -> Result<Solution, InputError> {
    let station = Station {
        demand_s: service_s,
        kind: Kind::Servers(servers),
    };
    mean_value_analysis(&[station], think_s, users)
        .map(|mut solutions| solutions.pop().expect("there is at least one user"))
}

fn check(stations: &[Station], think_s: f64, users: u32) -> Result<(), InputError> {
    let empty = |what| Err(InputError::Empty { what });
    if stations.is_empty() {
        return empty("the stations");
    }
    if users == 0 {
        return empty("the users");
    }
    if stations
        .iter()
        .any(|station| station.kind == Kind::Servers(0))
    {
        return empty("the servers of a station");
    }
    input::not_negative("the think time", think_s)?;
    for station in stations {
        input::not_negative("a station's demand", station.demand_s)?;
    }
    let several = |station: &&Station| matches!(station.kind, Kind::Servers(2..));
    let several = stations.iter().filter(several).count();
    input::holds(
        "the number of stations with several servers",
        several as f64,
        several <= 8,
        "at most 8",
    )?;
    let cycle = think_s + stations.iter().map(|s| s.demand_s).sum::<f64>();
    input::positive("the time of a whole cycle", cycle)
}

/// A station at the number of users solved so far.
struct State {
    demand: f64,
    /// 0 for a delay.
    servers: usize,
    length: f64,
    /// P(j requests here) for j below the number of servers.
    marginal: Vec<f64>,
}

impl State {
    fn empty(station: &Station) -> Self {
        let servers = match station.kind {
            Kind::Servers(servers) => servers as usize,
            Kind::Delay => 0,
        };
        let mut marginal = vec![0.0; servers];
        if let Some(none) = marginal.first_mut() {
            *none = 1.0;
        }
        Self {
            demand: station.demand_s,
            servers,
            length: 0.0,
            marginal,
        }
    }

    /// The mean time of one more request here that finds the network in its current state.
    fn time(&self) -> f64 {
        match self.servers {
            0 => self.demand,
            1 => self.demand * (1.0 + self.length),
            servers => {
                let idle: f64 = (0..servers - 1)
                    .map(|j| (servers - 1 - j) as f64 * self.marginal[j])
                    .sum();
                self.demand / servers as f64 * (1.0 + self.length + idle)
            }
        }
    }

    /// `share` is the throughput divided by that of the network without this station.
    fn advance(&mut self, throughput: f64, length: f64, share: f64) {
        self.length = length;
        if self.servers < 2 {
            return;
        }
        let old = self.marginal.clone();
        let busy = throughput * self.demand;
        for j in 1..self.servers {
            self.marginal[j] = busy / j as f64 * old[j - 1];
        }
        self.marginal[0] = old[0] * share;
    }
}
