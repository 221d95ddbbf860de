//! Brings disagreeing detectors to one output. The same inputs give the same output: ties break by
//! weight, then by name.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use detector_api::orchestrate::ConflictMethod;

use crate::answer::{Answer, CLEAN};

/// What one detector said.
#[derive(Debug, Clone, Copy)]
pub struct Vote<'a> {
    pub detector: &'a Arc<str>,
    pub weight: f64,
    pub answer: &'a Answer,
}

/// The common output.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Labels, strongest first; empty: clean.
    pub labels: Vec<String>,
    /// Score of every label that anybody found, whatever the method made of it: the weighted mean
    /// of those who found it, for `most_restrictive` the highest.
    pub scores: BTreeMap<String, f64>,
    /// Labels that the method dropped.
    pub outvoted: Vec<String>,
    /// Whether there was anything to resolve.
    pub disagreed: bool,
}

/// A mean below this does not make it into the output of `weighted_average`.
pub const ENOUGH: f64 = 0.5;

pub fn resolve(method: ConflictMethod, votes: &[Vote<'_>], preference: &[String]) -> Resolved {
    let scores = match method {
        ConflictMethod::MostRestrictive => highest_scores(votes),
        _ => weighted_scores(votes),
    };
    let labels = match method {
        ConflictMethod::HighestConfidence => {
            let best = votes.iter().max_by(|a, b| {
                a.answer
                    .confidence
                    .total_cmp(&b.answer.confidence)
                    .then_with(|| standing(a, b))
            });
            best.map(|vote| labels_of(vote.answer)).unwrap_or_default()
        }
        ConflictMethod::MajorityVote => majority(votes),
        ConflictMethod::WeightedAverage => scores
            .iter()
            .filter(|(_, score)| **score >= ENOUGH)
            .map(|(it, _)| it.clone())
            .collect(),
        ConflictMethod::MostRestrictive => scores.keys().cloned().collect(),
        ConflictMethod::TenantPreference => {
            let preferred = preference
                .iter()
                .find_map(|name| votes.iter().find(|it| **it.detector == **name));
            match preferred {
                Some(vote) => labels_of(vote.answer),
                None => return resolve(ConflictMethod::WeightedAverage, votes, &[]),
            }
        }
    };
    finish(labels, scores, votes)
}

fn finish(mut labels: Vec<String>, scores: BTreeMap<String, f64>, votes: &[Vote<'_>]) -> Resolved {
    let score = |label: &String| scores.get(label).copied().unwrap_or(0.0);
    labels.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| a.cmp(b)));
    labels.dedup();
    let outvoted = scores
        .keys()
        .filter(|label| !labels.contains(label))
        .cloned()
        .collect();
    let disagreed = votes
        .windows(2)
        .any(|pair| pair[0].answer.output != pair[1].answer.output);
    Resolved {
        labels,
        scores,
        outvoted,
        disagreed,
    }
}

/// Who wins a tie: the heavier one, then the name that comes first.
fn standing(a: &Vote<'_>, b: &Vote<'_>) -> Ordering {
    a.weight
        .total_cmp(&b.weight)
        .then_with(|| b.detector.cmp(a.detector))
}

/// Each label's mean over those who found it: who looks for something else has no say in it.
fn weighted_scores(votes: &[Vote<'_>]) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for vote in votes {
        for (label, score) in strongest(vote.answer) {
            let sum = sums.entry(label).or_default();
            sum.0 += vote.weight * score;
            sum.1 += vote.weight;
        }
    }
    let mean = |(sum, weight): (f64, f64)| if weight > 0.0 { sum / weight } else { 0.0 };
    sums.into_iter()
        .map(|(label, sum)| (label.to_owned(), mean(sum).clamp(0.0, 1.0)))
        .collect()
}

