//! Resolves disagreement between detectors to one output. It is deterministic: ties are broken by weight, then
//! by name.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use detector_api::orchestrate::ConflictMethod;
use foldhash::fast::RandomState;

use crate::answer::attested::{AttestedAnswer, CLEAN};
use crate::ask::registry::DetectorName;

/// The result of one detector.
#[derive(Debug, Clone)]
pub struct Vote<'a> {
    pub detector: &'a DetectorName,
    /// Its name in the answer.
    pub asked_as: &'a Arc<str>,
    pub weight: f64,
    pub answer: &'a AttestedAnswer,
    /// Its labels, each once with its highest score.
    pub found: Vec<(&'a str, f64)>,
}

/// The common output.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Labels, strongest first; empty means clean. At most [`MAX_LABELS`], the strongest.
    pub labels: Vec<String>,
    /// Scores of `labels` and `outvoted`: the weighted mean over the detectors that found a label, or the
    /// highest for `most_restrictive`.
    pub scores: BTreeMap<String, f64>,
    /// Labels that the method dropped, by name. At most [`MAX_LABELS`], the strongest.
    pub outvoted: Vec<String>,
    /// The number of labels that were left out. None of them is stronger than those that are listed.
    pub omitted: usize,
    /// Whether there was a conflict.
    pub disagreed: bool,
}

/// The minimum mean for the output of `weighted_average`.
pub const ENOUGH: f64 = 0.5;
/// The maximum number of labels of an answer, and of those outvoted. The strongest label decides about
/// blocking and is always kept, so the verdict does not depend on the bound.
pub const MAX_LABELS: usize = 1_000;

type Scores<'a> = HashMap<&'a str, f64, RandomState>;

/// Takes time linear in the number of labels. Another order of votes may change the last digit of a mean: sort
/// them before comparing answers.
pub fn resolve(
    method: ConflictMethod,
    votes: &[&Vote<'_>],
    preference: &[DetectorName],
) -> Resolved {
    let scores = match method {
        ConflictMethod::MostRestrictive => highest_scores(votes),
        _ => weighted_scores(votes),
    };
    let labels: Vec<&str> = match method {
        ConflictMethod::HighestConfidence => {
            let best = votes.iter().max_by(|a, b| {
                let (one, other) = (a.answer.confidence, b.answer.confidence);
                one.total_cmp(&other).then_with(|| standing(a, b))
            });
            best.map(|vote| labels_of(vote)).unwrap_or_default()
        }
        ConflictMethod::MajorityVote => majority(votes),
        ConflictMethod::WeightedAverage => scores
            .iter()
            .filter(|(_, score)| **score >= ENOUGH)
            .map(|(label, _)| *label)
            .collect(),
        ConflictMethod::MostRestrictive => scores.keys().copied().collect(),
        ConflictMethod::TenantPreference => {
            let preferred = preference
                .iter()
                .find_map(|name| votes.iter().find(|it| it.detector == name));
            match preferred {
                Some(vote) => labels_of(vote),
                None => return resolve(ConflictMethod::WeightedAverage, votes, &[]),
            }
        }
    };
    finish(labels, &scores, votes)
}

fn finish(labels: Vec<&str>, scores: &Scores<'_>, votes: &[&Vote<'_>]) -> Resolved {
    let stays: HashSet<&str, RandomState> = labels.iter().copied().collect();
    let dropped = scores.keys().filter(|label| !stays.contains(**label));
    let mut outvoted: Vec<&str> = dropped.copied().collect();
    let mut labels = labels;
    let found = labels.len() + outvoted.len();
    keep_strongest(&mut labels, scores);
    keep_strongest(&mut outvoted, scores);
    outvoted.sort_unstable();
    let score = |label: &str| scores.get(label).copied().unwrap_or(0.0);
    let named = labels.iter().chain(&outvoted);
    Resolved {
        omitted: found - labels.len() - outvoted.len(),
        scores: named
            .map(|label| ((*label).to_owned(), score(label)))
            .collect(),
        disagreed: votes
            .windows(2)
            .any(|pair| pair[0].answer.output != pair[1].answer.output),
        labels: labels.into_iter().map(str::to_owned).collect(),
        outvoted: outvoted.into_iter().map(str::to_owned).collect(),
    }
}

/// Sorts labels, strongest first, and drops the weakest beyond the bound. Selection precedes sorting, since
/// there may be very many.
fn keep_strongest(labels: &mut Vec<&str>, scores: &Scores<'_>) {
    let score = |label: &str| scores.get(label).copied().unwrap_or(0.0);
    let order = |a: &&str, b: &&str| score(b).total_cmp(&score(a)).then_with(|| a.cmp(b));
    if labels.len() > MAX_LABELS {
        labels.select_nth_unstable_by(MAX_LABELS, order);
        labels.truncate(MAX_LABELS);
    }
    labels.sort_unstable_by(order);
}

/// Breaks a tie: the greater weight wins, then the first name in order.
fn standing(a: &Vote<'_>, b: &Vote<'_>) -> Ordering {
    a.weight
        .total_cmp(&b.weight)
        .then_with(|| b.detector.cmp(a.detector))
}

