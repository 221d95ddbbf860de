//! Combinations of errors, and the wording of their messages.

use std::collections::BTreeMap;

use super::*;

/// Each of the paths has exactly one error, and there is no other.
fn check_paths(text: &str, expected: &[&str]) {
    let found = match System::read(text) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.errors,
    };
    let paths: Vec<&str> = found.iter().map(|error| error.path.as_str()).collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "{found:#?}");
}

#[test]
fn an_unknown_kind_hides_neither_its_component_nor_those_that_name_it() {
    check_paths(
        "
system: s
components:
  work: { kind: servce, slots: 0, host: nowhere, operations: { run: { cpu_ms: -1 } } }
endpoints:
  one: { route: GET /one, flow: [{ visit: work.run }] }
",
        &[
            "components.work.kind",
            "components.work.slots",
            "components.work.host",
            "components.work.operations.run.cpu_ms",
        ],
    );
}

#[test]
fn a_step_that_cannot_be_read_hides_no_step_behind_it_and_shifts_none() {
    check_paths(
        "
system: s
components: { work: { kind: service, operations: { run: {} } } }
endpoints:
  one:
    route: GET /one
    flow:
      - { vist: work.run }
      - { visit: wrk.run }
      - { either: 5 }
      - { visit: { at: work.run, retries: 1000 } }
      - 7
      - { fail: { status: 200 } }
",
        &[
            "endpoints.one.flow[0]",
            "endpoints.one.flow[1].visit",
            "endpoints.one.flow[2].either",
            "endpoints.one.flow[3].visit.retries",
            "endpoints.one.flow[4]",
            "endpoints.one.flow[5].fail.status",
        ],
    );
}

#[test]
fn a_part_of_the_wrong_type_keeps_its_name() {
    check_paths(
        "
system: s
hosts: { a: 5, b: { cpu_cores: lots } }
components:
  work: { kind: service, host: a, operations: { run: 5, other: { cpu_ms: two } } }
  idle: { kind: service, host: b, operations: [] }
pools: { db: 4 }
stores: { jobs: { capacity: many, states: [a, a] } }
endpoints:
  one: { route: GET /one, flow: [{ visit: work.run }, { using: { pool: db, do: [{ visit: work.other }] } }] }
  two: { route: 5, flow: [{ state: { require: jbs, id: path.id } }] }
mixes: { m: { one: 1, two: 1, three: 1 } }
timeline: [{ at_ms: soon, set: { hosts: { b: { cpu_cors: 1 } } } }]
",
        &[
            "hosts.a",
            "hosts.b.cpu_cores",
            "components.work.operations.run",
            "components.work.operations.other.cpu_ms",
            "components.idle.operations",
            "pools.db",
            "stores.jobs.capacity",
            "stores.jobs.states[1]",
            "endpoints.two.route",
            "endpoints.two.flow[0].state.require",
            "endpoints.two.flow[0].state.id",
            "mixes.m.three",
            "timeline[0].at_ms",
            "timeline[0].set.hosts.b.cpu_cors",
        ],
    );
}

#[test]
fn an_error_of_the_document_hides_none_of_its_toggles_and_planned_changes() {
    check_paths(
        "
system: s
edge: { deadline_ms: 0 }
hosts: { a: { cpu_cores: 2 } }
components: { work: { kind: service, host: a, operations: { run: {} } } }
toggles:
  t: { off: { hosts: { a: { cpu_cores: -1 } } } }
endpoints: { one: { route: GET /one, flow: [{ visit: work.run }] } }
timeline:
  - { at_ms: 5, set: { hosts: { a: { cpu_cores: 5000 } } } }
  - { at_ms: 9, set: { hosts: { ab: { cpu_cores: 1 } } } }
",
        &[
            "edge.deadline_ms",
            "toggles.t.off.hosts.a.cpu_cores",
            "timeline[0].set.hosts.a.cpu_cores",
            "timeline[1].set.hosts.ab",
        ],
    );
}

#[test]
fn numbers_that_are_not_finite_are_errors_where_they_stand() {
    check_paths(
        "
system: s
ageing: .nan
edge: { max_in_flight: .inf, deadline_ms: .inf }
hosts: { a: { cpu_cores: .inf, memory_mb: .nan, base_mb: -.inf } }
components:
  work: { kind: service, host: a, queue: { patience_ms: .inf }, operations: { run: { cpu_ms: .nan, service_ms: { exponential: { mean_ms: .inf } } } } }
endpoints: { one: { route: GET /one, flow: [{ visit: { at: work.run, times: .inf, timeout_ms: .nan } }, { either: [{ share: .nan }] }] } }
mixes: { m: { one: .inf } }
",
        &[
            "ageing",
            "edge.max_in_flight",
            "edge.deadline_ms",
            "hosts.a.cpu_cores",
            "hosts.a.memory_mb",
            "hosts.a.base_mb",
            "components.work.queue.patience_ms",
            "components.work.operations.run.cpu_ms",
            "components.work.operations.run.service_ms.exponential.mean_ms",
            "endpoints.one.flow[0].visit.times",
            "endpoints.one.flow[0].visit.timeout_ms",
            "endpoints.one.flow[1].either[0].share",
            "mixes.m.one",
        ],
    );
}

