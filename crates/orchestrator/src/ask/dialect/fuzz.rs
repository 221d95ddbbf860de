//! Reading any reply of a detector ends, and an accepted answer is sound. `FUZZ_CASES` sets the number of
//! generated replies, `FUZZ_SEED` the seed.

use serde_json::{Value, json};

use super::Dialect;
use crate::answer::attested::{AttestedAnswer, is_label, is_share};
use crate::mutate::{Mutator, cases, seed};

/// Characters of one to four bytes, and two that display as one.
const CONTENT: &str = "größe a@b.c \u{1F600} e\u{301} \u{FFFD}";

fn native() -> Vec<Value> {
    let found = |start: usize, end: usize, text: &str| {
        json!({
            "start": start, "end": end, "text": text, "label": "email", "category": "pii",
            "score": 0.9,
        })
    };
    let whole = |output: &str, detections: Vec<Value>| {
        json!({
            "request_id": "r1", "detector": "d", "output": output, "confidence": 0.9,
            "detections": detections, "processing_time_ms": 1,
        })
    };
    let two = vec![found(6, 11, "a@b.c"), found(12, 13, "\u{1F600}")];
    vec![
        whole("clean", vec![]),
        whole("email", vec![found(6, 11, "a@b.c")]),
        whole("email", two),
    ]
}

fn fms() -> Vec<Value> {
    let found = json!({
        "start": 6, "end": 11, "text": "a@b.c", "detection": "email", "detection_type": "pii",
        "score": 0.9,
    });
    vec![json!([[]]), json!([[found]]), json!([[found, found]])]
}

fn assert_sound(answer: &AttestedAnswer) {
    assert!(is_share(answer.confidence) && is_label(&answer.output));
    let count = CONTENT.chars().count();
    for found in &answer.findings {
        assert!(found.start <= found.end && found.end <= count);
        assert!(is_share(found.score) && is_label(&found.label) && is_label(&found.category));
    }
    assert_eq!(answer.output == "clean", answer.findings.is_empty());
}

#[test]
fn no_reply_crashes_the_reader_and_no_unsound_answer_is_accepted() {
    let mut mutator = Mutator::new(seed());
    let good = [(Dialect::Native, native()), (Dialect::Fms, fms())];
    let (mut believed, mut refused) = (0, 0);
    for case in 0..cases(4_000) {
        let (dialect, good) = &good[case % 2];
        let reply = mutator.mutate(good);
        match dialect.read(&reply, "r1", CONTENT) {
            Ok(answer) => {
                let read = || assert_sound(&answer);
                let sound = std::panic::catch_unwind(read);
                assert!(
                    sound.is_ok(),
                    "{answer:?} of {}",
                    String::from_utf8_lossy(&reply)
                );
                believed += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        believed > 0 && refused > believed / 10,
        "{believed} {refused}"
    );
}
