//! Complete files that show one type: the smallest valid file around it.

mod system;

use serde_json::{Map, Value, json};
use syn::Type;

use super::defaults::{self, Given};
use super::types::{Body, Choice, ChoiceFields, Member, Readable, Shape, Types, shape};

/// One step from the top of a file to a type.
#[derive(Debug, Clone)]
pub enum Step {
    /// Into a field of a type, or of its choice with this name.
    Field {
        owner: usize,
        choice: Option<String>,
        field: String,
    },
    /// Into the only value of a choice.
    Choice(String),
    /// Into an entry of a map, by this name.
    Entry(&'static str),
    /// Into an item of a list.
    Item,
}

/// Specific values, by type and field, or for every type (`*`). An optional field that is listed here is shown.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("*", "min_ms", "20"),
    ("*", "max_ms", "80"),
    ("*", "for", "\"30s\""),
    ("*", "each", "\"30s\""),
    ("*", "rest", "\"10s\""),
    ("*", "share", "0.5"),
    ("*", "url", "\"http://127.0.0.1:9093\""),
    ("*", "path", "\"alerts.jsonl\""),
    ("*", "cgroup", "\"shop.slice\""),
    ("*", "pid", "4711"),
    (
        "ApiKey",
        "sha256",
        "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
    ),
    ("ApiKey", "tenant", "\"acme\""),
    ("Batching", "max_items", "8"),
    ("Before", "ageing", "10"),
    ("Bounds", "answered", "0.95"),
    ("Bounds", "coverage", "0.9"),
    ("Bounds", "p95_ms", "2000"),
    ("Class", "exec", "\"visitor\""),
    ("Class", "script", "\"load.js\""),
    ("Class", "wait_s", "[0.5, 0.5]"),
    ("Detect", "breaker_opens", "\"any\""),
    ("Detector", "endpoint", "\"http://127.0.0.1:8001/detect\""),
    (
        "Drill",
        "faults",
        r#"[{"detector": "mock-detector-failing", "patch": {"success_rate": 0}, "for_ms": 5000}]"#,
    ),
    ("Drill", "recover", r#"{"within_ms": 30000}"#),
    (
        "Drill",
        "steady_state",
        r#"{"for_ms": 5000, "expect": {"answered": 0.95}}"#,
    ),
    ("Drill", "title", "\"A detector dies\""),
    ("Alerts", "sinks", "[\"log\"]"),
    ("Correlation", "group", r#"{"name": "power", "share": 0.5}"#),
    ("Overrides", "users", "[\"K6_LOAD_TARGET_VUS\"]"),
    ("Overrides", "duration", "[\"K6_LOAD_DURATION\"]"),
    (
        "Schedule",
        "stages",
        r#"[{"at_ms": 60000, "for_ms": 30000, "set": {"success_rate": 0}}]"#,
    ),
    ("Policy", "required_detectors", "[\"one\"]"),
    ("Policy", "min_coverage", "0.8"),
    ("Fault", "detector", "\"mock-detector-failing\""),
    ("Fault", "patch", r#"{"success_rate": 0}"#),
    ("GilbertElliott", "bad_to_good", "0.2"),
    ("GilbertElliott", "good_to_bad", "0.01"),
    ("GradeBounds", "acceptable", "500"),
    ("GradeBounds", "poor", "1000"),
    ("GradeBounds", "target", "200"),
    ("Group", "name", "\"power\""),
    ("Ladder", "levels", "[10, 20, 40]"),
    (
        "Latency",
        "buckets",
        r#"[{"up_to_ms": 10, "count": 90}, {"up_to_ms": 100, "count": 10}]"#,
    ),
    ("Latency", "latency", r#"{"exponential": {"mean_ms": 30}}"#),
    ("Latency", "p99_ms", "400"),
    (
        "Latency",
        "points",
        r#"[{"percentile": 0, "ms": 10}, {"percentile": 100, "ms": 300}]"#,
    ),
    ("Matrix", "each", "\"30s\""),
    ("Matrix", "levels", "[10, 20]"),
    ("Judge", "checks", "1"),
    ("MetricSign", "name", "\"sparring_target_pool_waiting\""),
    ("Part", "model", "\"closed\""),
    ("Locust", "file", "\"locustfile.py\""),
    ("Prometheus", "selector", "\"job=\\\"shop\\\"\""),
    ("Prometheus", "url", "\"http://127.0.0.1:9090\""),
    ("Probe", "route", "\"GET /health\""),
    ("Ramp", "at_per_s", "5"),
    ("Ramp", "from", "0.5"),
    ("Ramp", "parameter", "\"success_rate\""),
    ("Ramp", "to", "1"),
    ("Repeat", "every_ms", "300000"),
    ("Repeat", "times", "3"),
    ("Search", "until", "100"),
    ("Stage", "for_ms", "60000"),
    ("Window", "calls", "100"),
    ("Stage", "set", r#"{"success_rate": 0.5}"#),
    (
        "SuiteFile",
        "classes",
        r#"{"Visitor": {"script": "load.js", "exec": "visitor", "wait_s": [0.5, 0.5]}}"#,
    ),
    ("SuiteFile", "suite", "\"shop\""),
    (
        "SuiteFile",
        "tests",
        r#"{"smoke": {"about": "Five users.", "model": "closed", "users": ["Visitor"],
            "phases": [{"ramp": {"to": 5, "at_per_s": 5}}, {"steady": {"for": "30s"}}], "judge": {"checks": 1}}}"#,
    ),
];

/// Fields that a test needs besides the required ones of its type.
const OF_A_TEST: [(&str, &str); 4] = [
    ("about", "\"Five users.\""),
    ("model", "\"closed\""),
    ("users", "[\"Visitor\"]"),
    (
        "phases",
        r#"[{"ramp": {"to": 5, "at_per_s": 5}}, {"steady": {"for": "30s"}}]"#,
    ),
];
const CONTENTS: [&str; 7] = [
    "phases", "ladder", "search", "matrix", "samples", "drills", "parts",
];

/// Fields that a type needs besides the required ones, unless one of the alternatives is present.
const ONE_OF: [(&str, &str, &str, &[&str]); 3] = [
    ("MetricSign", "above", "1", &["below", "grows_by"]),
    ("Sign", "health", "[\"degraded\"]", &["metric"]),
    ("SystemFault", "crash", "\"api\"", &["patch"]),
];

/// Types of which a list needs several: the field that lists them, in the type around it.
const TOGETHER: [(&str, &str, &str); 2] = [
    ("PercentilePoint", "Latency", "points"),
    ("Bucket", "Latency", "buckets"),
];

/// The name of an entry in a map of this name.
pub fn entry(map: &str) -> &'static str {
    if let Some((_, name)) = system::ENTRIES.iter().find(|(of, _)| *of == map) {
        return name;
    }
    match map {
        "detectors" => "one",
        "tenants" => "acme",
        "classes" => "Visitor",
        "tests" => "smoke",
        "grades" => "p95_ms",
        "faults" => "crash",
        _ => "first",
    }
}

/// A file for each form of the type at the end of the steps; empty if there is nothing to show.
pub fn files(types: &Types, at: usize, steps: &[Step]) -> Vec<Value> {
    let of = &types.all[at];
    if let (Some((_, owner, field)), [above @ .., Step::Item]) =
        (TOGETHER.iter().find(|(name, ..)| *name == of.name), steps)
    {
        let list = known(owner, field).map(|list| around(types, above, list));
        return list.into_iter().collect();
    }
    let shown = match &of.body {
        Body::Struct(members) => match shown(types, of, members, false) {
            empty if empty.is_empty() => Vec::new(),
            fields => vec![Value::Object(fields)],
        },
        Body::Enum(choices) => {
            let is_word = |choice: &Choice| matches!(choice.fields, ChoiceFields::None);
            // The words are listed elsewhere; one of them shows their place.
            let most = match choices.iter().all(is_word) {
                true => 1,
                false => choices.len(),
            };
            let choices = choices.iter().take(most);
            choices.map(|choice| of_choice(types, of, choice)).collect()
        }
        Body::Value | Body::Short(_) => Vec::new(),
    };
    let shown = shown.into_iter();
    shown
        .map(|value| system::whole(around(types, steps, value)))
        .collect()
}

/// The file around a value.
fn around(types: &Types, steps: &[Step], value: Value) -> Value {
    let places = (0..steps.len()).rev();
    places.fold(value, |value, place| match &steps[place] {
        Step::Item if is_phase(steps, place) && value.get("ramp").is_none() => {
            json!([{"ramp": {"to": 5, "at_per_s": 5}}, value])
        }
        Step::Item => json!([value]),
        Step::Entry(name) => json!({ *name: value }),
        Step::Choice(name) => json!({ name: value }),
        Step::Field {
            owner,
            choice,
            field,
        } => {
            let owner = &types.all[*owner];
            let mut map = beside(types, owner, choice.as_deref(), field);
            map.insert(field.clone(), value);
            match choice {
                Some(choice) => json!({ choice: map }),
                None => Value::Object(map),
            }
        }
    })
}

/// Whether the place is a later phase of a test: a phase holds a level only after a ramp.
fn is_phase(steps: &[Step], place: usize) -> bool {
    let before = place.checked_sub(1).and_then(|before| steps.get(before));
    matches!(before, Some(Step::Field { field, .. }) if field == "phases")
}

/// The fields that a field requires beside it.
fn beside(
    types: &Types,
    owner: &Readable,
    choice: Option<&str>,
    field: &str,
) -> Map<String, Value> {
    let (members, in_choice): (&[Member], bool) = match (&owner.body, choice) {
        (Body::Struct(members), _) => (members, false),
        (Body::Enum(choices), Some(name)) => match choices.iter().find(|one| one.name == name) {
            Some(Choice {
                fields: ChoiceFields::Named(members),
                ..
            }) => (members, true),
            _ => (&[], true),
        },
        _ => (&[], false),
    };
    let mut map = Map::new();
    if is_test(owner) {
        for (name, value) in OF_A_TEST {
            let has = members.iter().any(|member| member.name == name);
            let is_other = CONTENTS.contains(&name) && CONTENTS.contains(&field);
            if has && !is_other && name != field {
                map.insert(name.to_owned(), parsed(value));
            }
        }
    }
    map.extend(one_of(owner, field));
    let is_needed = |(of, name, _): &&(&str, &str, &str)| *of == owner.name && *name == field;
    if let Some((.., needed)) = system::BESIDE.iter().find(is_needed)
        && let Value::Object(needed) = parsed(needed)
    {
        map.extend(needed);
    }
    for member in members.iter().filter(|member| member.name != field) {
        if defaults::of(types, owner, member, in_choice) == Given::Required {
            map.entry(member.name.clone())
                .or_insert_with(|| sample(types, owner, member));
        }
    }
    map
}

fn one_of(owner: &Readable, given: &str) -> impl Iterator<Item = (String, Value)> {
    let needed = ONE_OF.iter().filter(move |(of, name, _, instead)| {
        *of == owner.name && *name != given && !instead.contains(&given)
    });
    needed.map(|(_, name, value, _)| ((*name).to_owned(), parsed(value)))
}

/// Whether the type is a suite's test or a part of one. Parts of a mixture, which have a weight, do not count.
fn is_test(owner: &Readable) -> bool {
    owner.name == "Test" || (owner.name == "Part" && owner.file.contains("suite"))
}

/// The fields of a type that are shown: required ones, those with a default of one value, and those with a
/// sample.
fn shown(
    types: &Types,
    owner: &Readable,
    members: &[Member],
    in_choice: bool,
) -> Map<String, Value> {
    let mut map = match is_test(owner) {
        true => beside(types, owner, None, ""),
        false => one_of(owner, "").collect(),
    };
    for member in members {
        let value = match defaults::of(types, owner, member, in_choice) {
            Given::Required => Some(sample(types, owner, member)),
            Given::Value(value) if !is_empty(&value) => Some(value),
            _ => own_sample(owner, &member.name),
        };
        if let Some(value) = value {
            map.entry(member.name.clone()).or_insert(value);
        }
    }
    map
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn of_choice(types: &Types, owner: &Readable, choice: &Choice) -> Value {
    let inner = match &choice.fields {
        ChoiceFields::None => return json!(choice.name),
        ChoiceFields::One(of) => {
            // If the choice holds a separate type, its name does not determine the fields.
            let name = match types.find(owner, of) {
                Some(_) => "",
                None => &choice.name,
            };
            by_type(types, owner, name, of)
        }
        ChoiceFields::Named(members) => Value::Object(shown(types, owner, members, true)),
    };
    match owner.serde.untagged {
        true => inner,
        false => json!({ &choice.name: inner }),
    }
}

fn sample(types: &Types, owner: &Readable, member: &Member) -> Value {
    own_sample(owner, &member.name)
        .unwrap_or_else(|| by_type(types, owner, &member.name, &member.of))
}

fn own_sample(owner: &Readable, field: &str) -> Option<Value> {
    known(&owner.name, field)
}

/// The sample of a field of a type.
fn known(owner: &str, field: &str) -> Option<Value> {
    let all = SAMPLES.iter().chain(system::SAMPLES);
    let mut here = all.filter(|(of, name, _)| *of == owner && *name == field);
    here.next().map(|(.., value)| parsed(value))
}

fn by_type(types: &Types, owner: &Readable, name: &str, of: &Type) -> Value {
    let general = SAMPLES
        .iter()
        .find(|(of, field, _)| *of == "*" && *field == name);
    if let Some((_, _, value)) = general {
        return parsed(value);
    }
    match shape(of) {
        Shape::Option(inner) | Shape::Box(inner) => by_type(types, owner, name, inner),
        Shape::List(inner) => json!([by_type(types, owner, "", inner)]),
        Shape::Map(inner) => json!({ entry(name): by_type(types, owner, "", inner) }),
        Shape::Plain(of_name) => match types.find(owner, of) {
            Some(at) => of_own_type(types, &types.all[at]),
            None => of_plain(name, &of_name),
        },
    }
}

/// The required fields of a type, and nothing else.
fn of_own_type(types: &Types, of: &Readable) -> Value {
    match &of.body {
        Body::Struct(members) => {
            let mut map = beside(types, of, None, "");
            for member in members {
                if let Some(value) = own_sample(of, &member.name) {
                    map.insert(member.name.clone(), value);
                }
            }
            Value::Object(map)
        }
        Body::Enum(choices) => choices
            .first()
            .map_or(Value::Null, |first| of_choice(types, of, first)),
        Body::Short(_) => own_sample(of, "").unwrap_or_else(|| json!("text")),
        Body::Value => json!("text"),
    }
}

fn of_plain(name: &str, of: &str) -> Value {
    match of {
        "bool" => json!(true),
        "String" if ["default", "all", ""].contains(&name) => json!("smoke"),
        "String" => json!("text"),
        "PathBuf" => json!("load.js"),
        "Span" => json!("30s"),
        "Value" => json!({}),
        "f64" if name.contains("rate") && !name.ends_with("_per_s") => json!(0.5),
        "f64" if name.ends_with("fraction") => json!(0.5),
        _ if name == "port" => json!(9001),
        _ if name == "status" => json!(503),
        _ if name.ends_with("_ms") || name == "ms" => json!(100),
        "f64" => json!(1.5),
        _ => json!(4),
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("samples are JSON")
}