#[test]
fn lists_that_do_nothing_while_they_are_empty_are_errors() {
    let flow = |step: Value| json!({ "pools": { "p": { "size": 1 } }, "endpoints": { "one": { "request": { "max_items": { "list": 3 } }, "flow": [step] } } });
    check_mistakes(&[
        (
            flow(json!({ "either": [] })),
            "endpoints.one.flow[0].either",
            "at least one choice",
        ),
        (
            flow(json!({ "when": { "value": "path.id", "is": {} } })),
            "endpoints.one.flow[0].when.is",
            "at least one case",
        ),
        (
            flow(json!({ "parallel": { "branches": [] } })),
            "endpoints.one.flow[0].parallel.branches",
            "at least one branch",
        ),
        (
            flow(json!({ "using": { "pool": "p", "do": [] } })),
            "endpoints.one.flow[0].using.do",
            "at least one step",
        ),
        (
            flow(json!({ "each": { "in": "body.list", "do": [] } })),
            "endpoints.one.flow[0].each.do",
            "at least one step",
        ),
        (
            flow(json!({ "if": { "enabled": true } })),
            "endpoints.one.flow[0].if",
            "at least one step",
        ),
    ]);
}

#[test]
fn a_planned_change_that_changes_nothing_is_an_error() {
    let with = |timeline: Value| {
        let mut value = json!({
            "system": "s",
            "hosts": { "a": { "cpu_cores": 2 }, "b": {} },
            "components": { "work": { "kind": "service", "host": "a", "operations": { "run": {} } } },
            "toggles": { "fast": { "off": { "hosts": { "a": { "cpu_cores": 1 } } } } },
            "pools": { "db": { "size": 4 } },
            "endpoints": { "one": { "route": "GET /one", "flow": [{ "visit": "work.run" }] } },
        });
        value["timeline"] = timeline;
        errors(&value.to_string())
    };
    for (changes, expected) in [
        (
            json!([{ "at_ms": 5, "set": { "hosts": { "a": { "cpu_cores": 2 } } } }]),
            "timeline[0].set: changes nothing: the document already has these values at that time",
        ),
        (
            json!([{ "at_ms": 5, "set": { "components": { "work": { "slots": 1 } } } }]),
            "timeline[0].set: changes nothing: the document already has these values",
        ),
        (
            json!([{ "at_ms": 5, "set": {} }]),
            "timeline[0].set: changes nothing",
        ),
        (
            json!([{ "at_ms": 5, "set": { "description": "new" } }]),
            "timeline[0].set: changes nothing: while the system runs, a change is one of hosts",
        ),
        (
            json!([{ "at_ms": 5, "set": { "pools": { "dbb": { "size": 1 } } } }]),
            "timeline[0].set.pools.dbb: unknown pool `dbb`; did you mean `db`?",
        ),
        (
            json!([{ "at_ms": 5, "set": { "components": { "work": { "operations": { "rum": {} } } } } }]),
            "timeline[0].set.components.work.operations.rum: unknown operation `rum`; did you mean `run`?",
        ),
        (
            json!([{ "at_ms": 5, "set": { "hosts": { "work": { "cpu_cores": 1 } } } }]),
            "timeline[0].set.hosts.work: `work` is a component; it runs on the host `a`",
        ),
        (
            json!([{ "at_ms": 5, "set": { "hosts": { "b": null } } }]),
            "timeline[0].set: would add, remove or move a part",
        ),
        (
            json!([
                { "at_ms": 5, "set": { "hosts": { "a": { "cpu_cores": 3 } } } },
                { "at_ms": 9, "set": { "hosts": { "a": { "cpu_cores": 3 } } } },
            ]),
            "timeline[1].set: changes nothing",
        ),
    ] {
        let found = with(changes.clone());
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{changes}: {found:#?}"
        );
    }
    for changes in [
        json!([{ "at_ms": 5, "set": { "hosts": { "a": { "cpu_cores": 3 } } } }]),
        json!([{ "at_ms": 5, "set": { "toggles": { "fast": { "on": false } } } }]),
        json!([
            { "at_ms": 5, "set": { "hosts": { "a": { "cpu_cores": 3 } } } },
            { "at_ms": 9, "set": { "hosts": { "a": { "cpu_cores": 2 } } } },
        ]),
        json!([
            { "at_ms": 5, "for_ms": 2, "set": { "hosts": { "a": { "cpu_cores": 3 } } } },
            { "at_ms": 9, "set": { "hosts": { "a": { "cpu_cores": 3 } } } },
        ]),
    ] {
        assert_eq!(with(changes.clone()), Vec::<String>::new(), "{changes}");
    }
}

