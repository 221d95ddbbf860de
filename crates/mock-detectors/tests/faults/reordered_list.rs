use serde_json::{Value, json};

use crate::probe::Probe;

#[tokio::test]
async fn a_reordered_list_has_all_entries_in_other_places() {
    let probe = Probe::failing(json!({"reordered_list": {}})).await;
    let reordered = probe.detect_batch().await.json();
    probe.patch(json!({"success_rate": 1}));
    let right = probe.detect_batch().await.json();
    let outputs = |answer: &Value| -> Vec<String> {
        let results = answer["results"].as_array().expect("a list");
        results
            .iter()
            .map(|result| result["output"].to_string())
            .collect()
    };
    let (mut right, mut reordered) = (outputs(&right), outputs(&reordered));
    assert!(
        right.iter().zip(&reordered).all(|(a, b)| a != b),
        "{right:?} {reordered:?}"
    );
    right.sort();
    reordered.sort();
    assert_eq!(right, reordered);
    probe.stop().await;
}
