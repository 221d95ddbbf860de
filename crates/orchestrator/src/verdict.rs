//! What the answers amount to: coverage, and pass, degraded or block with the reasons. Nothing
//! that is missing passes in silence.

use std::collections::HashSet;

use detector_api::orchestrate::{ConflictMethod, Verdict};

use crate::answer::Answer;
use crate::bounded::readable;
use crate::call::Called;
use crate::config::OnFailure;
use crate::conflict::{ENOUGH, Resolved, strongest};
use crate::failure::Failure;
use crate::policy::CoverageMethod;
use crate::select::{Plan, Selected};

/// Coverage by the policy's method, 0 to 1. A stale answer counts as much as the policy says.
pub fn coverage(plan: &Plan, called: &[Called]) -> f64 {
    let share = |call: &Called| match (&call.outcome, call.stale()) {
        (Err(_), _) => 0.0,
        (Ok(_), None) => 1.0,
        (Ok(_), Some(_)) => plan.policy.stale_if_open,
    };
    covered(plan, &called.iter().map(share).collect::<Vec<f64>>())
}

/// Coverage if all those succeed that `will` names.
pub fn expected_coverage(plan: &Plan, will: impl Fn(&Selected) -> bool) -> f64 {
    let share = |one| if will(one) { 1.0 } else { 0.0 };
    covered(plan, &plan.selected.iter().map(share).collect::<Vec<f64>>())
}

fn covered(plan: &Plan, shares: &[f64]) -> f64 {
    let all = || plan.selected.iter().zip(shares.iter().copied());
    match plan.policy.coverage_method {
        CoverageMethod::WeightedCoverage => weighted(all()),
        CoverageMethod::RequiredSet => {
            let required: Vec<f64> = all()
                .filter(|(one, _)| one.required)
                .map(|(_, share)| share)
                .collect();
            if required.is_empty() {
                weighted(all())
            } else {
                required.iter().sum::<f64>() / required.len() as f64
            }
        }
        CoverageMethod::TaxonomyCoverage => {
            let wanted = &plan.policy.required_categories;
            let best = |category: &String| {
                let looks = |one: &Selected| {
                    let detector = one.detector.as_ref();
                    detector.is_some_and(|it| it.settings.capabilities.contains(category))
                };
                let found = all().filter(|(one, _)| looks(one));
                found.fold(0.0_f64, |best, (_, share)| best.max(share))
            };
            if wanted.is_empty() {
                weighted(all())
            } else {
                wanted.iter().map(best).sum::<f64>() / wanted.len() as f64
            }
        }
    }
}

fn weighted<'a>(all: impl Iterator<Item = (&'a Selected, f64)>) -> f64 {
    let (mut whole, mut covered) = (0.0, 0.0);
    for (one, share) in all {
        whole += one.weight;
        covered += one.weight * share;
    }
    if whole > 0.0 { covered / whole } else { 0.0 }
}

/// The verdict and why.
pub fn judge(
    plan: &Plan,
    called: &[Called],
    resolved: &Resolved,
    coverage: f64,
) -> (Verdict, Vec<String>) {
    let mut verdict = Verdict::Pass;
    let mut reasons = Vec::new();
    for label in &resolved.labels {
        let score = resolved.scores.get(label).copied().unwrap_or(0.0);
        if score >= plan.policy.block_score {
            verdict = Verdict::Block;
            reasons.push(format!("detected {label} with score {score:.2}"));
        } else {
            reasons.push(format!(
                "{label} found with score {score:.2}, too weak to block"
            ));
        }
    }
    for label in &resolved.outvoted {
        reasons.push(format!("{label} was found by a detector and outvoted"));
    }
    // Before those of missing answers, none of which may be lost.
    let mut reasons = readable(reasons);
    for (one, call) in plan.selected.iter().zip(called) {
        if let Some(age) = call.stale() {
            verdict = verdict.max(Verdict::Degraded);
            let (name, age_s) = (&one.name, age.as_secs());
            reasons.push(format!(
                "detector {name} cannot be asked; its answer of {age_s} s ago stands in"
            ));
        }
        let failure = match &call.outcome {
            Ok(_) => continue,
            // Cancelled for this very verdict; coverage still counts it as missing.
            Err(Failure::NotNeeded) => {
                reasons.push(format!("detector {} was not needed to decide", one.name));
                continue;
            }
            Err(failure) => failure,
        };
        let worst = missing(one);
        verdict = verdict.max(worst);
        let kind = if one.required { "required" } else { "optional" };
        reasons.push(format!(
            "{kind} detector {} gave no answer: {failure}",
            one.name
        ));
    }
    if coverage < plan.min_coverage {
        verdict = verdict.max(Verdict::Degraded);
        let wanted = plan.min_coverage;
        reasons.push(format!("coverage {coverage:.2} is below {wanted:.2}"));
    }
    (verdict, reasons)
}

