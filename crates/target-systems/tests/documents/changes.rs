//! Patches, settings of a command line, limits and planned changes.

use target_systems::{Overrides, Setting, load};

use super::*;

#[test]
fn limits_are_set_by_the_name_of_what_they_limit() {
    use target_systems::limits::patch;
    let check = |name: &str, limits: Value, expected: Result<Value, &str>| {
        let system = shipped(name);
        match (patch(&system.document, &limits), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found, expected);
                system.patched(&found).expect("a sound patch");
            }
            (Err(invalid), Err(part)) => {
                assert!(invalid.to_string().contains(part), "{invalid}");
            }
            (found, expected) => panic!("{limits}: {found:?}, not {expected:?}"),
        }
    };
    check(
        "lab",
        json!({ "cpu1": { "cpu_cores": 2 } }),
        Ok(json!({ "components": { "cpu1": { "host": { "cpu_cores": 2 } } } })),
    );
    check(
        "lab",
        json!({ "mm1": { "cpu_cores": 2, "slots": 3 } }),
        Ok(json!({ "components": { "mm1": { "host": { "cpu_cores": 2 }, "slots": 3 } } })),
    );
    check(
        "aiaas",
        json!({ "router": { "cpu_cores": 0.5, "memory_mb": 1024 } }),
        Ok(json!({ "hosts": { "router": { "cpu_cores": 0.5, "memory_mb": 1024 } } })),
    );
    check(
        "aiaas",
        json!({ "agent": { "instances": 2 } }),
        Ok(json!({ "hosts": { "agents": { "instances": 2 } } })),
    );
    check(
        "acis",
        json!({ "db": { "size": 40 } }),
        Ok(json!({ "pools": { "db": { "size": 40 } } })),
    );
    check(
        "acis",
        json!({ "model": { "slots": 8 } }),
        Ok(json!({ "components": { "model": { "slots": 8 } } })),
    );
    check(
        "acis",
        json!({ "modle": { "slots": 8 } }),
        Err("modle.slots: unknown host, component or pool; did you mean `model`?"),
    );
    check(
        "acis",
        json!({ "model": { "slot": 8 } }),
        Err("model.slot: unknown limit; did you mean `slots`?"),
    );
    check(
        "acis",
        json!({ "db": { "slots": 8 } }),
        Err("db.slots: `db` has no such limit"),
    );
    check("acis", json!([]), Err("limits are an object"));
}

fn setting(path: &str, value: &str) -> Setting {
    Setting {
        path: path.split('.').map(str::to_owned).collect(),
        value: value.to_owned(),
        source: "--set".to_owned(),
    }
}

#[test]
fn a_command_line_changes_a_file() {
    let text = systems::text("acso").expect("embedded");
    let overrides = Overrides {
        seed: Some(9),
        settings: vec![
            setting("HOSTS.BUS.NETWORK_MBIT_PER_S", "20"),
            setting("components.agent.balance", "random"),
        ],
        toggles: vec![("bus_async".to_owned(), true)],
        performance: Some(false),
        timeout_multiplier: Some(2.0),
    };
    let system = load(text, &overrides).expect("sound");
    assert_eq!(system.plan.seed, 9);
    assert_eq!(system.document.hosts["bus"].network_mbit_per_s, Some(20.0));
    let on: Vec<&String> = system
        .document
        .toggles
        .iter()
        .filter(|(_, toggle)| toggle.on)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(on, ["bus_async"]);
    // The toggle of the timeouts is off: 60 s, and twice that.
    assert_eq!(system.document.edge.deadline_ms, Some(120_000.0));
    assert_eq!(
        system.document.components["agent"].queue.patience_ms,
        Some(20_000.0)
    );
    assert_eq!(system.document.pools["agents"].wait_ms, Some(4_000.0));
    assert_eq!(
        system.document.components["bus"]
            .batch
            .expect("batches")
            .wait_ms,
        5.0
    );
}

