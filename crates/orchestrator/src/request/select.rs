//! Selection of detectors: policy, then content type, then capabilities, then health.
//!
//! A request can add to the policy's choice. If the policy leaves the choice open, it can also narrow it, and
//! then the verdict is not `pass`. It cannot leave out detectors that the operator or the policy requires.

use std::collections::HashSet;
use std::sync::Arc;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{ConflictMethod, CoverageRequirements, Priority, RoutingDecision};

use crate::ask::registry::{Detector, DetectorName, Registry};
use crate::config::OnFailure;
use crate::error::ApiError;
use crate::policy::Policy;
use crate::request::demands::{Demands, Named, Names, distinct, is_live, resolve_all};
use crate::request::intake::Accepted;
use crate::share::key::{self, Key, Part};

/// The plan of a request.
pub struct Plan {
    pub selected: Vec<Selected>,
    /// Detectors that would have been asked without the request's own choice.
    pub left_out: Vec<Selected>,
    pub method: ConflictMethod,
    pub min_coverage: f64,
    pub policy: Arc<Policy>,
    /// Detectors in order of precedence, for `tenant_preference`.
    pub preference: Vec<DetectorName>,
    /// The restriction of detectors by the request's priority.
    pub priority: Priority,
    /// Whether the request names detectors.
    pub has_wishes: bool,
    /// Whether the policy leaves the choice of detectors to the request.
    pub is_open: bool,
    /// The reason for the selection.
    pub reason: &'static str,
}

/// One detector of a plan.
#[derive(Clone)]
pub struct Selected {
    /// The name in the request; an alias stays an alias. For answers only.
    pub asked_as: Arc<str>,
    pub name: DetectorName,
    /// `None`: no detector with this name is registered.
    pub detector: Option<Arc<Detector>>,
    /// Required by the operator, the policy or the request.
    pub required: bool,
    /// Required by the operator or the policy.
    pub pinned: bool,
    /// Asked whatever the request names, since it would be asked without the request's own options.
    pub chosen: bool,
    pub weight: f64,
    pub on_failure: OnFailure,
}

/// The policy that applies, and the service's own threshold.
pub struct Rules {
    pub policy: Arc<Policy>,
    pub bundle: Arc<str>,
    pub version: u64,
    /// The hash of the policy's content.
    pub digest: [u8; 32],
    pub default_coverage: f64,
}

/// Makes the plan.
///
/// # Errors
/// INVALID_REQUEST: the request excludes a required detector, or no detector is left.
pub fn plan(request: &Accepted, registry: &Registry, rules: &Rules) -> Result<Plan, ApiError> {
    let policy = &rules.policy;
    let demands = Demands::new(policy, registry, request.content_type);
    let excluded: Names = resolve_all(&request.excluded, registry);
    let mut names = request.excluded.iter().map(|it| registry.resolve(it));
    if let Some(pinned) = names.find(|name| demands.is_pinned(name)) {
        let message =
            format!("`{pinned}` is required by the operator or the policy; it cannot be left out");
        return Err(ApiError::invalid("excluded_detectors", &message));
    }
    let (wanted, reason) = wanted(request, registry, &demands);
    let stays = |one: &Wanted| !excluded.contains(&one.named.name);
    let selected: Vec<Wanted> = wanted.into_iter().filter(stays).collect();
    if selected.is_empty() {
        return Err(nothing_left(request));
    }
    let has_wishes = !(request.required.is_empty() && request.excluded.is_empty());
    let asked: Vec<Named> = request
        .required
        .iter()
        .map(|spelled| Named::resolve(spelled, registry))
        .collect();
    let left_out = if has_wishes {
        left_out(&demands, &asked, &selected)
    } else {
        Vec::new()
    };
    let asked: Names = asked.into_iter().map(|one| one.name).collect();
    let select = |one: Wanted| select(one, &asked, &demands);
    Ok(Plan {
        selected: selected.into_iter().map(select).collect(),
        left_out: left_out.into_iter().map(select).collect(),
        method: policy
            .conflict_method
            .unwrap_or_else(|| usual_method(request.content_type)),
        min_coverage: policy.min_coverage.unwrap_or(rules.default_coverage),
        policy: policy.clone(),
        priority: request.priority,
        has_wishes,
        is_open: demands.is_open,
        reason,
        preference: demands.preference,
    })
}

struct Wanted {
    named: Named,
    chosen: bool,
}

/// The detectors of the request and the policy, the request's own first, without duplicates.
fn wanted(
    request: &Accepted,
    registry: &Registry,
    demands: &Demands,
) -> (Vec<Wanted>, &'static str) {
    let chosen = demands.chosen.iter().cloned();
    if request.required.is_empty() {
        let all = chosen.map(|named| Wanted {
            named,
            chosen: true,
        });
        return (all.collect(), demands.reason);
    }
    let asked = request.required.iter();
    let asked = asked.map(|spelled| Named::resolve(spelled, registry));
    let stays = |one: &Named| !demands.is_open || demands.is_pinned(&one.name);
    let all = distinct(asked.chain(chosen.filter(stays)).collect());
    let by_itself: Names = demands.chosen.iter().map(|it| it.name.clone()).collect();
    let all = all.into_iter().map(|named| Wanted {
        chosen: by_itself.contains(&named.name),
        named,
    });
    (all.collect(), "required by the request")
}

