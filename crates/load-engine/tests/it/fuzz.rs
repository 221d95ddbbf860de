//! Random options and threshold expressions: whatever comes in, an answer comes out.
//!
//! `FUZZ_CASES` sets how many cases each test runs; few unless it asks for more.

use load_engine::options::{derive, json};
use load_metrics::threshold::{Expression, parse_selector};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn cases() -> ProptestConfig {
    let wanted = std::env::var("FUZZ_CASES").ok();
    ProptestConfig::with_cases(wanted.and_then(|text| text.parse().ok()).unwrap_or(256))
}

const KEYS: [&str; 26] = [
    "vus",
    "duration",
    "iterations",
    "stages",
    "scenarios",
    "rps",
    "dns",
    "batch",
    "hosts",
    "thresholds",
    "tags",
    "systemTags",
    "tlsVersion",
    "tlsAuth",
    "tlsCipherSuites",
    "blacklistIPs",
    "blockHostnames",
    "executionSegment",
    "executionSegmentSequence",
    "summaryTrendStats",
    "setupTimeout",
    "executor",
    "startTime",
    "gracefulStop",
    "target",
    "preAllocatedVUs",
];

fn leaf() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just("10s"),
        Just("-1ms"),
        Just("9999999999h"),
        Just("1/3:2/3"),
        Just("ramping-vus"),
        Just("constant-arrival-rate"),
        Just("per-vu-iterations"),
        Just("p(95)<200"),
        Just("inf"),
        Just("tls1.2"),
        Just("10.0.0.0/8"),
        Just(""),
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn options() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        proptest::sample::select(&KEYS[..]).prop_map(str::to_owned),
        "[a-z_:(){}]{0,12}",
    ];
    leaf().prop_recursive(4, 40, 6, move |inner| {
        let map = proptest::collection::vec((key.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            map.prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn expression() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("p("),
        Just("95"),
        Just(")"),
        Just("avg"),
        Just("rate"),
        Just("count"),
        Just("<"),
        Just(">="),
        Just("==="),
        Just(" "),
        Just("0.1"),
        Just("1e9"),
        Just("-"),
        Just("{"),
        Just("}"),
        Just("a:b"),
        Just(","),
        Just("\""),
        Just("http_reqs"),
        Just("ä"),
    ];
    let made = proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat());
    prop_oneof![made, any::<String>()]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_options_make_it_panic(value in options()) {
        if let Ok(read) = json::read(&value) {
            let mut options = read.options;
            let _ = derive::scenarios(&mut options);
        }
    }

    #[test]
    fn no_threshold_makes_it_panic(text in expression()) {
        let _ = Expression::parse(&text);
        let _ = parse_selector(&text);
    }
}
