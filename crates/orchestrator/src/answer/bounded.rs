//! Bounds of an answer's size, since each detector may return thousands of labels.

use std::collections::HashSet;

use detector_api::orchestrate::AggregatedPayload;

/// The maximum size of the aggregated payload as JSON, in bytes.
const PAYLOAD_BYTES: usize = 64 * 1024;
/// The maximum number of reasons of a verdict; those that are left out are counted.
const REASONS: usize = 200;
/// The maximum number of JSON bytes per byte of text, as in `\u0001`.
const ESCAPED: usize = 6;
/// Braces, field names and numbers around a label or a detector.
const AROUND: usize = 160;

/// Shortens a payload to the bound. The strongest labels are kept; the verdict was made from all of them.
pub fn bounded(mut payload: AggregatedPayload) -> AggregatedPayload {
    while !fits(&payload) {
        payload.metadata.truncated = true;
        let labels: Vec<&str> = payload.output.split('|').collect();
        let kept = labels.len() / 2;
        if kept > 0 {
            let stay: HashSet<&str> = labels[..kept].iter().copied().collect();
            let scores = &mut payload.metadata.normalized_scores;
            scores.retain(|label, _| stay.contains(label.as_str()));
            payload.output = labels[..kept].join("|").into();
        } else {
            payload.metadata.normalized_scores.clear();
        }
        let half = |count: usize| count.div_ceil(2);
        let metadata = &mut payload.metadata;
        metadata
            .contributing_detectors
            .truncate(half(metadata.contributing_detectors.len()));
        metadata
            .provenance
            .truncate(half(metadata.provenance.len()));
    }
    payload
}

/// Whether it is short enough. Nearly all are, and this check only adds up lengths.
fn fits(payload: &AggregatedPayload) -> bool {
    let metadata = &payload.metadata;
    let scores = metadata.normalized_scores.keys();
    let provenance = metadata.provenance.iter();
    let texts = payload.output.len()
        + payload.tenant_id.len()
        + scores.map(String::len).sum::<usize>()
        + metadata
            .contributing_detectors
            .iter()
            .map(|name| name.len())
            .sum::<usize>()
        + provenance
            .map(|it| it.detector.len() + it.output.len())
            .sum::<usize>();
    let parts = metadata.normalized_scores.len() + 2 * metadata.provenance.len() + 4;
    if texts * ESCAPED + parts * AROUND <= PAYLOAD_BYTES {
        return true;
    }
    serde_json::to_vec(payload).is_ok_and(|json| json.len() <= PAYLOAD_BYTES)
}

/// Limits the reasons to a readable number; the first ones are the most important. `more` are left out already.
pub fn readable(mut reasons: Vec<String>, more: usize) -> Vec<String> {
    let left_out = reasons.len().saturating_sub(REASONS) + more;
    reasons.truncate(REASONS);
    if left_out > 0 {
        reasons.push(format!("and {left_out} more"));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use detector_api::orchestrate::{ConflictMethod, PayloadMetadata, Provenance};

    fn check(labels: usize, label: &str, detectors: usize, truncated: bool) {
        let all: Vec<String> = (0..labels).map(|n| format!("{n:05}{label}")).collect();
        let names: Vec<Arc<str>> = (0..detectors)
            .map(|n| format!("{n:05}{label}").into())
            .collect();
        let provenance = names.iter().map(|name| Provenance {
            detector: name.clone(),
            output: all.first().cloned().unwrap_or_default().into(),
            confidence: 1.0 / 3.0,
            weight: 1.0 / 3.0,
        });
        let payload = bounded(AggregatedPayload {
            detector: "orchestrated-multi".into(),
            output: all.join("|").into(),
            tenant_id: "t".to_owned(),
            metadata: PayloadMetadata {
                provenance: provenance.collect(),
                contributing_detectors: names,
                normalized_scores: all.iter().map(|it| (it.clone(), 1.0 / 3.0)).collect(),
                conflict_resolution_applied: true,
                aggregation_method: ConflictMethod::MostRestrictive,
                coverage_achieved: 1.0,
                truncated: false,
            },
        });
        let length = serde_json::to_vec(&payload).expect("JSON").len();
        assert!(length <= PAYLOAD_BYTES, "{labels} {detectors}: {length}");
        assert_eq!(
            payload.metadata.truncated, truncated,
            "{labels} {detectors}"
        );
        let kept: Vec<&str> = payload
            .output
            .split('|')
            .filter(|it| !it.is_empty())
            .collect();
        assert_eq!(kept, all[..kept.len()], "the strongest come first");
        if payload.metadata.normalized_scores.len() != kept.len() {
            assert!(payload.metadata.normalized_scores.is_empty());
        }
    }

    #[test]
    fn a_payload_has_at_most_64_kib_whatever_detectors_return() {
        check(0, "", 0, false);
        check(3, "x", 5, false);
        check(300, "label", 20, false);
        check(10_000, &"x".repeat(120), 5, true);
        check(10_000, &"\u{1}".repeat(120), 5, true);
        check(5, "x", 1_000, true);
        check(10_000, "x", 1_000, true);
    }

    #[test]
    fn the_number_of_reasons_is_bounded() {
        let reasons: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let kept = readable(reasons.clone(), 0);
        assert_eq!((kept.len(), kept[200].as_str()), (201, "and 800 more"));
        assert_eq!(readable(reasons[..200].to_vec(), 0).len(), 200);
        let kept = readable(reasons[..300].to_vec(), 7);
        assert_eq!((kept.len(), kept[200].as_str()), (201, "and 107 more"));
    }
}
