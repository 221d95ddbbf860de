//! The behaviour of flows, limits and failures, one at a time.

mod flows {
    //! Changes, crashes and the edge.

    use super::*;

    mod changes;
    mod crashes;
    mod edge;
}
mod lab;

use fault_profile::rate_limit::{RateLimit, Scope};
use fault_profile::{Failure, Latency, Model, Profile, WeightedFailure};
use lab::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use target_systems::network::{Finished, Input, Network, Refusal};
use target_systems::plan::*;

const SECOND: Duration = Duration::from_secs(1);

const LONG: Duration = Duration::from_secs(86_400);

/// One slot, constant service of 100 ms, and a queue.
fn slow(queue: Queue) -> Plan {
    let component = Component {
        queue,
        ..component("slow", Some(1), service(constant(100.0)))
    };
    system(Host::unlimited("host"), component, 7)
}

/// Simultaneous requests, in the order of their ends.
fn at_once(plan: Plan, requests: u64) -> (Vec<Finished>, Network) {
    let mut network = network(plan);
    for n in 1..=requests {
        network.arrive(Duration::ZERO, arrival(n));
    }
    let finished = ended(&mut network, LONG);
    assert_eq!(finished.len() as u64, requests, "each request ends once");
    (finished, network)
}

fn told(finished: &[Finished]) -> Vec<(u64, &str)> {
    finished
        .iter()
        .map(|one| {
            (
                one.at.as_millis() as u64,
                one.outcome.error_type().unwrap_or("ok"),
            )
        })
        .collect()
}

fn field(root: PathRoot, name: &str) -> Path {
    Path {
        root,
        names: vec![name.into()],
    }
}

