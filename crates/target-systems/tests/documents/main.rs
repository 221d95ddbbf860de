//! Documents: the built-in ones, and the errors of others.

mod chance;
mod changes;
mod together;

use serde_json::{Value, json};
use target_systems::{System, systems};

/// The lines of all errors of a document.
fn errors(text: &str) -> Vec<String> {
    match System::read(text) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.errors.iter().map(ToString::to_string).collect(),
    }
}

fn shipped(name: &str) -> System {
    let text = systems::text(name).expect("an embedded system");
    System::read(text).unwrap_or_else(|invalid| panic!("{name}: {invalid:#?}"))
}

#[test]
fn every_shipped_system_compiles_without_an_error_and_with_each_toggle_switched() {
    for (name, _) in systems::ALL {
        let system = shipped(name);
        assert_eq!(system.document.system, name);
        assert_eq!(system.plan.problems(), Vec::<String>::new(), "{name}");
        for (toggle, state) in &system.document.toggles {
            let patch = json!({ "toggles": { toggle: { "on": !state.on } } });
            let switched = system
                .patched(&patch)
                .unwrap_or_else(|invalid| panic!("{name} {toggle}: {invalid}"));
            assert_eq!(
                switched.plan.problems(),
                Vec::<String>::new(),
                "{name} {toggle}"
            );
            let seen = |system: &System| format!("{:?} {:?}", system.plan, system.document.edge);
            assert!(
                seen(&switched) != seen(&system),
                "{name}: the toggle {toggle} changes nothing"
            );
        }
    }
}

#[test]
fn ten_mistakes_are_ten_lines_each_with_its_path_and_a_hint() {
    let text = r#"
system: ten
edge: { host: gatway, deadline_ms: 0 }
hosts:
  gateway: { cpu_cores: 0.01 }
components:
  front: { kind: service, host: gateway, slots: 4, operations: { run: { service_ms: { exponental: { mean_ms: 10 } } } } }
  back: { kind: service, host: gateway, slots: 4, operations: { run: { service_ms: 5 } } }
pools: { db: { size: 4 } }
endpoints:
  one:
    route: GET /one
    flow: [{ visit: frnt.run }, { either: [{ share: 1.5, do: [{ visit: back.run }] }] }]
  two:
    route: GET /two
    flow: [{ visit: { at: front.run, hold: [{ visit: back.run }] } }]
  three:
    route: GET /three
    flow: [{ visit: { at: back.run, hold: [{ visit: front.run }] } }]
  four:
    route: GET /four
    flow: [{ using: { pool: db, do: [{ using: { pool: db, do: [{ visit: back.run }] } }] } }]
  five:
    rute: GET /five
    route: GET /five
    flow: [{ when: { value: path.id, is: { a: [] } } }]
"#;
    let found = errors(text);
    let expected = [
        (
            "components.front.operations.run.service_ms",
            "did you mean `exponential`?",
        ),
        ("endpoints.five.rute", "did you mean `route`?"),
        ("hosts.gateway.cpu_cores", "not between 0.05 and 1024"),
        ("edge.host", "did you mean `gateway`?"),
        ("edge.deadline_ms", "must be more than 0"),
        ("endpoints.one.flow[0].visit", "did you mean `front`?"),
        (
            "endpoints.one.flow[1].either[0].share",
            "write 0.05 for 5 %",
        ),
        ("endpoints.three.flow[0].visit.hold[0]", "would deadlock"),
        (
            "endpoints.four.flow[0].using.do[0]",
            "takes a connection of `db` while it holds one",
        ),
        (
            "endpoints.five.flow[0].when.value",
            "unknown parameter of the route",
        ),
    ];
    for (path, hint) in expected {
        let lines: Vec<&String> = found
            .iter()
            .filter(|line| line.starts_with(&format!("{path}: ")))
            .collect();
        assert_eq!(lines.len(), 1, "{path} in {found:#?}");
        assert!(lines[0].contains(hint), "{}", lines[0]);
    }
    // The tenth error, two components that wait for each other, is reported at the place that closes the
    // cycle.
    assert_eq!(found.len(), 10, "{found:#?}");
}

