//! The edge, injected faults and hubs.

use super::*;

#[test]
fn the_edge_limits_rate_and_number() {
    let mut plan = slow(Queue::default());
    plan.edge.max_in_flight = 2;
    let (finished, _) = at_once(plan.clone(), 3);
    assert_eq!(
        told(&finished),
        [(0, "queue_full"), (100, "ok"), (200, "ok")]
    );
    plan.edge.max_in_flight = 100;
    plan.edge.rate_limit = Some(RateLimit {
        rate_per_s: 2.0,
        burst: 1,
        scope: Scope::Tenant,
    });
    let mut network = network(plan);
    for (n, tenant) in [(1, "a"), (2, "a"), (3, "b")] {
        let mut arrival = arrival(n);
        arrival.tenant = tenant.into();
        network.arrive(Duration::ZERO, arrival);
    }
    let finished = ended(&mut network, LONG);
    assert_eq!(
        told(&finished),
        [(0, "rate_limited"), (100, "ok"), (200, "ok")]
    );
    let target_systems::network::Outcome::Failed(failed) = &finished[0].outcome else {
        panic!("it failed");
    };
    assert_eq!((failed.status, failed.retry_after), (429, Some(ms(500))));
}

#[test]
fn the_edge_takes_the_bytes_of_the_request_and_its_own() {
    let mut plan = slow(Queue::default());
    plan.hosts[0].network_mbit_per_s = Some(8.0);
    plan.hosts[0].cpu_cores = Some(0.5);
    plan.edge.network_kb = Some(Amount::constant(4.0));
    plan.edge.cpu_ms = Some(Amount::constant(1.0));
    let mut network = network(plan);
    let mut arrival = arrival(1);
    arrival.bytes = 6_000;
    network.arrive(Duration::ZERO, arrival);
    let finished = ended(&mut network, LONG);
    // 1 ms of CPU at half a core, 10 kB at 1 MB/s, the visit.
    assert_eq!(finished[0].elapsed(), ms(2 + 10 + 100));
    assert_eq!(
        (finished[0].planned, finished[0].queued()),
        (ms(111), ms(1))
    );
}

#[test]
fn injected_faults_have_their_rate_and_their_cause() {
    let profile = Profile {
        success_rate: 0.9,
        latency: Latency::Constant { ms: 5.0 },
        failures: vec![WeightedFailure {
            weight: 1.0,
            kind: Failure::Status {
                code: 503,
                retry_after_s: Some(2),
                message: None,
                body_code: None,
            },
        }],
        ..Profile::default()
    };
    let mut plan = system(
        Host::unlimited("host"),
        component("tool", None, service(constant(10.0))),
        7,
    );
    plan.components[0].faults = Some(Arc::new(Model::new(&profile, "lab/tool").expect("valid")));
    let (finished, network) = at_once(plan.clone(), 10_000);
    assert!(finished.iter().all(|one| one.elapsed() == ms(15)));
    let injected = network.read(network.now()).failed["injected"] as f64;
    assert!((injected / 10_000.0 - 0.1).abs() < 4.0 * (0.1f64 * 0.9 / 10_000.0).sqrt());
    let failed = finished
        .iter()
        .find(|one| !one.outcome.is_success())
        .expect("some fail");
    assert_eq!(failed.outcome.status(), Some(503));
    // Each visit of a request draws separately: two in a row succeed with 0.81.
    plan.endpoints[0] = endpoint([visit(0, 0), visit(0, 0)]);
    let (_, network) = at_once(plan, 10_000);
    let succeeded = network.read(network.now()).succeeded as f64;
    assert!((succeeded / 10_000.0 - 0.81).abs() < 4.0 * (0.81f64 * 0.19 / 10_000.0).sqrt());
}

#[test]
fn a_hub_is_bounded_and_its_connections_take_memory() {
    let host = Host {
        memory_mb: Some(10.0),
        ..Host::unlimited("host")
    };
    let component = Component {
        hub: Some(Hub {
            max_connections: 100,
            per_connection_kb: 20.0,
        }),
        ..component("hub", None, Demand::default())
    };
    let mut network = network(system(host, component, 7));
    let sockets: Vec<_> = (0..100)
        .map(|_| network.open(SECOND, 0).expect("room"))
        .collect();
    let refused = network
        .open(SECOND, 0)
        .expect_err("one more than the maximum");
    assert_eq!((refused.status, refused.cause.name()), (503, "unavailable"));
    let sockets_kb =
        |network: &Network| network.read(network.now()).hosts[1].machines[0].memory_sockets_kb;
    assert_eq!(sockets_kb(&network), 2_000.0);
    assert!(network.close_socket(SECOND, sockets[0]));
    assert!(!network.close_socket(SECOND, sockets[0]));
    assert!(network.open(SECOND, 0).is_ok());
    assert!(network.crash(SECOND * 2, 1, 0));
    assert_eq!(network.closed().count(), 100);
    assert_eq!(sockets_kb(&network), 0.0);
}

#[test]
fn an_unknown_endpoint_is_not_found_and_nothing_else_happens() {
    let mut network = network(slow(Queue::default()));
    let mut arrival = arrival(1);
    arrival.endpoint = 5;
    network.apply(Duration::ZERO, Input::Arrive(arrival));
    let finished = ended(&mut network, LONG);
    assert_eq!(told(&finished), [(0, "not_found")]);
    assert_eq!(network.read(network.now()).in_flight, 0);
}
