//! Random documents and patches: errors, and never a panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use target_systems::{System, systems};

/// JSON with the keywords of documents, so that it passes the first check.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "system",
        "edge",
        "hosts",
        "components",
        "endpoints",
        "pools",
        "stores",
        "toggles",
        "mixes",
        "timeline",
        "metrics",
        "flow",
        "visit",
        "at",
        "hold",
        "using",
        "pool",
        "do",
        "either",
        "share",
        "when",
        "value",
        "is",
        "each",
        "in",
        "state",
        "create",
        "cached",
        "publish",
        "to",
        "kind",
        "service",
        "cache",
        "bus",
        "operations",
        "run",
        "a",
        "route",
        "GET /a",
        "a.run",
        "on",
        "off",
        "body.x",
        "len(body.x)",
        "rows(a)",
        "set",
        "at_ms",
        "per",
        "of",
        "factor",
        "by",
        "host",
        "parallel",
        "branches",
        "later",
        "fail",
        "status",
        "answer",
        "examples",
        "$x",
        "cpu_ms",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_documents_give_errors_and_never_panic(value in any_json()) {
        if let Err(invalid) = System::new(value) {
            prop_assert!(!invalid.errors.is_empty());
        }
    }

    #[test]
    fn random_patches_of_a_shipped_system_give_errors_and_never_panic(
        patch in any_json(),
        which in 0usize..5,
    ) {
        let (_, text) = systems::ALL[which];
        let system = System::read(text).expect("shipped");
        let nested = json!({ "components": patch.clone(), "endpoints": patch.clone() });
        for patch in [patch, nested] {
            if let Err(invalid) = system.patched(&patch) {
                prop_assert!(!invalid.errors.is_empty());
            }
        }
    }

    #[test]
    fn random_texts_give_errors_and_never_panic(text in "[a-z:{}\\[\\], \\n&*!|>'\"-]{0,200}") {
        if let Err(invalid) = System::read(&text) {
            prop_assert!(!invalid.errors.is_empty());
        }
    }
}
