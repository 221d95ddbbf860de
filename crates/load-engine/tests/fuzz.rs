//! Options, segments and thresholds with random content are rejected or accepted, without a panic or a hang.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p load-engine --test fuzz` is the long form.

use load_engine::options::{derive, json, validate};
use load_engine::plan;
use load_engine::segment::Segment;
use load_metrics::threshold::{Expression, parse_aggregation, parse_selector};
use proptest::prelude::*;
use serde_json::{Map, Value};

const KEYS: [&str; 44] = [
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
    "rps",
    "batch",
    "tlsCipherSuites",
    "summaryTimeUnit",
];

const WORDS: [&str; 24] = [
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
    "inf",
    "9999999999h",
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
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
    .boxed()
}

/// Objects whose keys are mostly those of options, so that deep code is reached.
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

/// Scenarios that are nearly valid.
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

/// Texts that look like thresholds: pieces of thresholds in any order.
fn pieces_of_expressions() -> impl Strategy<Value = String> {
    let pieces = [
        "p(",
        "95",
        ")",
        "avg",
        "rate",
        "count",
        "<",
        ">=",
        "===",
        " ",
        "0.1",
        "1e9",
        "-",
        "{",
        "}",
        "a:b",
        ",",
        "\"",
        "http_reqs",
        "\u{e4}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..10)
        .prop_map(|pieces| pieces.concat())
}

/// A whole sequence: its points in one of the notations.
fn sequence() -> impl Strategy<Value = Vec<String>> {
    let cuts = prop::collection::btree_set(1..60_u32, 0..5);
    (cuts, 0..3_u8).prop_map(|(cuts, form)| {
        let write = |cut: u32| match form {
            0 => format!("{cut}/60"),
            1 => format!("{}", f64::from(cut) / 100.0),
            _ => format!("{cut}%"),
        };
        let inner = cuts.into_iter().map(write);
        std::iter::once("0".to_owned())
            .chain(inner)
            .chain(std::iter::once("1".to_owned()))
            .collect()
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
    fn nearly_valid_scenarios_are_refused_or_planned(value in scenarios()) {
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
    fn the_segments_of_a_sequence_cover_the_whole(
        points in sequence(),
        count in 0..2000_u64,
        vus in 0..80_u64,
    ) {
        let text = points.join(",");
        let mut all = Vec::new();
        let (mut by_vus, mut shares) = (0, 0.0);
        for pair in points.windows(2) {
            let piece = format!("{}:{}", pair[0], pair[1]);
            let segment = Segment::parse(Some(&piece), Some(&text)).expect("a part of it");
            let stripe = segment.stripe();
            let mine = stripe.scale(count);
            // The numbers below `count`, and no others.
            all.extend((0..mine).filter_map(|n| stripe.nth(n)));
            prop_assert!(stripe.nth(mine).is_none_or(|next| next >= count));
            by_vus += segment.stripe_by_vus(vus).scale(count);
            shares += segment.share();
        }
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..count));
        prop_assert_eq!(by_vus, count);
        prop_assert!((shares - 1.0_f64).abs() < 1e-9);
    }

    #[test]
    fn threshold_expressions_of_any_text_are_refused_or_read(
        text in "(p\\(|avg|count|rate|value|med|min|max|.){0,3}[()0-9. ]{0,8}[<>=!]{0,3}[ 0-9.eE+-]{0,9}.{0,4}",
        pieces in pieces_of_expressions(),
        any in ".{0,40}",
    ) {
        for text in [&text, &pieces, &any] {
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
