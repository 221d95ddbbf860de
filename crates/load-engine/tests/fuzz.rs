//! Options, segments and thresholds of any content: refused or taken, never a panic and never a hang.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p load-engine --test fuzz` is the long form.

use load_engine::options::{derive, json, validate};
use load_engine::plan;
use load_engine::segment::Segment;
use load_metrics::threshold::{Expression, parse_aggregation, parse_selector};
use proptest::prelude::*;
use serde_json::{Map, Value};

const KEYS: [&str; 40] = [
    "vus",
    "duration",
    "iterations",
    "stages",
    "scenarios",
    "target",
    "executor",
    "startVUs",
    "rate",
    "timeUnit",
    "preAllocatedVUs",
    "maxVUs",
    "maxDuration",
    "gracefulStop",
    "startTime",
    "startRate",
    "gracefulRampDown",
    "exec",
    "env",
    "tags",
    "thresholds",
    "hosts",
    "dns",
    "ttl",
    "select",
    "policy",
    "tlsVersion",
    "min",
    "max",
    "tlsAuth",
    "systemTags",
    "summaryTrendStats",
    "blacklistIPs",
    "blockHostnames",
    "executionSegment",
    "executionSegmentSequence",
    "threshold",
    "abortOnFail",
    "delayAbortEval",
    "setupTimeout",
];

const WORDS: [&str; 22] = [
    "constant-vus",
    "ramping-vus",
    "shared-iterations",
    "per-vu-iterations",
    "constant-arrival-rate",
    "ramping-arrival-rate",
    "externally-controlled",
    "default",
    "1s",
    "1m30s",
    "-5s",
    "1d",
    "p(95)<3",
    "rate>0.5",
    "count==1",
    "10.0.0.0/8",
    "*.example.com",
    "tls1.2",
    "1/3:2/3",
    "0,1/3,2/3,1",
    "",
    "\u{1F980}",
];

fn leaf() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
    .boxed()
}

/// Objects whose keys are mostly those of options, so that the deep places are reached.
fn options() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 6, |inner| {
        let key = prop_oneof![
            9 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
            1 => "[a-z]{1,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|pairs| { Value::from(pairs.into_iter().collect::<Map<_, _>>()) }),
        ]
        .boxed()
    })
}

/// Scenarios that are nearly right.
fn scenarios() -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(&KEYS[..]), leaf());
    let executor = prop::sample::select(&WORDS[..7]);
    let one = (executor, prop::collection::vec(field, 0..8)).prop_map(|(executor, fields)| {
        let mut map: Map<String, Value> = fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        map.insert("executor".to_owned(), executor.into());
        Value::from(map)
    });
    prop::collection::vec(("[a-z]{1,3}", one), 0..4).prop_map(|all| {
        let all: Map<String, Value> = all.into_iter().collect();
        Value::from(Map::from_iter([("scenarios".to_owned(), Value::from(all))]))
    })
}

fn digest(value: &Value) {
    let Ok(read) = json::read(value) else { return };
    let mut options = read.options;
    let _ = options.to_json();
    if derive::scenarios(&mut options).is_err() {
        return;
    }
    if validate::scenarios(&options, |name| name == "default").is_err() {
        return;
    }
    let needs = plan::needs(options.scenarios(), &Segment::full());
    assert!(needs.planned_vus <= needs.most_vus);
    for scenario in options.scenarios() {
        let _ = derive::describe(scenario, 1.0, |count| count);
    }
}

proptest! {
    #[test]
    fn options_of_any_shape_are_refused_or_planned(value in options()) {
        digest(&value);
    }

    #[test]
    fn scenarios_that_are_nearly_right_are_refused_or_planned(value in scenarios()) {
        digest(&value);
    }

    #[test]
    fn segments_of_any_text_are_refused_or_share(
        segment in "[0-9]{0,4}[./%]{0,1}[0-9]{0,12}:{0,1}[0-9]{0,3}[./]{0,1}[0-9]{0,12}%{0,1}",
        sequence in "([0-9]{0,2}[./]{0,1}[0-9]{0,10},){0,5}1{0,1}",
    ) {
        for sequence in [None, Some(sequence.as_str())] {
            if let Ok(segment) = Segment::parse(Some(&segment), sequence) {
                prop_assert!(segment.stripe().scale(1000) <= 1000);
                prop_assert!(segment.stripe_by_vus(7).scale(50) <= 50);
            }
        }
    }

    #[test]
    fn threshold_expressions_of_any_text_are_refused_or_read(
        text in "(p\\(|avg|count|rate|value|med|min|max|.){0,3}[()0-9. ]{0,8}[<>=!]{0,3}[ 0-9.eE+-]{0,9}.{0,4}",
        any in ".{0,40}",
    ) {
        for text in [&text, &any] {
            let _ = Expression::parse(text);
            let _ = parse_aggregation(text);
            let _ = parse_selector(text);
        }
    }

    #[test]
    fn selectors_of_any_text_are_refused_or_read(text in "[a-z_]{0,8}[{}:,\"' a-z$]{0,30}") {
        let _ = parse_selector(&text);
    }
}
