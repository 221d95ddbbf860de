//! A system under load in virtual time.

use std::collections::HashMap;
use std::time::Duration;

use super::load::{Load, Mix, Source};
use super::report::{Measured, Report};
use crate::network::{Detail, Finished, Network, Ticket};
use crate::plan::Plan;

/// The parameters of a simulation.
#[derive(Debug, Clone)]
pub struct Simulation {
    pub load: Load,
    pub mix: Mix,
    /// Number of requests that end within the measurement.
    pub requests: u64,
    /// Number of requests that end before it.
    pub warm_up: u64,
}

/// Runs a system until the requests have ended, and returns the measurements. The seed of the plan is also
/// used for the load.
///
/// # Errors
/// The problems found by [`Plan::problems`].
pub fn simulate(plan: Plan, simulation: &Simulation) -> Result<Report, Vec<String>> {
    let seed = plan.seed;
    let endpoints = plan.endpoints.iter().map(|one| one.name.clone()).collect();
    let mut network = Network::new(plan, Detail::Totals)?;
    let mut source = Source::new(&simulation.load, &simulation.mix, seed);
    let mut measured = Measured::new(simulation.requests as usize, endpoints);
    let mut asking: HashMap<Ticket, u32> = HashMap::new();
    let closed = matches!(simulation.load, Load::Closed { .. });
    let mut finished: Vec<Finished> = Vec::new();
    let mut ended = 0;
    if simulation.warm_up == 0 {
        measured.begin(network.read(Duration::ZERO));
    }
    while ended < simulation.warm_up + simulation.requests {
        let Some(now) = step(&mut network, &mut source, &mut asking, closed) else {
            break;
        };
        network.take_finished(&mut finished);
        for one in finished.drain(..) {
            ended += 1;
            if ended > simulation.warm_up {
                measured.add(&one);
            }
            if ended == simulation.warm_up {
                measured.begin(network.read(now));
            }
            if let Some(user) = asking.remove(&one.ticket) {
                source.think(user, one.at.as_nanos() as u64);
            }
        }
    }
    let end = network.now();
    measured.events = network.events();
    Ok(measured.report(&network.read(end)))
}

/// Processes the next arrival, or an earlier event of the network.
fn step(
    network: &mut Network,
    source: &mut Source<'_>,
    asking: &mut HashMap<Ticket, u32>,
    closed: bool,
) -> Option<Duration> {
    let arrival = source.next_at();
    let event = network.next_event();
    match (arrival, event) {
        (Some(at), event) if event.is_none_or(|event| at <= event) => {
            let (user, arrival) = source.take();
            let ticket = network.arrive(at, arrival);
            if closed {
                asking.insert(ticket, user);
            }
            Some(at)
        }
        // The responses to departures may cause arrivals that precede the next event.
        (_, Some(event)) => {
            network.advance(event);
            Some(event)
        }
        (None, None) => None,
        (Some(_), None) => unreachable!("an arrival without an event is the first case"),
    }
}
