//! Crashing machines, and their requests in flight.

use super::*;

#[test]
fn a_crash_ends_requests_in_flight_unless_they_can_be_repeated() {
    let host = Host {
        instances: 2,
        crash: Crash {
            restart: SECOND,
            detect: ms(100),
            in_flight: CrashAnswer::Close,
        },
        ..Host::unlimited("host")
    };
    let plan = system(host, component("agent", None, service(constant(400.0))), 7);
    let mut network = network(plan);
    for n in 1..=4 {
        network.arrive(Duration::ZERO, arrival(n));
    }
    assert!(network.crash(ms(200), 1, 0));
    assert!(!network.crash(ms(200), 1, 0), "it is down");
    assert!(!network.crash(ms(200), 9, 9), "there is none");
    // Until the crash is detected, every second visit goes there.
    network.arrive(ms(250), arrival(5));
    network.arrive(ms(250), arrival(6));
    network.arrive(ms(350), arrival(7));
    network.arrive(ms(350), arrival(8));
    let finished = ended(&mut network, LONG);
    let expected = [
        (200, "crashed"),
        (200, "crashed"),
        (250, "crashed"),
        (400, "ok"),
        (400, "ok"),
        (650, "ok"),
        (750, "ok"),
        (750, "ok"),
    ];
    assert_eq!(told(&finished), expected);
    assert!(finished[..3].iter().all(|one| {
        matches!(&one.outcome, target_systems::network::Outcome::Failed(failed) if failed.close)
    }));
}

#[test]
fn a_stage_that_a_crash_waits_for_ends_with_a_crash_of_its_own_machine() {
    let mut plan = system(cores(1.0), component("outer", Some(1), service(None)), 7);
    plan.hosts.push(cores(1.0));
    let inner = component("inner", Some(1), cpu(constant(1_000.0)));
    plan.components.push(Component { host: 2, ..inner });
    let Step::Visit(inner) = visit(1, 0) else {
        unreachable!("a visit is one");
    };
    plan.endpoints[0] = endpoint([Step::Visit(Visit {
        hold: Arc::new([Step::Visit(inner)]),
        ..Visit::once(0, 0)
    })]);
    let mut network = network(plan);
    network.arrive(Duration::ZERO, arrival(1));
    assert!(network.crash(ms(200), 1, 0));
    assert!(network.crash(ms(400), 2, 0));
    let finished = ended(&mut network, LONG);
    assert_eq!(told(&finished), [(400, "crashed")]);
    let reading = network.read(LONG);
    let left: u64 = reading.components.iter().map(|one| one.present).sum();
    assert_eq!(left, 0, "visits are left behind");
}

#[test]
fn a_visit_that_crashed_is_repeated_on_another_instance() {
    let host = Host {
        instances: 2,
        ..Host::unlimited("host")
    };
    let mut plan = system(host, component("agent", None, service(constant(400.0))), 7);
    plan.endpoints[0] = endpoint([Step::Visit(Visit {
        retries: 1,
        ..Visit::once(0, 0)
    })]);
    let mut network = network(plan);
    network.arrive(Duration::ZERO, arrival(1));
    assert!(network.crash(ms(300), 1, 0));
    let finished = ended(&mut network, LONG);
    assert_eq!(told(&finished), [(700, "ok")]);
    let errors: Vec<_> = finished[0]
        .visits
        .iter()
        .map(|visit| visit.error_type.is_some())
        .collect();
    assert_eq!(errors, [false, true, false]);
}

#[test]
fn nobody_is_there_until_the_restart() {
    let plan = system(
        Host::unlimited("host"),
        component("agent", None, service(constant(1.0))),
        7,
    );
    let mut network = network(plan);
    assert!(network.crash(SECOND, 1, 0));
    network.arrive(SECOND * 3, arrival(1));
    network.arrive(SECOND * 11, arrival(2));
    let finished = ended(&mut network, LONG);
    assert_eq!(told(&finished), [(3_000, "unavailable"), (11_001, "ok")]);
    let target_systems::network::Outcome::Failed(failed) = &finished[0].outcome else {
        panic!("it failed");
    };
    assert_eq!((failed.status, failed.retry_after), (503, Some(SECOND * 8)));
}