fn highest_scores(votes: &[Vote<'_>]) -> BTreeMap<String, f64> {
    let mut scores: BTreeMap<String, f64> = BTreeMap::new();
    for (label, score) in votes.iter().flat_map(|vote| strongest(vote.answer)) {
        let highest = scores.entry(label.to_owned()).or_default();
        *highest = highest.max(score);
    }
    scores
}

pub fn strongest(answer: &Answer) -> BTreeMap<&str, f64> {
    let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
    for finding in &answer.findings {
        let score = scores.entry(&finding.label).or_default();
        *score = score.max(finding.score);
    }
    scores
}

fn labels_of(answer: &Answer) -> Vec<String> {
    strongest(answer).into_keys().map(str::to_owned).collect()
}

/// Everybody votes for their own output; weight, then name, break ties.
fn majority(votes: &[Vote<'_>]) -> Vec<String> {
    let mut tally: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for vote in votes {
        let entry = tally.entry(&vote.answer.output).or_default();
        entry.0 += 1;
        entry.1 += vote.weight;
    }
    let winner = tally.into_iter().max_by(|(a, one), (b, other)| {
        one.0
            .cmp(&other.0)
            .then(one.1.total_cmp(&other.1))
            .then_with(|| b.cmp(a))
    });
    match winner {
        Some((label, _)) if label != CLEAN => vec![label.to_owned()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Finding;

    fn answer(confidence: f64, found: &[(&str, f64)]) -> Answer {
        let findings = found.iter().map(|(label, score)| Finding {
            start: 0,
            end: 1,
            label: (*label).to_owned(),
            category: "test".to_owned(),
            score: *score,
        });
        let best = found.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        Answer {
            output: best.map_or(CLEAN, |(label, _)| *label).to_owned().into(),
            confidence,
            findings: findings.collect(),
        }
    }

    /// Three detectors: `a` (weight 1) clean 0.9, `b` (weight 1) pii 0.8, `c` (weight 2) pii 0.4
    /// and toxic 0.3.
    fn check(method: ConflictMethod, preference: &[&str], labels: &[&str], outvoted: &[&str]) {
        let answers = [
            answer(0.9, &[]),
            answer(0.8, &[("pii", 0.8)]),
            answer(0.4, &[("pii", 0.4), ("toxic", 0.3)]),
        ];
        let names: [Arc<str>; 3] = ["a", "b", "c"].map(Into::into);
        let mut votes: Vec<Vote<'_>> = names
            .iter()
            .zip([1.0, 1.0, 2.0])
            .zip(&answers)
            .map(|((detector, weight), answer)| Vote {
                detector,
                weight,
                answer,
            })
            .collect();
        let preference: Vec<String> = preference.iter().map(ToString::to_string).collect();
        let found = resolve(method, &votes, &preference);
        assert_eq!(found.labels, labels, "{method:?}");
        assert_eq!(found.outvoted, outvoted, "{method:?}");
        assert!(found.disagreed);
        let restrictive = method == ConflictMethod::MostRestrictive;
        let pii = if restrictive { 0.8 } else { 1.6 / 3.0 };
        assert!((found.scores["pii"] - pii).abs() < 1e-9);
        votes.reverse();
        assert_eq!(
            resolve(method, &votes, &preference),
            found,
            "order matters in {method:?}"
        );
    }

    #[test]
    fn each_method_decides_as_its_name_says() {
        check(
            ConflictMethod::HighestConfidence,
            &[],
            &[],
            &["pii", "toxic"],
        );
        check(ConflictMethod::MajorityVote, &[], &["pii"], &["toxic"]);
        check(ConflictMethod::WeightedAverage, &[], &["pii"], &["toxic"]);
        check(ConflictMethod::MostRestrictive, &[], &["pii", "toxic"], &[]);
        check(
            ConflictMethod::TenantPreference,
            &["x", "b"],
            &["pii"],
            &["toxic"],
        );
        check(
            ConflictMethod::TenantPreference,
            &["x"],
            &["pii"],
            &["toxic"],
        );
    }

    #[test]
    fn nobody_says_nothing() {
        let found = resolve(ConflictMethod::WeightedAverage, &[], &[]);
        assert_eq!((found.labels.len(), found.disagreed), (0, false));
    }
}
