//! Closed forms of single queues, with which simulated targets are compared.
//!
//! Source: Kleinrock, "Queueing Systems, Volume 1" (1975); Kendall's notation. All rates are per second,
//! all times in seconds.

use crate::input::{self, InputError};

/// A queue in its steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Queue {
    /// Busy share of each server, 0..=1.
    pub utilisation: f64,
    /// Completed per second; less than the arrival rate when arrivals are rejected.
    pub throughput_per_s: f64,
    /// Mean number of requests waiting or in service.
    pub mean_in_system: f64,
    /// Mean time until service begins.
    pub mean_wait_s: f64,
    /// Mean time until the response.
    pub mean_response_s: f64,
    /// The share of arrivals that have to wait.
    pub waiting_probability: f64,
    /// The share of arrivals that are rejected.
    pub loss_probability: f64,
}

/// One server, exponential arrivals and service.
///
/// # Errors
/// `OutOfRange` unless 0 <= arrivals < 1 / service time.
pub fn mm1(arrivals_per_s: f64, mean_service_s: f64) -> Result<Queue, InputError> {
    mmc(arrivals_per_s, mean_service_s, 1)
}

/// The `q` quantile of an M/M/1 queue's response time, which is exponential: -R·ln(1 - q), in seconds.
///
/// # Errors
/// As [`mm1`]; `OutOfRange` unless `q` is strictly between 0 and 1.
pub fn mm1_response_quantile(
    arrivals_per_s: f64,
    mean_service_s: f64,
    q: f64,
) -> Result<f64, InputError> {
    input::open_unit("the quantile", q)?;
    let queue = mm1(arrivals_per_s, mean_service_s)?;
    Ok(-queue.mean_response_s * (-q).ln_1p())
}

/// `servers` servers with one queue.
///
/// # Errors
/// `Empty` without servers; `OutOfRange` unless 0 <= arrivals < servers / service time.
pub fn mmc(arrivals_per_s: f64, mean_service_s: f64, servers: u32) -> Result<Queue, InputError> {
    let offered = offered_load(arrivals_per_s, mean_service_s)?;
    let utilisation = stable(offered, servers)?;
    let waiting_probability = erlang_c(offered, servers)?;
    let mean_wait_s = waiting_probability * mean_service_s / (f64::from(servers) - offered);
    let mean_response_s = mean_wait_s + mean_service_s;
    Ok(Queue {
        utilisation,
        throughput_per_s: arrivals_per_s,
        mean_in_system: arrivals_per_s * mean_response_s,
        mean_wait_s,
        mean_response_s,
        waiting_probability,
        loss_probability: 0.0,
    })
}

/// One server with constant service time (Pollaczek and Khinchine).
///
/// # Errors
/// As [`mm1`].
pub fn md1(arrivals_per_s: f64, service_s: f64) -> Result<Queue, InputError> {
    let offered = offered_load(arrivals_per_s, service_s)?;
    let utilisation = stable(offered, 1)?;
    let mean_wait_s = utilisation * service_s / (2.0 * (1.0 - utilisation));
    let mean_response_s = mean_wait_s + service_s;
    Ok(Queue {
        utilisation,
        throughput_per_s: arrivals_per_s,
        mean_in_system: arrivals_per_s * mean_response_s,
        mean_wait_s,
        mean_response_s,
        waiting_probability: utilisation,
        loss_probability: 0.0,
    })
}

/// One server and space for `places` requests, including the one in service; further arrivals are rejected.
/// Stable at any arrival rate; response times are those of accepted requests.
///
/// # Errors
/// `Empty` without a place; `OutOfRange` for negative arrivals or a service time that is not above 0.
pub fn mm1k(arrivals_per_s: f64, mean_service_s: f64, places: u32) -> Result<Queue, InputError> {
    let offered = offered_load(arrivals_per_s, mean_service_s)?;
    if places == 0 {
        return Err(InputError::Empty { what: "the places" });
    }
    // Weights are relative to the heaviest state, so that no power overflows.
    let weight = |n: u32| {
        if offered <= 1.0 {
            offered.powi(n.cast_signed())
        } else {
            offered.powi(n.cast_signed() - places.cast_signed())
        }
    };
    let total: f64 = (0..=places).map(weight).sum();
    let mean_in_system = (0..=places).map(|n| f64::from(n) * weight(n)).sum::<f64>() / total;
    let loss_probability = weight(places) / total;
    let idle = weight(0) / total;
    let throughput_per_s = arrivals_per_s * (1.0 - loss_probability);
    let mean_response_s = if throughput_per_s > 0.0 {
        mean_in_system / throughput_per_s
    } else {
        mean_service_s
    };
    Ok(Queue {
        utilisation: 1.0 - idle,
        throughput_per_s,
        mean_in_system,
        mean_wait_s: mean_response_s - mean_service_s,
        mean_response_s,
        waiting_probability: 1.0 - idle - loss_probability,
        loss_probability,
    })
}

/// Erlang's B: the share of arrivals rejected by `servers` servers without a queue. `offered` is the
/// arrival rate times the service time.
///
/// # Errors
/// `OutOfRange` for a negative load.
pub fn erlang_b(offered: f64, servers: u32) -> Result<f64, InputError> {
    input::not_negative("the offered load", offered)?;
    // The recursion is stable; the factorials of the closed form are not.
    Ok((1..=servers).fold(1.0, |blocked, server| {
        offered * blocked / (f64::from(server) + offered * blocked)
    }))
}

/// Erlang's C: the share of arrivals that wait for one of `servers` servers.
///
/// # Errors
/// `Empty` without servers; `OutOfRange` unless 0 <= offered < servers.
pub fn erlang_c(offered: f64, servers: u32) -> Result<f64, InputError> {
    let utilisation = stable(offered, servers)?;
    let blocked = erlang_b(offered, servers)?;
    Ok(blocked / (1.0 - utilisation * (1.0 - blocked)))
}

fn offered_load(arrivals_per_s: f64, service_s: f64) -> Result<f64, InputError> {
    input::not_negative("the arrival rate", arrivals_per_s)?;
    input::positive("the service time", service_s)?;
    Ok(arrivals_per_s * service_s)
}

/// The utilisation, when it is below 1.
fn stable(offered: f64, servers: u32) -> Result<f64, InputError> {
    if servers == 0 {
        return Err(InputError::Empty {
            what: "the servers",
        });
    }
    let utilisation = offered / f64::from(servers);
    input::holds(
        "the utilisation",
        utilisation,
        (0.0..1.0).contains(&utilisation),
        "below 1, because the queue would grow without bound",
    )?;
    Ok(utilisation)
}
