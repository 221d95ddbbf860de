//! Small systems built in code, and their closed forms.
#![allow(dead_code, reason = "each test binary uses its part of it")]

pub mod forms;
pub mod random;

use std::sync::Arc;
use std::time::Duration;

use fault_profile::Latency;
use target_systems::network::{Arrival, Detail, Finished, Key, Network};
use target_systems::offline::{Load, Mix, Report, Simulation, simulate};
use target_systems::plan::{
    Amount, Component, Demand, Endpoint, Host, Operation, Plan, Queue, Step, Value, Visit,
};

pub fn constant(ms: f64) -> Option<Amount> {
    Some(Amount::constant(ms))
}

pub fn exponential(mean_ms: f64) -> Option<Amount> {
    Some(Amount::new(Latency::Exponential { mean_ms }))
}

/// Log-normal of this mean, with sigma 1.
pub fn log_normal(mean_ms: f64) -> Option<Amount> {
    let (sigma, median_ms) = (1.0f64, mean_ms / (0.5f64).exp());
    Some(Amount::new(Latency::LogNormal {
        median_ms,
        p99_ms: None,
        sigma: Some(sigma),
    }))
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A system with one component on its own host, whose endpoint 0 visits operation 0.
pub fn system(host: Host, component: Component, seed: u64) -> Plan {
    let mut plan = Plan::new("lab", seed);
    plan.hosts.push(host);
    plan.components.push(component);
    plan.endpoints.push(endpoint([visit(0, 0)]));
    plan
}

pub fn endpoint(steps: impl IntoIterator<Item = Step>) -> Endpoint {
    Endpoint {
        name: "run".into(),
        status: 200,
        flow: steps.into_iter().collect(),
    }
}

pub fn visit(component: usize, operation: usize) -> Step {
    Step::Visit(Visit::once(component, operation))
}

/// A component on host 1 with one operation.
pub fn component(name: &str, slots: Option<usize>, demand: Demand) -> Component {
    Component {
        slots,
        queue: Queue {
            capacity: 1_000_000,
            ..Queue::default()
        },
        operations: vec![Operation::new("run", demand)],
        ..Component::new(name, 1)
    }
}

pub fn service(amount: Option<Amount>) -> Demand {
    Demand {
        service_ms: amount,
        ..Demand::default()
    }
}

pub fn cpu(amount: Option<Amount>) -> Demand {
    Demand {
        cpu_ms: amount,
        ..Demand::default()
    }
}

pub fn cores(cores: f64) -> Host {
    Host {
        cpu_cores: Some(cores),
        ..Host::unlimited("host")
    }
}

/// Runs requests of endpoint 0 in virtual time.
pub fn run(plan: Plan, load: Load, requests: u64) -> Report {
    let simulation = Simulation {
        load,
        mix: Mix::only(0, Value::Null),
        requests,
        warm_up: requests / 20,
    };
    simulate(plan, &simulation).expect("a plan without problems")
}

pub fn open(rate_per_s: f64) -> Load {
    Load::Open { rate_per_s }
}

pub fn closed(users: u32, think_ms: Option<Amount>) -> Load {
    Load::Closed {
        users,
        think_ms: think_ms.unwrap_or(Amount::constant(0.0)),
    }
}

pub fn utilisation(report: &Report, resource: &str) -> f64 {
    let used = report.utilisation.iter();
    used.filter(|one| one.resource == resource)
        .map(|one| one.share)
        .next()
        .unwrap_or(f64::NAN)
}

/// The mean is within 3 standard errors by batch means of the expected one, and a long run also within
/// `share`. The allowance of one in a thousand is for the bias of a finite run.
pub fn check_mean(report: &Report, expected_ms: f64, share: f64, what: &str) {
    let off = (report.mean_ms - expected_ms).abs();
    let mut bound = 3.0 * report.mean_error_ms + 0.001 * expected_ms;
    if report.requests >= 500_000 {
        bound = bound.min(share * expected_ms);
    }
    assert!(
        off <= bound,
        "{what}: mean {} ± {} ms, expected {expected_ms}",
        report.mean_ms,
        report.mean_error_ms
    );
}

pub fn check_near(found: f64, expected: f64, share: f64, what: &str) {
    assert!(
        (found - expected).abs() <= share * expected.abs(),
        "{what}: {found}, expected {expected}"
    );
}

/// A network that receives its requests from the test.
pub fn network(plan: Plan) -> Network {
    Network::new(plan, Detail::Visits).expect("a plan without problems")
}

pub fn arrival(number: u64) -> Arrival {
    arrival_with(number, Value::Null)
}

pub fn arrival_with(number: u64, input: Value) -> Arrival {
    Arrival {
        endpoint: 0,
        tenant: Arc::from(""),
        key: Key::Index(number),
        attempt: 1,
        index: number,
        bytes: 0,
        input,
    }
}

/// Lets all requests end that end by `until`.
pub fn ended(network: &mut Network, until: Duration) -> Vec<Finished> {
    network.advance(until);
    network.finished().collect()
}

/// A single request, from time 0 on.
pub fn alone(plan: Plan) -> Finished {
    alone_with(plan, Value::Null)
}

pub fn alone_with(plan: Plan, input: Value) -> Finished {
    let mut network = network(plan);
    network.arrive(Duration::ZERO, arrival_with(1, input));
    let finished = ended(&mut network, Duration::from_secs(86_400));
    assert_eq!(finished.len(), 1, "one request ends once");
    finished.into_iter().next().expect("one")
}