#[test]
fn a_planned_toggle_brings_its_patch() {
    let system = System::new(json!({
        "system": "s",
        "hosts": { "a": { "cpu_cores": 2 } },
        "components": { "work": { "kind": "service", "host": "a", "operations": { "run": {} } } },
        "toggles": { "fast": { "off": { "hosts": { "a": { "cpu_cores": 1 } } } } },
        "endpoints": { "one": { "route": "GET /one", "flow": [{ "visit": "work.run" }] } },
        "timeline": [{ "at_ms": 1000, "for_ms": 500, "set": { "toggles": { "fast": { "on": false } } } }],
    }))
    .expect("sound");
    let cores: Vec<Option<f64>> = system
        .plan
        .timeline
        .iter()
        .map(|planned| planned.plan.hosts[0].cpu_cores)
        .collect();
    assert_eq!(cores, [Some(1.0), Some(2.0)]);
}

#[test]
fn a_toggle_whose_patch_changes_nothing_is_an_error() {
    let with = |off: Value| {
        let value = json!({
            "system": "s",
            "components": { "work": { "kind": "service", "operations": { "run": {} } } },
            "toggles": { "t": { "off": off } },
            "pools": { "db": { "size": 4 } },
            "endpoints": { "one": { "route": "GET /one", "flow": [{ "visit": "work.run" }] } },
        });
        errors(&value.to_string())
    };
    for (off, expected) in [
        (
            json!({ "pools": { "db": { "size": 4 } } }),
            "toggles.t.off: changes nothing",
        ),
        (
            json!({ "pools": { "dbs": { "size": 2 } } }),
            "toggles.t.off.pools.dbs: unknown pool `dbs`; did you mean `db`?",
        ),
    ] {
        let found = with(off.clone());
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{off}: {found:#?}"
        );
    }
    assert_eq!(
        with(json!({ "pools": { "db": { "size": 2 } } })),
        Vec::<String>::new()
    );
}

/// A file that has only been started gets errors about its missing parts.
#[test]
fn a_system_without_parts_says_which_it_needs() {
    check_paths("system: s", &["components", "endpoints"]);
}

/// Terms of the parser or of Rust, which authors of files do not know.
const JARGON: [&str; 22] = [
    "struct",
    "enum",
    "variant",
    "newtype",
    "untagged",
    "map,",
    "expected map",
    "sequence",
    "tuple",
    "unit va",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "f64",
    "Option",
    "Some(",
    "None",
    "single key",
    "floating",
    "identifier",
];

#[test]
fn no_error_of_a_wrong_value_has_words_of_the_parser() {
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!(""),
        json!([]),
        json!([1]),
        json!({}),
        json!({ "x": 1 }),
        json!({ "x": 1, "y": 2 }),
        json!(1e300),
    ];
    let (mut looked_at, mut found) = (0, BTreeMap::new());
    for (name, text) in systems::ALL {
        let value = live_config::read::yaml(text).expect("YAML");
        let mut pointers = Vec::new();
        places(&value, String::new(), &mut pointers);
        // Some of the places with each of the values, different ones each time.
        for (number, pointer) in pointers
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 7 == 0)
        {
            let mut changed = value.clone();
            let place = changed.pointer_mut(pointer).expect("it is there");
            *place = wrong[number % wrong.len()].clone();
            let Err(invalid) = System::new(changed) else {
                continue;
            };
            looked_at += 1;
            for error in &invalid.errors {
                if JARGON.iter().any(|word| error.message.contains(word)) {
                    found.insert(error.message.clone(), format!("{name}{pointer}"));
                }
            }
        }
    }
    assert!(looked_at > 100, "{looked_at}");
    assert!(found.is_empty(), "{found:#?}");
}

/// Pointers to every value inside.
fn places(value: &Value, above: String, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, inner)| (name.clone(), inner))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, inner)| (index.to_string(), inner))
            .collect(),
        _ => Vec::new(),
    };
    for (name, inner) in inner {
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{above}/{name}");
        found.push(pointer.clone());
        places(inner, pointer, found);
    }
}