/// The detectors that the request excludes: of those that the policy chooses, and of those that it requires
/// itself.
fn left_out(demands: &Demands, asked: &[Named], selected: &[Wanted]) -> Vec<Wanted> {
    let stays: HashSet<&DetectorName> = selected.iter().map(|one| &one.named.name).collect();
    let chosen: HashSet<&DetectorName> = demands.chosen.iter().map(|one| &one.name).collect();
    let all = demands.chosen.iter().chain(asked);
    let missing = all.filter(|one| !stays.contains(&one.name)).cloned();
    let missing = distinct(missing.collect()).into_iter();
    let missing = missing.map(|named| Wanted {
        chosen: chosen.contains(&named.name),
        named,
    });
    missing.collect()
}

fn nothing_left(request: &Accepted) -> ApiError {
    if request.excluded.is_empty() {
        ApiError::invalid("content_type", "no detector accepts content of this type")
    } else {
        let message = "no detector remains; exclude fewer detectors";
        ApiError::invalid("excluded_detectors", message)
    }
}

/// The default method of resolving conflicts.
pub fn usual_method(content_type: ContentType) -> ConflictMethod {
    match content_type {
        ContentType::Text => ConflictMethod::WeightedAverage,
        ContentType::Image => ConflictMethod::HighestConfidence,
        ContentType::Document => ConflictMethod::MostRestrictive,
        ContentType::Code => ConflictMethod::MajorityVote,
    }
}

fn select(wanted: Wanted, asked: &Names, demands: &Demands) -> Selected {
    let Named {
        asked_as,
        name,
        detector,
    } = wanted.named;
    let detector = detector.filter(|it| is_live(it));
    let settings = detector.as_ref().map(|detector| &detector.settings);
    let own_weight = settings.map_or(1.0, |settings| settings.weight);
    let own_failure = settings.map_or(OnFailure::default(), |settings| settings.on_failure);
    // The operator's requirement also holds for a content type that it does not accept, if it is asked
    // nevertheless.
    let pinned = demands.is_pinned(&name) || settings.is_some_and(|settings| settings.required);
    Selected {
        asked_as,
        required: pinned || asked.contains(&name),
        pinned,
        chosen: wanted.chosen,
        weight: demands.weight(&name).unwrap_or(own_weight),
        on_failure: demands.on_failure(&name).unwrap_or(own_failure),
        detector,
        name,
    }
}

impl Selected {
    /// The properties of a detector and its role in the plan that an answer depends on.
    fn part(&self, is_left_out: bool) -> Part<'_> {
        let flags = [self.required, self.pinned, self.chosen, is_left_out];
        let bits = flags.into_iter().enumerate();
        Part {
            name: self.name.as_str(),
            asked_as: &self.asked_as,
            meaning: self.detector.as_ref().map(|it| &it.meaning),
            role: bits.fold(0, |role, (place, is)| role | u8::from(is) << place),
        }
    }
}

impl Plan {
    /// The detectors by their registered names.
    pub fn names(&self) -> Vec<DetectorName> {
        self.selected.iter().map(|one| one.name.clone()).collect()
    }

    /// The key of its answer. Plans with the same key have the same answer.
    pub fn key(&self, asked: &Key) -> Key {
        let selected = self.selected.iter().map(|one| one.part(false));
        let left_out = self.left_out.iter().map(|one| one.part(true));
        let parts: Vec<Part<'_>> = selected.chain(left_out).collect();
        key::key(asked, self.min_coverage, parts.into_iter())
    }

    /// Whether the request added detectors or requirements.
    pub fn has_additions(&self) -> bool {
        let added = |one: &Selected| !one.chosen || one.required != one.pinned;
        self.selected.iter().any(added)
    }

    /// The plan as in the answer, with the current health of the detectors.
    pub fn routing(&self, bundle: &Arc<str>) -> RoutingDecision {
        let healthy = |one: &Selected| one.detector.as_ref().is_some_and(|it| it.is_in_rotation());
        RoutingDecision {
            selected_detectors: self.called().cloned().collect(),
            routing_reason: self.reason.into(),
            policy_applied: bundle.clone(),
            coverage_requirements: CoverageRequirements {
                method: self.policy.coverage_method.name().into(),
                threshold: self.min_coverage,
            },
            health_status: self
                .selected
                .iter()
                .map(|one| (one.asked_as.clone(), healthy(one)))
                .collect(),
        }
    }

    fn called(&self) -> impl Iterator<Item = &Arc<str>> {
        self.selected.iter().map(|one| &one.asked_as)
    }
}
