//! What the answers amount to: coverage, and pass, degraded or block with the reasons. Nothing
//! that is missing passes in silence.

use std::collections::HashSet;

use detector_api::orchestrate::Verdict;

use crate::call::Called;
use crate::config::OnFailure;
use crate::conflict::Resolved;
use crate::policy::CoverageMethod;
use crate::select::{Plan, Selected};

/// Coverage by the policy's method, 0 to 1.
pub fn coverage(plan: &Plan, called: &[Called]) -> f64 {
    let all = || plan.selected.iter().zip(called);
    let answered = |(_, call): &(&Selected, &Called)| call.outcome.is_ok();
    match plan.policy.coverage_method {
        CoverageMethod::WeightedCoverage => weighted(all()),
        CoverageMethod::RequiredSet => {
            let required = all().filter(|(one, _)| one.required);
            let (count, good) = (required.clone().count(), required.filter(answered).count());
            if count == 0 {
                weighted(all())
            } else {
                good as f64 / count as f64
            }
        }
        CoverageMethod::TaxonomyCoverage => {
            let wanted = &plan.policy.required_categories;
            let looked_for: HashSet<&String> = all()
                .filter(answered)
                .filter_map(|(one, _)| one.detector.as_ref())
                .flat_map(|detector| &detector.settings.capabilities)
                .collect();
            let hit = wanted
                .iter()
                .filter(|category| looked_for.contains(category))
                .count();
            if wanted.is_empty() {
                weighted(all())
            } else {
                hit as f64 / wanted.len() as f64
            }
        }
    }
}

fn weighted<'a>(all: impl Iterator<Item = (&'a Selected, &'a Called)>) -> f64 {
    let (mut whole, mut good) = (0.0, 0.0);
    for (one, call) in all {
        whole += one.weight;
        good += if call.outcome.is_ok() {
            one.weight
        } else {
            0.0
        };
    }
    if whole > 0.0 { good / whole } else { 0.0 }
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
    for (one, call) in plan.selected.iter().zip(called) {
        let Err(failure) = &call.outcome else {
            continue;
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
