//! Changes at run time, planned and on request.

use super::*;

#[test]
fn c_19_a_limit_holds_from_the_time_at_which_it_is_changed() {
    let plan = system(
        cores(1.0),
        component("cpu", None, cpu(exponential(10.0))),
        7,
    );
    let mut wider = plan.clone();
    wider.hosts[1].cpu_cores = Some(2.0);
    let mut network = network(plan);
    let gap = Duration::from_micros(12_500);
    let half = 40_000u32;
    let mut busy = Vec::new();
    for n in 1..=2 * half {
        if n == half {
            busy.push(network.read(network.now()).hosts[1].machines[0].cpu_busy_s);
            assert_eq!(network.change(gap * n, wider.clone()), Ok(2));
        }
        network.arrive(gap * n, arrival(u64::from(n)));
    }
    busy.push(network.read(network.now()).hosts[1].machines[0].cpu_busy_s);
    let half_s = gap.as_secs_f64() * f64::from(half);
    check_near(busy[0] / half_s, 0.8, 0.02, "one core");
    check_near((busy[1] - busy[0]) / (2.0 * half_s), 0.4, 0.02, "two cores");
    let changed = gap * half;
    for one in ended(&mut network, LONG) {
        assert_eq!(one.revision, if one.arrived < changed { 1 } else { 2 });
    }
}

#[test]
fn a_running_system_keeps_its_shape() {
    let mut plan = slow(Queue::default());
    plan.stores.push(Store {
        host: None,
        ..workflows().stores[0].clone()
    });
    let mut network = network(plan.clone());
    let mut renamed = plan.clone();
    renamed.components[0].name = "other".into();
    let refused = network.change(SECOND, renamed);
    let Err(Refusal::Reshaped(found)) = refused else {
        panic!("another shape: {refused:?}");
    };
    assert_eq!(
        found,
        [
            "components: slow would be gone",
            "components: other would be new"
        ]
    );
    let mut moved = plan.clone();
    moved.stores[0].host = Some(1);
    assert_eq!(
        network.change(SECOND, moved),
        Err(Refusal::Reshaped(vec![format!(
            "stores: {} would be on another host",
            plan.stores[0].name
        )]))
    );
    let mut broken = plan;
    broken.endpoints[0] = endpoint([visit(7, 0)]);
    assert!(matches!(
        network.change(SECOND, broken),
        Err(Refusal::Problems(_))
    ));
    assert_eq!(network.revision(), 1);
}

#[test]
fn planned_changes_happen_at_their_times() {
    let mut plan = slow(Queue::default());
    let mut faster = plan.clone();
    faster.components[0].operations[0] = Operation::new("run", service(constant(10.0)));
    plan.timeline = vec![
        Planned {
            at: SECOND,
            plan: Arc::new(faster),
        },
        Planned {
            at: SECOND * 2,
            plan: Arc::new(plan.clone()),
        },
    ];
    let mut network = network(plan);
    for n in 0..3 {
        network.arrive(SECOND * n, arrival(u64::from(n)));
    }
    let finished = ended(&mut network, LONG);
    let elapsed: Vec<u128> = finished
        .iter()
        .map(|one| one.elapsed().as_millis())
        .collect();
    assert_eq!(elapsed, [100, 10, 100]);
    assert_eq!(network.revision(), 3);
}

#[test]
fn instances_follow_the_use_of_the_cpu() {
    let host = Host {
        autoscale: Some(Autoscale {
            min: 1,
            max: 8,
            target_cpu: 0.5,
            every: Duration::from_secs(10),
            start: Duration::from_secs(3),
        }),
        ..cores(1.0)
    };
    let component = Component {
        balance: Balance::LeastInFlight,
        ..component("cpu", None, cpu(constant(10.0)))
    };
    let mut network = network(system(host, component, 7));
    // 90 a second need 0.9 cores: two instances at half use each. Then 10 a second need one.
    for n in 1..=9_000u64 {
        network.arrive(Duration::from_nanos(n * 1_000_000_000 / 90), arrival(n));
    }
    let instances = |network: &Network| network.read(network.now()).hosts[1].instances;
    assert_eq!(instances(&network), 2);
    let up = network.read(network.now()).hosts[1]
        .machines
        .iter()
        .filter(|one| one.up)
        .count();
    assert_eq!(up, 2);
    for n in 1..=1_000u64 {
        network.arrive(SECOND * 100 + ms(n * 100), arrival(9_000 + n));
    }
    assert_eq!(instances(&network), 1);
    let failed = network.read(network.now()).failed;
    assert!(
        failed.is_empty(),
        "a removed instance finishes what it has: {failed:?}"
    );
}

#[test]
fn a_time_that_goes_backwards_counts_as_now() {
    let mut network = network(slow(Queue::default()));
    network.arrive(SECOND, arrival(1));
    network.arrive(Duration::ZERO, arrival(2));
    let finished = ended(&mut network, LONG);
    assert_eq!(told(&finished), [(1_100, "ok"), (1_200, "ok")]);
}

#[test]
fn an_inconsistent_plan_is_rejected_with_every_reason() {
    let mut plan = slow(Queue::default());
    plan.edge.host = 9;
    plan.hosts[1].cpu_cores = Some(0.0);
    plan.components[0].slots = Some(0);
    plan.endpoints[0] = endpoint([visit(3, 0)]);
    let problems = Network::new(plan, target_systems::network::Detail::Totals)
        .expect_err("it does not hold together");
    assert_eq!(problems.len(), 4, "{problems:?}");
}