/// A small valid document, changed by a patch.
fn changed(patch: &Value) -> Vec<String> {
    let mut value = json!({
        "system": "small",
        "edge": {},
        "hosts": { "a": { "memory_mb": 1024, "cpu_cores": 2 } },
        "components": {
            "work": { "kind": "service", "host": "a", "slots": 4, "operations": { "run": { "cpu_ms": 5 } } },
            "cache": { "kind": "cache", "capacity": 10, "operations": { "get": {} } },
            "bus": { "kind": "bus", "operations": { "deliver": {} } },
        },
        "stores": { "things": { "capacity": 10, "states": ["begun", "done"] } },
        "endpoints": { "one": { "route": "POST /one/{id}", "flow": [{ "visit": "work.run" }] } },
    });
    live_config::merge(&mut value, patch, &target_systems::CHOICES);
    match System::new(value) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.errors.iter().map(ToString::to_string).collect(),
    }
}

/// Each patch has to cause an error at its path with this text.
fn check_mistakes(mistakes: &[(Value, &str, &str)]) {
    for (patch, path, part) in mistakes {
        let found = changed(patch);
        assert!(
            found
                .iter()
                .any(|line| line.starts_with(&format!("{path}: ")) && line.contains(part)),
            "{patch}: {path} .. {part} is not in {found:#?}"
        );
    }
}

#[test]
fn mistakes_in_parts_are_told_with_their_paths() {
    assert_eq!(changed(&json!({})), Vec::<String>::new());
    check_mistakes(&[
        (json!({ "system": "a b" }), "system", "letters, digits"),
        (json!({ "ageing": 0 }), "ageing", "not above 0"),
        (
            json!({ "components": { "work": { "slots": 0 } } }),
            "components.work.slots",
            "not between",
        ),
        (
            json!({ "components": { "work": { "ttl_s": 4 } } }),
            "components.work.ttl_s",
            "of kind cache",
        ),
        (
            json!({ "components": { "cache": { "capacity": null } } }),
            "components.cache.capacity",
            "required",
        ),
        (
            json!({ "components": { "work": { "host": "b" } } }),
            "components.work.host",
            "unknown host",
        ),
        (
            json!({ "hosts": { "work": {} , "cache": {} } }),
            "components.cache.host",
            "a host `cache` exists",
        ),
        (
            json!({ "hosts": { "a": { "base_mb": 2000 } } }),
            "hosts.a.base_mb",
            "above memory_mb",
        ),
        (
            json!({ "components": { "work": { "faults": { "connection": { "refused": true } } } } }),
            "components.work.faults.connection",
            "is not for components",
        ),
        (
            json!({ "components": { "work": { "faults": { "success_rate": 0.5, "failures": [{ "kind": { "reset": {} } }] } } } }),
            "components.work.faults.failures[0].kind",
            "network fault",
        ),
        (
            json!({ "stores": { "things": { "populate": 11 } } }),
            "stores.things.populate",
            "above capacity",
        ),
        (
            json!({ "toggles": { "idle": {} } }),
            "toggles.idle",
            "changes nothing",
        ),
        (
            json!({ "toggles": { "t": { "off": { "hosts": { "a": { "cpu_cores": -1 } } } } } }),
            "toggles.t.off.hosts.a.cpu_cores",
            "not between",
        ),
        (
            json!({ "timeline": [{ "at_ms": 5, "set": { "hosts": { "a": { "cpu_core": 1 } } } }] }),
            "timeline[0].set.hosts.a.cpu_core",
            "did you mean `cpu_cores`?",
        ),
    ]);
}

