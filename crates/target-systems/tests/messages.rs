//! Buses, links and branches: checks C-15 to C-18 of the design.

mod lab;

use std::sync::Arc;
use std::time::Duration;

use lab::*;
use target_systems::offline::{Mix, Simulation, simulate};
use target_systems::plan::{
    Batch, Bus, Call, Component, Compression, Demand, Each, Expression, Host, Operation, Order,
    Path, PathRoot, Per, Plan, Publish, Step, Store, Value,
};

fn bus(max_items: usize) -> Bus {
    Bus {
        batch: Batch {
            max_items,
            wait: ms(5),
            overhead: ms(2),
        },
        compress: None,
        connect: Duration::ZERO,
    }
}

fn publish(messages: Expression, wait: bool) -> Step {
    Step::Publish(Publish {
        call: Call {
            component: 0,
            operation: 0,
        },
        messages,
        consume: None,
        wait,
    })
}

fn system_with_bus(bus: Bus, slots: usize, demand: Demand, messages: f64, wait: bool) -> Plan {
    let component = Component {
        bus: Some(bus),
        ..component("bus", Some(slots), demand)
    };
    let mut plan = system(Host::unlimited("bus"), component, 7);
    plan.endpoints[0] = endpoint([publish(Expression::Number(messages), wait)]);
    plan
}

#[test]
fn c_15_a_batch_pays_its_overhead_once() {
    let (slots, overhead_ms, item_ms) = (8.0, 2.0, 0.1);
    for items in [16, 1] {
        let demand = service(constant(item_ms));
        let plan = system_with_bus(bus(items), 8, demand, items as f64, true);
        let report = run(plan, closed(64, None), 100_000);
        let batch_ms = overhead_ms + item_ms * items as f64;
        let expected = slots * items as f64 / batch_ms * 1e3;
        let messages_per_s = report.throughput_per_s * items as f64;
        check_near(
            messages_per_s,
            expected,
            0.002,
            &format!("batches of {items}"),
        );
    }
}

#[test]
fn an_incomplete_batch_goes_when_its_time_is_over() {
    let demand = service(constant(0.1));
    let finished = alone(system_with_bus(bus(16), 8, demand, 3.0, true));
    // Waiting for the batch, the overhead, three messages.
    assert_eq!(
        finished.elapsed(),
        Duration::from_micros(5_000 + 2_000 + 300)
    );
}

#[test]
fn c_16_compression_widens_the_link() {
    let field = |n: f64| Value::map([("body", Value::map([("n", Value::from(n))]))]);
    for ratio in [0.35, 1.0] {
        let compress = Compression {
            ratio,
            cpu_ms_per_kb: 0.0,
        };
        let demand = Demand {
            network_kb: constant(8.0),
            ..Demand::default()
        };
        let component = Component {
            bus: Some(Bus {
                compress: Some(compress),
                ..bus(1)
            }),
            ..component("bus", None, demand)
        };
        let host = Host {
            network_mbit_per_s: Some(40.0),
            ..Host::unlimited("bus")
        };
        let mut plan = system(host, component, 7);
        plan.components[0]
            .bus
            .as_mut()
            .expect("a bus")
            .batch
            .overhead = Duration::ZERO;
        let n = Path {
            root: PathRoot::Body,
            names: vec!["n".into()],
        };
        plan.endpoints[0] = endpoint([publish(Expression::Field(n), true)]);
        let simulation = Simulation {
            load: closed(50, None),
            mix: Mix::new([(0.85, 0, field(5.0)), (0.15, 0, field(6.0))]),
            requests: 50_000,
            warm_up: 500,
        };
        let report = simulate(plan, &simulation).expect("a plan without problems");
        let expected = 40e6 / (5.15 * 8e3 * 8.0 * ratio);
        check_near(
            report.throughput_per_s,
            expected,
            0.005,
            &format!("ratio {ratio}"),
        );
        check_near(utilisation(&report, "network"), 1.0, 0.001, "link");
    }
}