#[test]
fn errors_of_a_command_line_say_where_they_come_from() {
    let text = systems::text("acso").expect("embedded");
    for (overrides, line) in [
        (
            Overrides {
                settings: vec![setting("hosts.bus.cpu_cors", "2")],
                ..Overrides::default()
            },
            "hosts.bus.cpu_cors: unknown field; did you mean `cpu_cores`? (from --set)",
        ),
        (
            Overrides {
                settings: vec![setting("hosts.bus.cpu_cores", "-2")],
                ..Overrides::default()
            },
            "hosts.bus.cpu_cores: -2 is not between 0.05 and 1024 (from --set)",
        ),
        (
            Overrides {
                toggles: vec![("bus_asnc".to_owned(), true)],
                ..Overrides::default()
            },
            "toggles.bus_asnc: unknown toggle; did you mean `bus_async`?",
        ),
        (
            Overrides {
                settings: vec![
                    setting("hosts.Buss.cpu_cores", "2"),
                    setting("pools.x.size", "2"),
                ],
                toggles: vec![("bus_asnc".to_owned(), true)],
                ..Overrides::default()
            },
            "hosts.Buss: unknown host `Buss`; did you mean `bus`? (from --set); \
             pools.x: unknown pool `x`; known here: agents (from --set); \
             toggles.bus_asnc: unknown toggle; did you mean `bus_async`?",
        ),
        (
            Overrides {
                settings: vec![setting("components.agent.operations.rum.cpu_ms", "2")],
                ..Overrides::default()
            },
            "components.agent.operations.rum: unknown operation `rum`;",
        ),
        (
            Overrides {
                settings: vec![setting("hosts.agent.cpu_cores", "2")],
                ..Overrides::default()
            },
            "hosts.agent: `agent` is a component; it runs on the host `agents` (from --set)",
        ),
        (
            Overrides {
                settings: vec![setting("metrics.0.name", "2")],
                ..Overrides::default()
            },
            "metrics: is a list; set it as a whole, such as PATH=[a, b] (from --set)",
        ),
        (
            Overrides {
                timeout_multiplier: Some(0.0),
                ..Overrides::default()
            },
            "a timeout multiplier of 0 is not above 0 and up to 1000",
        ),
    ] {
        let invalid = load(text, &overrides).expect_err(line);
        assert!(invalid.to_string().starts_with(line), "{invalid}");
    }
}

#[test]
fn a_patch_of_a_running_system_is_checked_like_its_file() {
    let lab = shipped("lab");
    let faster = lab
        .patched(&json!({ "components": { "cpu1": { "host": { "cpu_cores": 2 } } } }))
        .expect("a sound patch");
    let cores = |system: &System| {
        let host = system.plan.hosts.iter().find(|host| &*host.name == "cpu1");
        host.and_then(|host| host.cpu_cores)
    };
    assert_eq!((cores(&lab), cores(&faster)), (Some(1.0), Some(2.0)));
    let constant = lab
        .patched(
            &json!({ "components": { "mm1": { "operations": { "run": { "service_ms": 7 } } } } }),
        )
        .expect("a number replaces a distribution");
    assert_eq!(
        constant.document.components["mm1"].operations["run"]
            .service_ms
            .as_ref()
            .map(|amount| amount.0.clone()),
        Some(fault_profile::Latency::Constant { ms: 7.0 })
    );
    for (patch, path) in [
        (json!([1]), ""),
        (
            json!({ "components": { "cpu1": { "host": { "cpu_cores": "two" } } } }),
            "components.cpu1.host.cpu_cores",
        ),
        (
            json!({ "components": { "cpu1": null } }),
            "endpoints.cpu1.flow[0].visit",
        ),
    ] {
        let invalid = lab.patched(&patch).expect_err("refused");
        assert!(
            invalid.errors.iter().any(|error| error.path == path),
            "{patch}: {invalid}"
        );
    }
}

#[test]
fn planned_changes_begin_and_end() {
    let system = System::new(json!({
        "system": "planned",
        "hosts": { "a": { "cpu_cores": 4 } },
        "components": { "work": { "kind": "service", "host": "a", "operations": { "run": {} } } },
        "endpoints": { "one": { "route": "GET /one", "flow": [{ "visit": "work.run" }] } },
        "timeline": [
            { "at_ms": 1000, "for_ms": 2000, "set": { "hosts": { "a": { "cpu_cores": 2 } } } },
            { "at_ms": 2000, "set": { "hosts": { "a": { "memory_mb": 512 } } } },
        ],
    }))
    .expect("sound");
    let found: Vec<(u128, Option<f64>, Option<f64>)> = system
        .plan
        .timeline
        .iter()
        .map(|planned| {
            let host = &planned.plan.hosts[0];
            (planned.at.as_millis(), host.cpu_cores, host.memory_mb)
        })
        .collect();
    assert_eq!(
        found,
        [
            (1000, Some(2.0), None),
            (2000, Some(2.0), Some(512.0)),
            (3000, Some(4.0), Some(512.0)),
        ]
    );
}
