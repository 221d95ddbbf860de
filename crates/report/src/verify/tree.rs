//! Compares every number of a report with the recomputed one.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Verified;
use crate::record::RunRecord;

/// Observations of a run: their numbers are compared with the stored ones, and have no other source.
const OBSERVED: [&str; 15] = [
    "schema",
    "duration_s",
    "time_scale",
    "seed",
    "generator.",
    "].asked[",
    "].observed.",
    "].k6_summary.",
    "].locust_result.",
    "].cell.",
    "].analysis.truth.",
    "].analysis.search.",
    "].analysis.fault_probes.",
    "].analysis.prometheus.",
    "].analysis.drill.",
];
/// Maximum number of differences that are listed individually.
const NAMED: usize = 200;

/// Compares the JSON of `report.json` with that of the record computed from the run's evidence.
pub fn compare(recorded: &Value, again: &Value, verified: &mut Verified) {
    let mut walk = Walk {
        verified,
        differing: 0,
    };
    walk.values("", Some(recorded), Some(again));
    let rest = walk.differing.saturating_sub(NAMED);
    if rest > 0 {
        let remark = format!("{rest} more values differ.");
        verified.remarks.push(remark);
    }
}

/// Checks the checksums of the files from which a run's numbers are computed.
pub fn sums(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>, verified: &mut Verified) {
    for (name, recorded) in &run.evidence {
        // The name begins with the folder `evidence`.
        let path = name.clone();
        let found = file(name).map(|bytes| {
            let digest = Sha256::digest(bytes);
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        });
        verified.holds(&path, found.as_ref() == Some(recorded), || match &found {
            Some(_) => "differs from the file that the run wrote".to_owned(),
            None => "is missing".to_owned(),
        });
    }
}

struct Walk<'a> {
    verified: &'a mut Verified,
    differing: usize,
}

impl Walk<'_> {
    fn values(&mut self, path: &str, recorded: Option<&Value>, again: Option<&Value>) {
        // The evidence cannot contain its own checksums.
        if path == "evidence" {
            return;
        }
        match (recorded, again) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                let added = one.keys().filter(|key| !other.contains_key(*key));
                for key in other.keys().chain(added) {
                    let path = match path {
                        "" => key.clone(),
                        path => format!("{path}.{key}"),
                    };
                    self.values(&path, one.get(key), other.get(key));
                }
            }
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                for place in 0..one.len().max(other.len()) {
                    let path = format!("{path}[{place}]");
                    self.values(&path, one.get(place), other.get(place));
                }
            }
            (one, other) => self.leaf(path, one, other),
        }
    }

    fn leaf(&mut self, path: &str, recorded: Option<&Value>, again: Option<&Value>) {
        let is_number = recorded.into_iter().chain(again).any(Value::is_number);
        if is_number {
            let counted = match is_observed(path) {
                true => &mut self.verified.observed,
                false => &mut self.verified.computed,
            };
            *counted += 1;
        }
        let fits = recorded == again;
        self.differing += usize::from(!fits);
        if fits || self.differing <= NAMED {
            self.verified.holds(path, fits, || {
                format!(
                    "is {}, but {} in the evidence",
                    shown(recorded),
                    shown(again)
                )
            });
        }
    }
}

fn is_observed(path: &str) -> bool {
    OBSERVED.iter().any(|of| match of.strip_prefix(']') {
        Some(_) => path.contains(of),
        None => path.starts_with(of),
    })
}

/// A value for messages; long ones are shortened.
fn shown(value: Option<&Value>) -> String {
    const MOST: usize = 80;
    let Some(value) = value else {
        return "not there".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(recorded: &Value, again: &Value) -> Verified {
        let mut verified = Verified::default();
        compare(recorded, again, &mut verified);
        verified
    }

    #[test]
    fn every_difference_is_named_by_its_path_with_both_values() {
        let again = json!({
            "duration_s": 5.0,
            "tests": [{ "figures": { "p99.9": 7.5, "requests": 3 }, "reasons": ["a"] }],
        });
        let verified = compared(&again, &again);
        assert!(verified.is_sound());
        assert_eq!((verified.computed, verified.observed), (2, 1));
        let check = |edited: Value, path: &str, text: &str| {
            let verified = compared(&edited, &again);
            let [fault] = verified.errors.as_slice() else {
                panic!("{:?}", verified.errors)
            };
            assert_eq!((fault.path.as_str(), fault.text.as_str()), (path, text));
        };
        let mut edited = again.clone();
        edited["tests"][0]["figures"]["p99.9"] = json!(7.500_000_1);
        check(
            edited,
            "tests[0].figures.p99.9",
            "is 7.5000001, but 7.5 in the evidence",
        );
        let mut edited = again.clone();
        edited["tests"][0]["reasons"] = json!(["a", 4]);
        check(
            edited,
            "tests[0].reasons[1]",
            "is 4, but not there in the evidence",
        );
        let mut edited = again.clone();
        edited["duration_s"] = json!(null);
        check(edited, "duration_s", "is null, but 5.0 in the evidence");
        let mut edited = again.clone();
        edited["more"] = json!({ "a": 1 });
        check(
            edited,
            "more",
            "is {\"a\":1}, but not there in the evidence",
        );
    }

    #[test]
    fn more_than_a_screen_of_differences_is_counted() {
        let many = |value: u32| json!({ "tests": vec![value; 500] });
        let verified = compared(&many(1), &many(2));
        assert_eq!(verified.errors.len(), NAMED);
        assert_eq!(verified.remarks, ["300 more values differ."]);
    }
}