fn branches() -> Plan {
    let mut plan = system(
        Host::unlimited("host"),
        component("agent", None, service(constant(250.0))),
        7,
    );
    let other = Operation::new("other", service(constant(180.0)));
    plan.components[0].operations.push(other);
    plan
}

#[test]
fn c_17_branches_at_once_take_as_long_as_the_longest() {
    let mut plan = branches();
    let branches = vec![[visit(0, 0)].into(), [visit(0, 1)].into()];
    plan.endpoints[0] = endpoint([Step::Parallel(branches)]);
    let finished = alone(plan);
    assert_eq!((finished.elapsed(), finished.planned), (ms(250), ms(250)));

    let mut plan = self::branches();
    plan.endpoints[0] = endpoint([visit(0, 0), visit(0, 1)]);
    let finished = alone(plan);
    assert_eq!((finished.elapsed(), finished.planned), (ms(430), ms(430)));
}

#[test]
fn c_17_an_unbatched_message_costs_only_who_waits_for_it() {
    for (wait, expected_us) in [(false, 0), (true, 2_100)] {
        let finished = alone(system_with_bus(
            bus(1),
            8,
            service(constant(0.1)),
            1.0,
            wait,
        ));
        assert_eq!(finished.elapsed(), Duration::from_micros(expected_us));
        assert_eq!(finished.planned, Duration::from_micros(expected_us));
    }
}

#[test]
fn a_message_without_a_pooled_connection_waits_for_one() {
    let unpooled = Bus {
        connect: ms(3),
        ..bus(1)
    };
    let finished = alone(system_with_bus(
        unpooled,
        8,
        service(constant(0.1)),
        4.0,
        false,
    ));
    assert_eq!(finished.elapsed(), ms(3));
}

#[test]
fn c_18_demands_follow_the_rows_of_a_store() {
    let log2 = |rows| Expression::Log2(Box::new(Expression::Rows(rows)));
    for (of, per_ms) in [(log2(0), 0.05), (Expression::Rows(0), 0.02)] {
        for rows in [1_000usize, 1_000_000] {
            let mut plan = system(
                cores(1.0),
                component("database", None, Demand::default()),
                7,
            );
            plan.stores.push(store(rows));
            plan.components[0].operations[0].per = vec![Per {
                of: of.clone(),
                demand: cpu(constant(per_ms)),
            }];
            let found_ms = alone(plan).elapsed().as_secs_f64() * 1e3;
            let items = match &of {
                Expression::Rows(_) => rows as f64,
                _ => (rows as f64).log2(),
            };
            check_near(found_ms, items * per_ms, 1e-5, &format!("{rows} rows"));
        }
    }
}

fn store(populate: usize) -> Store {
    Store {
        name: "rows".into(),
        host: None,
        capacity: 10_000_000,
        ttl: None,
        retain_after_end: None,
        per_key: None,
        per_entry_kb: 0.0,
        states: Vec::new(),
        populate,
        at_capacity: target_systems::plan::AtCapacity::Refuse,
    }
}

#[test]
fn the_items_of_a_list_are_gone_through_in_the_order_that_is_asked_for() {
    let list = Path {
        root: PathRoot::Body,
        names: vec!["nodes".into()],
    };
    let edges = Path {
        root: PathRoot::Body,
        names: vec!["edges".into()],
    };
    let node = |id: &str| Value::map([("id", Value::from(id))]);
    let edge =
        |from: &str, to: &str| Value::map([("from", Value::from(from)), ("to", Value::from(to))]);
    let body = Value::map([
        ("nodes", Value::from(vec![node("a"), node("b"), node("c")])),
        ("edges", Value::from(vec![edge("a", "c"), edge("b", "c")])),
    ]);
    let input = Value::map([("body", body)]);
    for (order, expected_ms) in [
        (Order::Sequence, 750),
        (Order::AtOnce, 250),
        (Order::Graph(edges), 500),
    ] {
        let mut plan = branches();
        plan.endpoints[0] = endpoint([Step::Each(Each {
            list: list.clone(),
            order,
            block: Arc::new([visit(0, 0)]),
        })]);
        let finished = alone_with(plan, input.clone());
        assert_eq!(finished.elapsed(), ms(expected_ms));
    }
}
