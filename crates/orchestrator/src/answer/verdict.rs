//! The verdict on the answers: coverage, and pass, degraded or block with the reasons. A missing answer never
//! passes silently, and nothing in a request makes a verdict weaker than without it.

use std::collections::HashMap;

use detector_api::orchestrate::{ConflictMethod, Priority, Verdict};
use foldhash::fast::RandomState;

use crate::answer::attested::AttestedAnswer;
use crate::answer::bounded::readable;
use crate::answer::conflict::{ENOUGH, Resolved, Vote, resolve, strongest};
use crate::ask::called::Called;
use crate::ask::failure::Failure;
use crate::config::OnFailure;
use crate::policy::{CoverageMethod, Policy};
use crate::request::select::{Plan, Selected};

/// The complete verdict.
pub struct Judgement {
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    /// By the policy's method, 0 to 1. A stale answer counts by the policy's share.
    pub coverage: f64,
    pub resolved: Resolved,
}

/// A detector's part in one reading of the answers.
#[derive(Clone, Copy)]
struct Voter<'a> {
    one: &'a Selected,
    call: &'a Called,
    required: bool,
    /// Its result, if it answered.
    vote: Option<&'a Vote<'a>>,
}

/// Judges the answers; `votes` are those of the calls with an answer, by place. If the request has added
/// detectors or requirements, they are judged twice, with and without these, and the stricter verdict counts.
/// So a request cannot outvote findings or cover missing answers by naming detectors.
pub fn judge(plan: &Plan, called: &[Called], votes: &[Option<Vote<'_>>]) -> Judgement {
    let voters = plan.selected.iter().zip(called).zip(votes);
    let mut voters: Vec<Voter<'_>> = voters
        .map(|((one, call), vote)| Voter {
            one,
            call,
            required: one.required,
            vote: vote.as_ref(),
        })
        .collect();
    // The sums must not depend on the order in which a request names the detectors.
    voters.sort_by(|a, b| a.one.name.cmp(&b.one.name));
    let mut judged = read(plan, &voters, true);
    if plan.has_additions() {
        for voter in voters.iter().filter(|it| !it.one.chosen && has_found(it)) {
            judged.verdict = judged.verdict.max(Verdict::Degraded);
            let name = &voter.one.asked_as;
            let reason = format!("detector {name}, which the request added, found something");
            judged.reasons.push(reason);
        }
        voters.retain(|voter| voter.one.chosen);
        for voter in &mut voters {
            voter.required = voter.one.pinned;
        }
        be_as_strict(&mut judged, plan, &voters);
    }
    for one in &plan.left_out {
        let worst = match one.on_failure {
            OnFailure::Closed => Verdict::Block,
            OnFailure::Degrade | OnFailure::Open => Verdict::Degraded,
        };
        judged.verdict = judged.verdict.max(worst);
        let reason = format!("the request excluded detector {}", one.name);
        judged.reasons.push(reason);
    }
    judged
}

/// Whether this voter found anything, however weak. One of two detectors that a request adds could outvote the
/// other, or lower the mean of its scores, and the request with both would be weaker than with one. So whatever
/// an added detector finds degrades the verdict, alone and among others.
fn has_found(voter: &Voter<'_>) -> bool {
    voter.vote.is_some_and(|vote| !vote.found.is_empty())
}

/// One judgement, of these voters in the order of their names.
fn read(plan: &Plan, voters: &[Voter<'_>], with_coverage: bool) -> Judgement {
    let votes: Vec<&Vote<'_>> = voters.iter().filter_map(|voter| voter.vote).collect();
    let resolved = resolve(plan.method, &votes, &plan.preference);
    let share = |voter: &Voter<'_>| match (&voter.call.outcome, voter.call.stale()) {
        (Err(_), _) => 0.0,
        (Ok(_), None) => 1.0,
        (Ok(_), Some(_)) => plan.policy.stale_if_open,
    };
    let shares: Vec<Share<'_>> = voters
        .iter()
        .map(|voter| (voter.one, voter.required, share(voter)))
        .collect();
    let coverage = covered(&plan.policy, &shares);
    let (mut verdict, reasons) = found(&plan.policy, &resolved);
    // Before the reasons for missing answers, none of which may be lost.
    let mut reasons = readable(reasons, resolved.omitted);
    for voter in voters {
        let (worst, reason) = absent(plan, voter);
        verdict = verdict.max(worst);
        reasons.extend(reason);
    }
    if with_coverage && coverage < plan.min_coverage {
        verdict = verdict.max(Verdict::Degraded);
        let wanted = plan.min_coverage;
        reasons.push(format!("coverage {coverage:.2} is below {wanted:.2}"));
    }
    Judgement {
        verdict,
        reasons,
        coverage,
        resolved,
    }
}

/// The findings, up to a readable number.
fn found(policy: &Policy, resolved: &Resolved) -> (Verdict, Vec<String>) {
    let mut verdict = Verdict::Pass;
    let mut reasons = Vec::new();
    for label in &resolved.labels {
        let score = resolved.scores.get(label).copied().unwrap_or(0.0);
        if score >= policy.block_score {
            verdict = Verdict::Block;
            reasons.push(format!("detected {label} with score {score:.2}"));
        } else {
            reasons.push(format!(
                "{label} found with score {score:.2}, too low to block"
            ));
        }
    }
    for label in &resolved.outvoted {
        reasons.push(format!("{label} was found by a detector, but outvoted"));
    }
    (verdict, reasons)
}

/// The effect of a missing or stale answer, and its reason.
fn absent(plan: &Plan, voter: &Voter<'_>) -> (Verdict, Option<String>) {
    let name = &voter.one.asked_as;
    if let Some(age) = voter.call.stale() {
        let age_s = age.as_secs();
        let reason =
            format!("detector {name} is unavailable; its result from {age_s} s ago is used");
        return (Verdict::Degraded, Some(reason));
    }
    match &voter.call.outcome {
        Ok(_) => (Verdict::Pass, None),
        // Cancelled because this verdict was certain; coverage still counts it as missing.
        Err(Failure::NotNeeded) => {
            let reason = format!("detector {name} was not needed to decide");
            (Verdict::Pass, Some(reason))
        }
        Err(failure) => {
            let kind = if voter.required {
                "required"
            } else {
                "optional"
            };
            let reason = format!("{kind} detector {name} did not answer: {failure}");
            let worst = missing(plan, voter.one, voter.required, *failure);
            (worst, Some(reason))
        }
    }
}

/// The effect of a missing answer. A required detector never fails open, nor does one that the request itself
/// may have kept from answering. Content that was too large to be examined blocks, since stuffing must not
/// bypass a detector.
fn missing(plan: &Plan, one: &Selected, required: bool, failure: Failure) -> Verdict {
    match one.on_failure {
        _ if failure.is_too_much() => Verdict::Block,
        OnFailure::Closed => Verdict::Block,
        OnFailure::Degrade => Verdict::Degraded,
        OnFailure::Open if required || is_of_the_requests_making(plan, failure) => {
            Verdict::Degraded
        }
        OnFailure::Open => Verdict::Pass,
    }
}

/// Whether the same request without its own options might have received the answer.
fn is_of_the_requests_making(plan: &Plan, failure: Failure) -> bool {
    let is_low = plan.priority == Priority::Low;
    match failure {
        // Its time is short, and no cached answer may replace this one.
        _ if plan.priority == Priority::Critical => true,
        // Other requests had priority; or the brown-out kept detectors that the request named instead.
        Failure::Busy => is_low,
        Failure::BrownOut => is_low || plan.has_wishes,
        _ => false,
    }
}

/// Makes a verdict at least as strict as that of these voters alone, which are those without the request's own
/// options.
fn be_as_strict(judged: &mut Judgement, plan: &Plan, voters: &[Voter<'_>]) {
    // The coverage of a part of them says nothing; that some are missing is reported anyway.
    let whole = plan.left_out.is_empty();
    let mut own = read(plan, voters, whole);
    if whole && !voters.iter().any(|voter| voter.call.outcome.is_ok()) {
        own.verdict = own.verdict.max(Verdict::Degraded);
        let reason = "only detectors that the request added answered";
        own.reasons.push(reason.to_owned());
    }
    if whole {
        judged.coverage = judged.coverage.min(own.coverage);
    }
    if own.verdict > judged.verdict {
        let reason = "computed without the additions of the request, which would weaken it";
        judged.reasons.push(reason.to_owned());
        let known = &judged.reasons;
        let new = own.reasons.into_iter().filter(|it| !known.contains(it));
        let new: Vec<String> = new.collect();
        judged.reasons.extend(new);
        judged.verdict = own.verdict;
    }
}

/// A detector, whether it is required, and the share of its answer.
type Share<'a> = (&'a Selected, bool, f64);

/// Coverage if all detectors in `will` succeed.
pub fn expected_coverage(plan: &Plan, will: impl Fn(&Selected) -> bool) -> f64 {
    let share = |one: &Selected| if will(one) { 1.0 } else { 0.0 };
    let all = plan.selected.iter();
    let shares: Vec<Share<'_>> = all.map(|one| (one, one.required, share(one))).collect();
    let coverage = covered(&plan.policy, &shares);
    if !(plan.has_additions() && plan.left_out.is_empty()) {
        return coverage;
    }
    let own = shares.into_iter().filter(|(one, ..)| one.chosen);
    let own: Vec<Share<'_>> = own
        .map(|(one, _, share)| (one, one.pinned, share))
        .collect();
    coverage.min(covered(&plan.policy, &own))
}

fn covered(policy: &Policy, shares: &[Share<'_>]) -> f64 {
    match policy.coverage_method {
        CoverageMethod::WeightedCoverage => weighted(shares),
        CoverageMethod::RequiredSet => {
            let required = shares.iter().filter(|(_, required, _)| *required);
            let required: Vec<f64> = required.map(|(.., share)| *share).collect();
            if required.is_empty() {
                weighted(shares)
            } else {
                required.iter().sum::<f64>() / required.len() as f64
            }
        }
        CoverageMethod::TaxonomyCoverage => {
            let wanted = &policy.required_categories;
            let best = |category: &String| {
                let looks = |one: &Selected| {
                    let detector = one.detector.as_ref();
                    detector.is_some_and(|it| it.settings.capabilities.contains(category))
                };
                let found = shares.iter().filter(|(one, ..)| looks(one));
                found.fold(0.0_f64, |best, (.., share)| best.max(*share))
            };
            if wanted.is_empty() {
                weighted(shares)
            } else {
                wanted.iter().map(best).sum::<f64>() / wanted.len() as f64
            }
        }
    }
}

fn weighted(shares: &[Share<'_>]) -> f64 {
    let (mut whole, mut covered) = (0.0, 0.0);
    for (one, _, share) in shares {
        whole += one.weight;
        covered += one.weight * share;
    }
    if whole > 0.0 { covered / whole } else { 0.0 }
}

/// The certainty of a verdict while answers still arrive. Every answer is examined once.
pub struct PartialVerdict<'a> {
    plan: &'a Plan,
    labels: HashMap<String, Tally, RandomState>,
    outputs: HashMap<String, usize, RandomState>,
    is_out: Vec<bool>,
    any_required: bool,
    succeeded: bool,
    blocked: bool,
}

#[derive(Default)]
struct Tally {
    sum: f64,
    weight: f64,
    highest: f64,
}

impl<'a> PartialVerdict<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            labels: HashMap::default(),
            outputs: HashMap::default(),
            is_out: vec![true; plan.selected.len()],
            any_required: plan.selected.iter().any(|one| one.required),
            succeeded: false,
            blocked: false,
        }
    }

    /// Adds the outcome of the detector at this place of the plan.
    pub fn add(&mut self, place: usize, call: &Called) {
        let one = &self.plan.selected[place];
        self.is_out[place] = false;
        match &call.outcome {
            Ok(answer) => {
                self.succeeded |= one.required || !self.any_required;
                self.count(one, answer);
            }
            Err(failure) => {
                let worst = missing(self.plan, one, one.required, *failure);
                self.blocked |= worst == Verdict::Block;
            }
        }
    }

    fn count(&mut self, one: &Selected, answer: &AttestedAnswer) {
        *self.outputs.entry(answer.output.to_string()).or_default() += 1;
        for (label, score) in strongest(answer) {
            // A lookup before the text is copied, since most labels exist already.
            if !self.labels.contains_key(label) {
                self.labels.insert(label.to_owned(), Tally::default());
            }
            let tally = self.labels.get_mut(label).expect("it was just put there");
            tally.sum += one.weight * score;
            tally.weight += one.weight;
            tally.highest = tally.highest.max(score);
        }
    }

    /// Whether the verdict is `block` whatever the outstanding detectors answer. Never before a counting
    /// detector has succeeded: without one there is no answer at all.
    pub fn is_decided(&self) -> bool {
        self.succeeded && (self.blocked || self.found_for_good())
    }

    /// Whether a label will block even if all outstanding detectors find it with score 0.
    fn found_for_good(&self) -> bool {
        let out = self.plan.selected.iter().zip(&self.is_out);
        let pending: f64 = out.filter(|(_, is)| **is).map(|(one, _)| one.weight).sum();
        let block = self.plan.policy.block_score;
        let mean = |tally: &Tally| {
            let weight = tally.weight + pending;
            if weight > 0.0 {
                tally.sum / weight
            } else {
                0.0
            }
        };
        let mut labels = self.labels.iter();
        match self.plan.method {
            ConflictMethod::MostRestrictive => labels.any(|(_, tally)| tally.highest >= block),
            ConflictMethod::WeightedAverage => {
                labels.any(|(_, tally)| mean(tally) >= block.max(ENOUGH))
            }
            ConflictMethod::MajorityVote => labels.any(|(label, tally)| {
                let votes = self.outputs.get(label).copied().unwrap_or(0);
                2 * votes > self.plan.selected.len() && mean(tally) >= block
            }),
            // An outstanding detector may overrule all others.
            ConflictMethod::HighestConfidence | ConflictMethod::TenantPreference => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::answer::aggregate::votes;
    use crate::answer::attested::{CLEAN, Finding};
    use crate::ask::registry::DetectorName;

    fn called(outcome: Result<AttestedAnswer, Failure>) -> Called {
        Called::instant(&"d".into(), outcome, 0.0)
    }

    fn plan(method: ConflictMethod, detectors: &[(OnFailure, f64)], block_score: f64) -> Plan {
        let select = |(place, (on_failure, weight)): (usize, &(OnFailure, f64))| Selected {
            asked_as: format!("d{place}").into(),
            name: DetectorName::test(&format!("d{place}")),
            detector: None,
            required: false,
            pinned: false,
            chosen: true,
            weight: *weight,
            on_failure: *on_failure,
        };
        Plan {
            selected: detectors.iter().enumerate().map(select).collect(),
            left_out: Vec::new(),
            preference: Vec::new(),
            priority: Priority::Normal,
            has_wishes: false,
            is_open: true,
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
        judge(plan, all, &votes(plan, all)).verdict
    }

    fn outcome() -> impl Strategy<Value = Result<AttestedAnswer, Failure>> {
        let scores = proptest::collection::btree_map(
            prop_oneof![Just("pii"), Just("toxic")],
            0.0_f64..=1.0,
            0..3,
        );
        let answer = scores.prop_map(|scores| {
            let best = scores.iter().max_by(|a, b| a.1.total_cmp(b.1));
            AttestedAnswer {
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
        fn an_early_decision_equals_the_verdict_on_all_answers(
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
            let mut seen = PartialVerdict::new(&plan);
            for (place, call) in so_far.iter().enumerate() {
                if let Some(call) = call {
                    seen.add(place, call);
                }
            }
            if seen.is_decided() {
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