/// What a missing answer does. A required one is never simply open.
fn missing(one: &Selected) -> Verdict {
    match one.on_failure {
        OnFailure::Closed => Verdict::Block,
        OnFailure::Degrade => Verdict::Degraded,
        OnFailure::Open if one.required => Verdict::Degraded,
        OnFailure::Open => Verdict::Pass,
    }
}

/// Whether the verdict is `block` whatever the detectors still out may answer. Never before
/// somebody who counts has succeeded: without that there is no answer at all.
pub fn is_decided(plan: &Plan, so_far: &[Option<Called>]) -> bool {
    let all = || plan.selected.iter().zip(so_far);
    let any_required = plan.selected.iter().any(|one| one.required);
    let succeeded = |(one, call): (&Selected, &Option<Called>)| {
        (one.required || !any_required) && matches!(call, Some(call) if call.outcome.is_ok())
    };
    if !all().any(succeeded) {
        return false;
    }
    let blocked = |(one, call): (&Selected, &Option<Called>)| {
        matches!(call, Some(call) if call.outcome.is_err()) && missing(one) == Verdict::Block
    };
    all().any(blocked) || found_for_good(plan, so_far)
}

/// Whether a label will block even if everybody still out finds it with score 0.
fn found_for_good(plan: &Plan, so_far: &[Option<Called>]) -> bool {
    let answered: Vec<(&Selected, &Answer)> = plan
        .selected
        .iter()
        .zip(so_far)
        .filter_map(|(one, call)| Some((one, call.as_ref()?.outcome.as_ref().ok()?)))
        .collect();
    let pending = plan
        .selected
        .iter()
        .zip(so_far)
        .filter(|(_, call)| call.is_none());
    let pending: f64 = pending.map(|(one, _)| one.weight).sum();
    let labels: HashSet<&str> = answered
        .iter()
        .flat_map(|(_, answer)| strongest(answer).into_keys())
        .collect();
    labels.into_iter().any(|label| {
        let (mut sum, mut weight, mut highest) = (0.0, pending, 0.0_f64);
        for (one, answer) in &answered {
            if let Some(score) = strongest(answer).get(label) {
                sum += one.weight * score;
                weight += one.weight;
                highest = highest.max(*score);
            }
        }
        let mean = if weight > 0.0 { sum / weight } else { 0.0 };
        let block = plan.policy.block_score;
        match plan.method {
            ConflictMethod::MostRestrictive => highest >= block,
            ConflictMethod::WeightedAverage => mean >= block.max(ENOUGH),
            ConflictMethod::MajorityVote => {
                let votes = answered
                    .iter()
                    .filter(|(_, answer)| answer.output == label)
                    .count();
                2 * votes > plan.selected.len() && mean >= block
            }
            // Whoever is still out may overrule all others.
            ConflictMethod::HighestConfidence | ConflictMethod::TenantPreference => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use detector_api::orchestrate::DetectorTimeline;
    use proptest::prelude::*;

    use super::*;
    use crate::answer::{CLEAN, Finding};
    use crate::conflict::{Vote, resolve};
    use crate::policy::Policy;

    fn called(outcome: Result<Answer, Failure>) -> Called {
        Called {
            outcome,
            timeline: DetectorTimeline {
                detector: "d".into(),
                start_ms: 0.0,
                end_ms: 0.0,
                queued_ms: 0.0,
                backoff_ms: 0.0,
                attempts: Vec::new(),
                source: None,
            },
            duration: Duration::ZERO,
            attempts: 1,
            hedged: false,
            origin: crate::call::Origin::Asked,
        }
    }

    fn plan(method: ConflictMethod, detectors: &[(OnFailure, f64)], block_score: f64) -> Plan {
        let select = |(place, (on_failure, weight)): (usize, &(OnFailure, f64))| Selected {
            name: format!("d{place}").into(),
            detector: None,
            required: false,
            weight: *weight,
            on_failure: *on_failure,
        };
        Plan {
            selected: detectors.iter().enumerate().map(select).collect(),
            method,
            min_coverage: 0.8,
            policy: Arc::new(Policy {
                block_score,
                ..Policy::default()
            }),
            reason: "",
        }
    }

    fn verdict(plan: &Plan, all: &[Called]) -> Verdict {
        let votes: Vec<Vote<'_>> = plan
            .selected
            .iter()
            .zip(all)
            .filter_map(|(one, call)| {
                let answer = call.outcome.as_ref().ok()?;
                Some(Vote {
                    detector: &one.name,
                    weight: one.weight,
                    answer,
                })
            })
            .collect();
        let resolved = resolve(plan.method, &votes, &[]);
        judge(plan, all, &resolved, coverage(plan, all)).0
    }

    fn outcome() -> impl Strategy<Value = Result<Answer, Failure>> {
        let scores = proptest::collection::btree_map(
            prop_oneof![Just("pii"), Just("toxic")],
            0.0_f64..=1.0,
            0..3,
        );
        let answer = scores.prop_map(|scores| {
            let best = scores.iter().max_by(|a, b| a.1.total_cmp(b.1));
            Answer {
                output: best.map_or(CLEAN, |(label, _)| *label).into(),
                confidence: best.map_or(0.9, |(_, score)| *score),
                findings: scores
                    .iter()
                    .map(|(label, score)| Finding {
                        start: 0,
                        end: 0,
                        label: (*label).to_owned(),
                        category: "c".to_owned(),
                        score: *score,
                    })
                    .collect(),
            }
        });
        prop_oneof![4 => answer.prop_map(Ok), 1 => Just(Err(Failure::Timeout))]
    }

    proptest! {
        #[test]
        fn an_early_decision_is_what_all_answers_would_have_brought(
            method in prop_oneof![
                Just(ConflictMethod::WeightedAverage), Just(ConflictMethod::MostRestrictive),
                Just(ConflictMethod::MajorityVote), Just(ConflictMethod::HighestConfidence),
            ],
            block_score in 0.0_f64..=1.0,
            detectors in proptest::collection::vec(
                (
                    prop_oneof![
                        Just(OnFailure::Closed), Just(OnFailure::Open), Just(OnFailure::Degrade),
                    ],
                    0.0_f64..3.0,
                    outcome(),
                ),
                1..6,
            ),
            order in any::<u64>(),
        ) {
            let settings: Vec<_> = detectors.iter().map(|it| (it.0, it.1)).collect();
            let plan = plan(method, &settings, block_score);
            let all: Vec<Called> = detectors.iter().map(|it| called(it.2.clone())).collect();
            let so_far: Vec<Option<Called>> = all
                .iter()
                .enumerate()
                .map(|(place, call)| (order >> place & 1 == 1).then(|| call.clone()))
                .collect();
            if is_decided(&plan, &so_far) {
                prop_assert_eq!(verdict(&plan, &all), Verdict::Block);
                let early: Vec<Called> = so_far
                    .into_iter()
                    .map(|call| call.unwrap_or_else(|| called(Err(Failure::NotNeeded))))
                    .collect();
                prop_assert_eq!(verdict(&plan, &early), Verdict::Block);
            }
        }
    }
}