/// Each label's mean over the detectors that found it; detectors for other labels do not count.
fn weighted_scores<'a>(votes: &[&Vote<'a>]) -> Scores<'a> {
    let mut sums: HashMap<&str, (f64, f64), RandomState> = HashMap::default();
    for vote in votes {
        for (label, score) in &vote.found {
            let sum = sums.entry(*label).or_default();
            sum.0 += vote.weight * score;
            sum.1 += vote.weight;
        }
    }
    let mean = |(sum, weight): (f64, f64)| if weight > 0.0 { sum / weight } else { 0.0 };
    sums.into_iter()
        .map(|(label, sum)| (label, mean(sum).clamp(0.0, 1.0)))
        .collect()
}

fn highest_scores<'a>(votes: &[&Vote<'a>]) -> Scores<'a> {
    let mut scores = Scores::default();
    for (label, score) in votes.iter().flat_map(|vote| &vote.found) {
        let highest = scores.entry(*label).or_default();
        *highest = highest.max(*score);
    }
    scores
}

/// The number of findings up to which a linear search is faster than hashing.
const FEW: usize = 8;

/// The distinct labels of an answer, each with its highest score.
pub fn strongest(answer: &AttestedAnswer) -> Vec<(&str, f64)> {
    if answer.findings.len() <= FEW {
        let mut scores: Vec<(&str, f64)> = Vec::with_capacity(answer.findings.len());
        for finding in &answer.findings {
            match scores.iter_mut().find(|(label, _)| *label == finding.label) {
                Some((_, score)) => *score = score.max(finding.score),
                None => scores.push((&finding.label, finding.score)),
            }
        }
        return scores;
    }
    let mut scores = Scores::default();
    for finding in &answer.findings {
        let score = scores.entry(&finding.label).or_default();
        *score = score.max(finding.score);
    }
    scores.into_iter().collect()
}

fn labels_of<'a>(vote: &Vote<'a>) -> Vec<&'a str> {
    vote.found.iter().map(|(label, _)| *label).collect()
}

/// Each detector votes for its own output; weight, then name, break ties.
fn majority<'a>(votes: &[&Vote<'a>]) -> Vec<&'a str> {
    let mut tally: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for vote in votes {
        let output: &'a Cow<'static, str> = &vote.answer.output;
        let entry = tally.entry(output).or_default();
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
        Some((label, _)) if label != CLEAN => vec![label],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::attested::Finding;

    fn answer(confidence: f64, found: &[(&str, f64)]) -> AttestedAnswer {
        let findings = found.iter().map(|(label, score)| Finding {
            start: 0,
            end: 1,
            label: (*label).to_owned(),
            category: "test".to_owned(),
            score: *score,
        });
        let best = found.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        AttestedAnswer {
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
        let names = ["a", "b", "c"].map(DetectorName::test);
        let called: [Arc<str>; 3] = ["a", "b", "c"].map(Into::into);
        let votes: Vec<Vote<'_>> = names
            .iter()
            .zip(&called)
            .zip([1.0, 1.0, 2.0])
            .zip(&answers)
            .map(|(((detector, asked_as), weight), answer)| Vote {
                detector,
                asked_as,
                weight,
                answer,
                found: strongest(answer),
            })
            .collect();
        let preference: Vec<DetectorName> = preference
            .iter()
            .map(|name| DetectorName::test(name))
            .collect();
        let mut votes: Vec<&Vote<'_>> = votes.iter().collect();
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
    fn each_method_resolves_a_conflict_by_its_rule() {
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
    fn no_votes_give_no_output() {
        let found = resolve(ConflictMethod::WeightedAverage, &[], &[]);
        assert_eq!((found.labels.len(), found.disagreed), (0, false));
    }
    #[test]
    fn only_the_strongest_labels_are_kept_and_the_others_are_counted() {
        let names: Vec<String> = (0..3 * MAX_LABELS).map(|n| format!("l{n:05}")).collect();
        let weak = |n: usize| 0.5 + n as f64 / 1e5;
        let found: Vec<(&str, f64)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (name.as_str(), if n % 3 == 0 { 0.1 } else { weak(n) }))
            .collect();
        let answer = answer(0.9, &found);
        let (name, called) = (DetectorName::test("a"), Arc::from("a"));
        let vote = Vote {
            detector: &name,
            asked_as: &called,
            weight: 1.0,
            answer: &answer,
            found: strongest(&answer),
        };
        let resolved = resolve(ConflictMethod::WeightedAverage, &[&vote], &[]);
        assert_eq!(resolved.labels.len(), MAX_LABELS);
        assert_eq!(resolved.outvoted.len(), MAX_LABELS);
        assert_eq!(resolved.omitted, MAX_LABELS);
        assert_eq!(resolved.scores.len(), 2 * MAX_LABELS);
        assert_eq!(resolved.labels[0], names[3 * MAX_LABELS - 1]);
        assert!(resolved.outvoted.is_sorted());
        let weakest = resolved.scores[&resolved.labels[MAX_LABELS - 1]];
        let stronger = found.iter().filter(|(_, score)| *score > weakest).count();
        assert_eq!(stronger, MAX_LABELS - 1, "none that is omitted is stronger");
    }
}