#[test]
fn mistakes_in_endpoints_mixes_and_metrics_are_told_with_their_paths() {
    check_mistakes(&[
        (
            json!({ "mixes": { "m": { "two": 1 } } }),
            "mixes.m.two",
            "unknown endpoint",
        ),
        (
            json!({ "mixes": { "m": { "one": 0 } } }),
            "mixes.m",
            "weight above 0",
        ),
        (
            json!({ "endpoints": { "one": { "route": "GO /one" } } }),
            "endpoints.one.route",
            "unknown method",
        ),
        (
            json!({ "endpoints": { "one": { "route": "GET /health" } } }),
            "endpoints.one.route",
            "this path is reserved",
        ),
        (
            json!({ "endpoints": { "two": { "route": "POST /one/{name}" } } }),
            "endpoints.two.route",
            "that of `one`",
        ),
        (
            json!({ "endpoints": { "one": { "answer": { "body": { "x": "$nothing" } } } } }),
            "endpoints.one.answer.body.x",
            "is not defined here",
        ),
        (
            json!({ "endpoints": { "one": { "request": { "required": ["a..b"] } } } }),
            "endpoints.one.request.required[0]",
            "not a field",
        ),
        (
            json!({ "endpoints": { "one": { "request": { "required": ["a"] }, "examples": [{ "body": {} }] } } }),
            "endpoints.one.examples[0]",
            "body.a: is required and missing",
        ),
        (
            json!({ "metrics": [{ "name": "x", "kind": "gauge", "of": "request.count" }] }),
            "metrics[0].kind",
            "does not match",
        ),
        (
            json!({ "metrics": [{ "name": "x", "kind": "gauge", "of": "pool.used" }] }),
            "metrics[0].of",
            "unknown kind `pool.used`",
        ),
        (
            json!({ "metrics": [{ "name": "x", "kind": "counter", "of": "request.count", "labels": ["tenant"] }] }),
            "metrics[0].labels[0]",
            "unknown label",
        ),
    ]);
}

#[test]
fn mistakes_in_flows_are_told_with_their_paths() {
    let flow = |step: Value| json!({ "endpoints": { "one": { "flow": [step] } } });
    check_mistakes(&[
        (
            flow(json!({ "visit": "work" })),
            "endpoints.one.flow[0].visit",
            "not component.operation",
        ),
        (
            flow(json!({ "visit": "work.rum" })),
            "endpoints.one.flow[0].visit",
            "did you mean `run`?",
        ),
        (
            flow(json!({ "vist": "work.run" })),
            "endpoints.one.flow[0]",
            "did you mean `visit`?",
        ),
        (
            flow(json!({ "cached": { "in": "work" } })),
            "endpoints.one.flow[0].cached.in",
            "of kind service, not cache",
        ),
        (
            flow(json!({ "cached": { "in": "cache" } })),
            "endpoints.one.flow[0].cached.key",
            "no population",
        ),
        (
            flow(json!({ "publish": { "to": "bus", "wait": "now" } })),
            "endpoints.one.flow[0].publish.wait",
            "unknown toggle",
        ),
        (
            flow(json!({ "visit": { "at": "work.run", "times": "body.n" } })),
            "endpoints.one.flow[0].visit.times",
            "has no bound",
        ),
        (
            flow(json!({ "visit": { "at": "work.run", "times": "sum(body.n)" } })),
            "endpoints.one.flow[0].visit.times",
            "unknown function",
        ),
        (
            flow(json!({ "either": [{ "share": 0.6 }, { "share": 0.6 }] })),
            "endpoints.one.flow[0].either",
            "above 1",
        ),
        (
            flow(json!({ "visit": { "at": "work.run", "hold": [{ "visit": "work.run" }] } })),
            "endpoints.one.flow[0].visit.hold[0]",
            "a slot of `work` while it holds one",
        ),
        (
            flow(json!({ "state": { "create": "things", "require": "things" } })),
            "endpoints.one.flow[0].state",
            "exactly one",
        ),
        (
            flow(json!({ "state": { "advance": "things", "to": "dne", "id": "path.id" } })),
            "endpoints.one.flow[0].state.to",
            "did you mean `done`?",
        ),
        (
            flow(json!({ "state": { "append": "things" } })),
            "endpoints.one.flow[0].state",
            "needs `id` or `key`",
        ),
        (
            flow(json!({ "fail": { "status": 200 } })),
            "endpoints.one.flow[0].fail.status",
            "400 to 599",
        ),
    ]);
}

#[test]
fn the_schema_names_every_part_of_a_document() {
    let schema = target_systems::schema();
    let properties = schema["properties"].as_object().expect("properties");
    for part in [
        "system",
        "edge",
        "mixes",
        "hosts",
        "components",
        "pools",
        "stores",
        "toggles",
        "endpoints",
        "metrics",
        "timeline",
    ] {
        assert!(properties.contains_key(part), "{part}");
    }
    assert_eq!(schema["additionalProperties"], json!(false));
    let definitions = schema["$defs"].as_object().expect("definitions");
    for part in [
        "Host",
        "Component",
        "Operation",
        "Step",
        "Latency",
        "Toggle",
    ] {
        assert!(definitions.contains_key(part), "{part}");
    }
}
