//! Which detectors a request asks: policy, then content type, then capabilities, then health.
//! `required_detectors` wins over the policy, `excluded_detectors` over all.

use std::sync::Arc;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{ConflictMethod, CoverageRequirements, RoutingDecision};

use crate::config::OnFailure;
use crate::error::ApiError;
use crate::intake::Accepted;
use crate::policy::Policy;
use crate::registry::{Detector, Registry};

/// What a request will do.
pub struct Plan {
    pub selected: Vec<Selected>,
    pub method: ConflictMethod,
    pub min_coverage: f64,
    pub policy: Arc<Policy>,
    /// Why these.
    pub reason: &'static str,
}

impl Plan {
    /// The detectors under the names that they are registered by.
    pub fn canonical_names(&self) -> Vec<Arc<str>> {
        let name = |one: &Selected| {
            let found = one.detector.as_ref().map(|found| &found.shared_name);
            found.unwrap_or(&one.name).clone()
        };
        self.selected.iter().map(name).collect()
    }
}

/// One detector of a plan.
#[derive(Clone)]
pub struct Selected {
    /// As it was asked for; an alias stays an alias.
    pub name: Arc<str>,
    /// `None`: nobody of this name is registered.
    pub detector: Option<Arc<Detector>>,
    pub required: bool,
    pub weight: f64,
    pub on_failure: OnFailure,
}

/// The policy that applies, and the service's own threshold.
pub struct Rules {
    pub policy: Arc<Policy>,
    pub bundle: Arc<str>,
    pub version: u64,
    /// Of what the policy says.
    pub digest: [u8; 32],
    pub default_coverage: f64,
}

/// Makes the plan.
///
/// # Errors
/// INVALID_REQUEST: nothing is left to ask.
pub fn plan(request: &Accepted, registry: &Registry, rules: &Rules) -> Result<Plan, ApiError> {
    let policy = &rules.policy;
    // A few names each: looking through them is quicker than hashing them.
    let excluded: Vec<&str> = request
        .excluded
        .iter()
        .map(|name| canonical(registry, name))
        .collect();
    let (names, reason) = candidates(request, registry, policy);
    let mut seen = Vec::with_capacity(names.len());
    let mut selected = Vec::with_capacity(names.len());
    for name in names {
        let found = registry.find(name);
        let canonical = found.map_or(name, |detector| detector.name());
        if excluded.contains(&canonical) || seen.contains(&canonical) {
            continue;
        }
        seen.push(canonical);
        let mut required = request.required.iter().chain(&policy.required_detectors);
        let required = required.any(|required| required == name);
        selected.push(select((name, found), required, policy));
    }
    if selected.is_empty() {
        let (field, message) = if request.excluded.is_empty() {
            ("content_type", "no detector takes content of this type")
        } else {
            (
                "excluded_detectors",
                "nothing is left to ask; exclude fewer detectors",
            )
        };
        return Err(ApiError::invalid(field, message));
    }
    let min_coverage = policy.min_coverage.unwrap_or(rules.default_coverage);
    Ok(Plan {
        selected,
        method: policy
            .conflict_method
            .unwrap_or_else(|| usual_method(request.content_type)),
        min_coverage,
        policy: policy.clone(),
        reason,
    })
}

/// How conflicts end where the policy does not say.
pub fn usual_method(content_type: ContentType) -> ConflictMethod {
    match content_type {
        ContentType::Text => ConflictMethod::WeightedAverage,
        ContentType::Image => ConflictMethod::HighestConfidence,
        ContentType::Document => ConflictMethod::MostRestrictive,
        ContentType::Code => ConflictMethod::MajorityVote,
    }
}

fn canonical<'a>(registry: &'a Registry, name: &'a str) -> &'a str {
    registry.find(name).map_or(name, |detector| detector.name())
}

/// The names to ask, the policy's own required ones and the service's always among them, so that a
/// request cannot weaken what its tenant or the operator demands by asking for something else.
fn candidates<'a>(
    request: &'a Accepted,
    registry: &'a Registry,
    policy: &'a Policy,
) -> (Vec<&'a str>, &'static str) {
    let pinned = policy.required_detectors.iter().map(String::as_str);
    if !request.required.is_empty() {
        let asked = request.required.iter().map(String::as_str);
        let always = registry
            .iter()
            .filter(|it| it.settings.required && it.settings.takes(request.content_type))
            .map(|it| it.name());
        let names = asked.chain(pinned).chain(always).collect();
        return (names, "required by the request");
    }
    if !policy.detectors.is_empty() {
        let listed = policy.detectors.iter().map(String::as_str).filter(|name| {
            registry
                .find(name)
                .is_none_or(|found| suits(found, request.content_type, policy))
        });
        return (listed.chain(pinned).collect(), "listed by the policy");
    }
    let able = registry
        .iter()
        .filter(|found| found.settings.shadow_of.is_none())
        .filter(|found| suits(found, request.content_type, policy));
    let reason = if policy.capabilities.is_empty() {
        "all that take the content type"
    } else {
        "all that take the content type and have the policy's capabilities"
    };
    (
        able.map(|detector| detector.name()).chain(pinned).collect(),
        reason,
    )
}

fn suits(detector: &Detector, content_type: ContentType, policy: &Policy) -> bool {
    let has = |capability: &String| detector.settings.capabilities.contains(capability);
    detector.settings.takes(content_type)
        && (policy.capabilities.is_empty() || policy.capabilities.iter().any(has))
}

fn select(
    (name, found): (&str, Option<&Arc<Detector>>),
    required: bool,
    policy: &Policy,
) -> Selected {
    // A shadow answers nobody, whatever a request names.
    let live = |found: &&Arc<Detector>| found.settings.shadow_of.is_none();
    let detector = found.filter(live).cloned();
    let settings = detector.as_ref().map(|detector| &detector.settings);
    let canonical = settings.map_or(name, |settings| &settings.name);
    let own_weight = settings.map_or(1.0, |settings| settings.weight);
    let own_failure = settings.map_or(OnFailure::default(), |settings| settings.on_failure);
    let shared = found.map(|found| &found.shared_name);
    let shared = shared.filter(|shared| &***shared == name);
    Selected {
        name: shared.map_or_else(|| name.into(), Arc::clone),
        required: required || settings.is_some_and(|settings| settings.required),
        weight: policy.weights.get(canonical).copied().unwrap_or(own_weight),
        on_failure: policy
            .on_failure
            .get(canonical)
            .copied()
            .unwrap_or(own_failure),
        detector,
    }
}

impl Plan {
    /// The plan as the answer tells of it, with the detectors' health as it is now.
    pub fn routing(&self, bundle: &Arc<str>) -> RoutingDecision {
        let healthy = |one: &Selected| one.detector.as_ref().is_some_and(|it| it.is_in_rotation());
        RoutingDecision {
            selected_detectors: self.selected.iter().map(|one| one.name.clone()).collect(),
            routing_reason: self.reason.into(),
            policy_applied: bundle.clone(),
            coverage_requirements: CoverageRequirements {
                method: self.policy.coverage_method.name().into(),
                threshold: self.min_coverage,
            },
            health_status: self
                .selected
                .iter()
                .map(|one| (one.name.clone(), healthy(one)))
                .collect(),
        }
    }

    /// Who is asked, as they were asked for.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.selected.iter().map(|one| &*one.name)
    }
}