fn body(fields: &[(&'static str, Value)]) -> Value {
    Value::map([("body", Value::map(fields.to_vec()))])
}

#[test]
fn patience_ends_a_wait_and_a_full_queue_turns_away() {
    let (finished, _) = at_once(
        slow(Queue {
            capacity: 3,
            patience: Some(ms(150)),
            ..Queue::default()
        }),
        6,
    );
    // One is served, three wait, two are rejected; the first of the waiting ones begins at 100 ms.
    let expected = [
        (0, "queue_full"),
        (0, "queue_full"),
        (100, "ok"),
        (150, "queue_timeout"),
        (150, "queue_timeout"),
        (200, "ok"),
    ];
    assert_eq!(told(&finished), expected);
    assert!(finished[0].outcome.status() == Some(503) && finished[3].outcome.status() == Some(503));
    assert_eq!(finished[5].queued(), ms(100));
}

#[test]
fn a_lifo_queue_serves_the_latest_request_first() {
    let plan = slow(Queue {
        discipline: Discipline::Lifo,
        ..Queue::default()
    });
    let mut network = network(plan);
    let tickets: Vec<_> = (1..=4).map(|n| network.arrive(ms(n), arrival(n))).collect();
    let order: Vec<_> = ended(&mut network, LONG)
        .iter()
        .map(|one| one.ticket)
        .collect();
    assert_eq!(order, [tickets[0], tickets[3], tickets[2], tickets[1]]);
}

#[test]
fn a_hanging_overflow_ends_with_the_deadline() {
    let mut plan = slow(Queue {
        capacity: 0,
        overflow: Overflow::Hang,
        ..Queue::default()
    });
    plan.edge.deadline = Some(SECOND);
    let (finished, _) = at_once(plan, 2);
    assert_eq!(told(&finished), [(100, "ok"), (1_000, "timeout")]);
    assert_eq!(finished[1].outcome.status(), Some(504));
}

#[test]
fn a_deadline_cancels_what_has_not_begun() {
    let mut plan = slow(Queue::default());
    plan.edge.deadline = Some(ms(250));
    let (finished, network) = at_once(plan, 5);
    let expected = [
        (100, "ok"),
        (200, "ok"),
        (250, "timeout"),
        (250, "timeout"),
        (250, "timeout"),
    ];
    assert_eq!(told(&finished), expected);
    // The third had begun, and its slot was busy until 300 ms; the others never were.
    let reading = network.read(network.now());
    assert_eq!(
        (
            reading.components[0].completed,
            reading.components[0].failed
        ),
        (2, 3)
    );
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let mut network = network(slow(Queue::default()));
    let tickets: Vec<_> = (1..=3)
        .map(|n| network.arrive(Duration::ZERO, arrival(n)))
        .collect();
    assert!(network.leave(ms(10), tickets[1]));
    assert!(!network.leave(ms(10), tickets[1]), "it has left");
    let finished = ended(&mut network, LONG);
    let at: Vec<u128> = finished.iter().map(|one| one.at.as_millis()).collect();
    assert_eq!(at, [10, 100, 200]);
    let reading = network.read(network.now());
    assert_eq!((reading.left, reading.succeeded), (1, 2));
}

#[test]
fn a_pool_lends_in_order_and_gives_up_after_its_wait() {
    let mut plan = system(
        Host::unlimited("host"),
        component("database", None, service(constant(100.0))),
        7,
    );
    plan.pools.push(Pool {
        name: "db".into(),
        size: 2,
        wait: Some(ms(150)),
    });
    plan.endpoints[0] = endpoint([Step::Using(Using {
        pool: 0,
        block: Arc::new([visit(0, 0)]),
    })]);
    let (finished, network) = at_once(plan, 6);
    let expected = [
        (100, "ok"),
        (100, "ok"),
        (150, "pool_exhausted"),
        (150, "pool_exhausted"),
        (200, "ok"),
        (200, "ok"),
    ];
    assert_eq!(told(&finished), expected);
    assert_eq!(finished[2].outcome.status(), Some(500));
    let pool = &network.read(network.now()).pools[0];
    assert_eq!((pool.taken, pool.timeouts, pool.in_use), (4, 2, 0));
    assert_eq!(pool.in_use_integral, 400_000_000);
}

#[test]
fn a_slot_is_held_for_what_is_done_inside() {
    let mut plan = slow(Queue::default());
    let inner = component("inner", None, service(constant(50.0)));
    plan.components.push(inner);
    plan.endpoints[0] = endpoint([Step::Visit(Visit {
        hold: Arc::new([visit(1, 0)]),
        ..Visit::once(0, 0)
    })]);
    let (finished, _) = at_once(plan, 3);
    assert_eq!(told(&finished), [(150, "ok"), (300, "ok"), (450, "ok")]);
    assert_eq!(finished[2].planned, ms(150));
    let names: Vec<u32> = finished[0]
        .visits
        .iter()
        .map(|visit| visit.component)
        .collect();
    assert_eq!(
        names,
        [2, 0, 1],
        "the edge, then each in the order of its own end"
    );
}

#[test]
fn a_visit_is_repeated_after_a_timeout_and_then_fails() {
    let mut plan = slow(Queue::default());
    let step = |retries, on_error| {
        Step::Visit(Visit {
            timeout: Some(ms(30)),
            retries,
            on_error,
            ..Visit::once(0, 0)
        })
    };
    plan.components[0].slots = None;
    plan.endpoints[0] = endpoint([step(2, OnError::Fail)]);
    let finished = alone(plan.clone());
    assert_eq!(told(&[finished]), [(90, "timeout")]);
    plan.endpoints[0] = endpoint([step(1, OnError::Continue), visit(0, 0)]);
    let finished = alone(plan);
    assert_eq!(told(&[finished]), [(160, "ok")]);
}

#[test]
fn the_first_branch_that_fails_ends_those_that_wait() {
    let mut plan = slow(Queue {
        capacity: 1,
        ..Queue::default()
    });
    let fail = Step::Fail(target_systems::plan::Failure {
        status: 418,
        error_type: "teapot".into(),
    });
    let branch = |steps: Vec<Step>| -> Block { steps.into() };
    plan.endpoints[0] = endpoint([Step::Parallel(vec![
        branch(vec![visit(0, 0)]),
        branch(vec![visit(0, 0)]),
        branch(vec![fail]),
    ])]);
    let (finished, network) = at_once(plan, 1);
    assert_eq!(told(&finished), [(100, "teapot")]);
    assert_eq!(finished[0].outcome.status(), Some(418));
    // The one in service is finished first, without a client; the waiting one never begins.
    let slow = &network.read(network.now()).components[0];
    assert_eq!((slow.completed, slow.failed, slow.waited), (0, 2, 1));
}

#[test]
fn choices_follow_their_shares_and_values() {
    let mut plan = system(
        Host::unlimited("host"),
        component("fast", None, service(constant(1.0))),
        7,
    );
    let operation = Operation::new("slow", service(constant(100.0)));
    plan.components[0].operations.push(operation);
    let either = Step::Either(vec![Share {
        share: 0.15,
        block: Arc::new([visit(0, 1)]),
    }]);
    plan.endpoints[0] = endpoint([either]);
    let (finished, _) = at_once(plan.clone(), 20_000);
    let taken = finished.iter().filter(|one| one.at == ms(100)).count() as f64;
    // Four standard errors of a share of 15 %.
    assert!((taken / 20_000.0 - 0.15).abs() < 4.0 * (0.15f64 * 0.85 / 20_000.0).sqrt());

    plan.endpoints[0] = endpoint([Step::When(Case {
        value: field(PathRoot::Body, "tool"),
        is: BTreeMap::from([("slow".to_owned(), Arc::new([visit(0, 1)]) as Block)]),
        otherwise: Arc::new([visit(0, 0)]),
    })]);
    let taken = |tool: Value| alone_with(plan.clone(), body(&[("tool", tool)])).at;
    assert_eq!(taken(Value::from("slow")), ms(100));
    assert_eq!(taken(Value::from("other")), ms(1));
    assert_eq!(taken(Value::Null), ms(1));
}

fn workflows() -> Plan {
    let mut plan = system(
        Host::unlimited("host"),
        component("engine", None, service(constant(10.0))),
        7,
    );
    plan.stores.push(Store {
        name: "workflows".into(),
        host: Some(1),
        capacity: 10,
        ttl: Some(Duration::from_secs(3_600)),
        retain_after_end: Some(Duration::from_secs(60)),
        per_key: None,
        per_entry_kb: 64.0,
        states: ["initialized", "running", "completed"]
            .map(Arc::from)
            .into(),
        populate: 0,
        at_capacity: AtCapacity::Refuse,
    });
    let state = |id, action| {
        Step::State(StateStep {
            store: 0,
            id,
            action,
        })
    };
    let given = || Identity::Given(field(PathRoot::Body, "id"));
    let create = StateAction::Create {
        state: 0,
        keep: vec![("type".into(), field(PathRoot::Body, "type"))],
    };
    plan.endpoints = vec![
        endpoint([
            visit(0, 0),
            state(Identity::Drawn("workflow_id".into()), create),
        ]),
        endpoint([state(given(), StateAction::Advance { state: 1 })]),
        endpoint([state(given(), StateAction::Advance { state: 2 })]),
        endpoint([state(given(), StateAction::Require)]),
    ];
    plan
}

/// Sends one request to an endpoint, and returns its outcome.
fn ask(network: &mut Network, at: Duration, endpoint: usize, input: Value) -> Finished {
    let mut arrival = arrival_with(network.events() + 1, input);
    arrival.endpoint = endpoint;
    network.arrive(at, arrival);
    let finished = ended(network, at + SECOND);
    finished.into_iter().next_back().expect("one request ended")
}

#[test]
fn c_25_a_workflow_goes_forward_and_its_entry_goes_when_it_is_old() {
    let mut network = network(workflows());
    let first = ask(
        &mut network,
        SECOND,
        0,
        body(&[("type", Value::from("analysis"))]),
    );
    let (name, id) = first.ids[0].clone();
    assert_eq!((name.as_ref(), id.len()), ("workflow_id", 36));
    let input = || body(&[("id", Value::Text(id.clone()))]);
    for n in 0..3 {
        let step = ask(&mut network, SECOND * (3 + n), 1, input());
        let entry = step.entry.expect("it touched the entry");
        assert_eq!((entry.state, entry.steps), (1, n + 1));
        assert_eq!(entry.kept.get("type"), &Value::from("analysis"));
    }
    let done = ask(&mut network, SECOND * 8, 2, input());
    assert_eq!(
        done.entry.map(|entry| (entry.state, entry.steps)),
        Some((2, 3))
    );
    let status = |one: Finished| {
        (
            one.outcome.status(),
            one.outcome.error_type().map(str::to_owned),
        )
    };
    for endpoint in [1, 2] {
        let late = ask(&mut network, SECOND * 10, endpoint, input());
        assert_eq!(status(late), (Some(409), Some("conflict".to_owned())));
    }
    let unknown = ask(
        &mut network,
        SECOND * 12,
        3,
        body(&[("id", Value::from("x"))]),
    );
    assert_eq!(status(unknown), (Some(404), Some("not_found".to_owned())));
    let absent = ask(&mut network, SECOND * 14, 3, Value::Null);
    assert_eq!(status(absent), (Some(400), Some("bad_request".to_owned())));
    let host =
        |network: &Network| network.read(network.now()).hosts[1].machines[0].memory_stores_kb;
    assert_eq!(host(&network), 64.0);
    network.advance(SECOND * 69);
    let store = network.read(network.now()).stores[0].clone();
    assert_eq!((store.rows, store.expired), (0, 1), "60 s after its end");
    assert_eq!(host(&network), 0.0);
}

#[test]
fn a_full_store_refuses_and_equal_keys_get_equal_ids() {
    let mut network = network(workflows());
    let mut ids = Vec::new();
    for n in 1..=12 {
        network.arrive(ms(n * 100), arrival(n));
    }
    network.arrive(ms(1_300), arrival(1));
    let finished = ended(&mut network, SECOND * 10);
    for one in &finished {
        ids.push(one.ids.first().map(|(_, id)| id.clone()));
    }
    assert!(ids[..10].iter().all(Option::is_some));
    assert_eq!(finished[10].outcome.error_type(), Some("disk_full"));
    assert_eq!(finished[11].outcome.status(), Some(507));
    assert_eq!(ids[12], ids[0], "the same request key");
}

#[test]
fn work_that_is_done_later_tells_how_far_it_is() {
    let mut plan = workflows();
    plan.components[0].slots = Some(1);
    plan.components[0].operations[0] = Operation::new("train", service(constant(1_000.0)));
    plan.endpoints[0] = endpoint([Step::Later(Later {
        store: 0,
        id: "job_id".into(),
        workers: 0,
        block: Arc::new([visit(0, 0)]),
        wait: Some(field(PathRoot::Query, "wait")),
    })]);
    let mut network = network(plan);
    let jobs: Vec<Finished> = (1..=2)
        .map(|n| {
            network.arrive(ms(n), arrival(n));
            network.finished().next().expect("it answers at once")
        })
        .collect();
    let state = |network: &mut Network, at_ms, job: &Finished| {
        let id = Value::Text(job.ids[0].1.clone());
        let mut arrival = arrival_with(at_ms, body(&[("id", id)]));
        arrival.endpoint = 3;
        network.arrive(ms(at_ms), arrival);
        let finished = network.finished().next().expect("it answers at once");
        finished.entry.map(|entry| entry.state)
    };
    assert_eq!(state(&mut network, 500, &jobs[0]), Some(1), "running");
    assert_eq!(state(&mut network, 500, &jobs[1]), Some(0), "queued");
    assert_eq!(state(&mut network, 1_500, &jobs[0]), Some(2), "completed");
    assert_eq!(state(&mut network, 1_500, &jobs[1]), Some(1), "running");
    let query = Value::map([("query", Value::map([("wait", Value::from("true"))]))]);
    network.arrive(SECOND * 10, arrival_with(99, query));
    let waited = ended(&mut network, SECOND * 20);
    assert_eq!(waited[0].elapsed(), SECOND);
    let reading = network.read(network.now());
    assert_eq!((reading.background_begun, reading.background_ended), (2, 2));
}
