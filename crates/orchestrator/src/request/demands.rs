//! Requirements of the operator and the policy, with resolved names. Policies use any spelling and outlive
//! changes of the registry, so their names are resolved for each plan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use detector_api::detect::ContentType;
use foldhash::fast::RandomState;

use crate::ask::registry::{Detector, DetectorName, Registry, SpelledName};
use crate::config::OnFailure;
use crate::error::ApiError;
use crate::policy::Policy;

/// The number of names up to which a linear search is used.
const FEW: usize = 16;

pub type Names = HashSet<DetectorName, RandomState>;
type ByName<T> = HashMap<DetectorName, T, RandomState>;

/// A detector to ask: its spelling and its resolution.
#[derive(Clone)]
pub struct Named {
    /// The name in the request; an alias stays an alias, in answers only.
    pub asked_as: Arc<str>,
    pub name: DetectorName,
    /// `None`: no detector with this name is registered.
    pub detector: Option<Arc<Detector>>,
}

impl Named {
    pub fn resolve(spelled: &SpelledName, registry: &Registry) -> Self {
        match registry.find(spelled.text()) {
            Some(detector) => Self {
                asked_as: spelled.text().clone(),
                name: detector.name.clone(),
                detector: Some(detector.clone()),
            },
            None => Self {
                asked_as: spelled.text().clone(),
                name: registry.resolve(spelled),
                detector: None,
            },
        }
    }

    fn registered(detector: &Arc<Detector>) -> Self {
        Self {
            asked_as: detector.name.text().clone(),
            name: detector.name.clone(),
            detector: Some(detector.clone()),
        }
    }
}

/// The detectors that are asked by default, and those that are required.
pub struct Demands {
    /// All detectors that the policy chooses, and all pinned ones, without duplicates.
    pub chosen: Vec<Named>,
    /// The detectors that must be asked: required by the policy, or by the operator for this content type.
    pinned: Names,
    /// Whether the policy leaves the choice to the request: it names neither detectors nor
    /// capabilities.
    pub is_open: bool,
    /// Detectors in order of precedence in conflicts.
    pub preference: Vec<DetectorName>,
    on_failure: ByName<OnFailure>,
    weights: ByName<f64>,
    /// The reason for the selection.
    pub reason: &'static str,
}

impl Demands {
    pub fn new(policy: &Policy, registry: &Registry, content_type: ContentType) -> Self {
        let (mut chosen, reason) = choose(policy, registry, content_type);
        let required = policy.required_detectors.iter();
        let by_policy = required.map(|spelled| Named::resolve(spelled, registry));
        let by_operator = registry
            .iter()
            .filter(|it| is_live(it) && it.settings.required && it.settings.takes(content_type))
            .map(Named::registered);
        let pinned: Vec<Named> = by_policy.chain(by_operator).collect();
        let names = pinned.iter().map(|one| one.name.clone()).collect();
        chosen.extend(pinned);
        Self {
            chosen: distinct(chosen),
            pinned: names,
            is_open: policy.detectors.is_empty() && policy.capabilities.is_empty(),
            preference: resolve_all(&policy.preference, registry),
            on_failure: on_failure(policy, registry),
            weights: weights(policy, registry),
            reason,
        }
    }

    pub fn is_pinned(&self, name: &DetectorName) -> bool {
        self.pinned.contains(name)
    }

    /// The effect of a missing answer by the policy.
    pub fn on_failure(&self, name: &DetectorName) -> Option<OnFailure> {
        self.on_failure.get(name).copied()
    }

    pub fn weight(&self, name: &DetectorName) -> Option<f64> {
        self.weights.get(name).copied()
    }
}

fn strictness(mode: OnFailure) -> u8 {
    match mode {
        OnFailure::Open => 0,
        OnFailure::Degrade => 1,
        OnFailure::Closed => 2,
    }
}

/// A shadow never answers, whatever names it.
pub fn is_live(detector: &Detector) -> bool {
    detector.settings.shadow_of.is_none()
}

/// The detectors that the policy chooses itself.
fn choose(
    policy: &Policy,
    registry: &Registry,
    content_type: ContentType,
) -> (Vec<Named>, &'static str) {
    if !policy.detectors.is_empty() {
        let listed = policy.detectors.iter();
        let listed = listed.map(|spelled| Named::resolve(spelled, registry));
        let suited = |one: &Named| {
            let detector = one.detector.as_ref();
            detector.is_none_or(|it| suits(it, content_type, policy))
        };
        return (listed.filter(suited).collect(), "listed by the policy");
    }
    let able = registry
        .iter()
        .filter(|it| is_live(it) && suits(it, content_type, policy));
    let reason = if policy.capabilities.is_empty() {
        "all that accept the content type"
    } else {
        "all that accept the content type and have the policy's capabilities"
    };
    (able.map(Named::registered).collect(), reason)
}

fn suits(detector: &Detector, content_type: ContentType, policy: &Policy) -> bool {
    let has = |capability: &String| detector.settings.capabilities.contains(capability);
    detector.settings.takes(content_type)
        && (policy.capabilities.is_empty() || policy.capabilities.iter().any(has))
}

/// Each of them once, with its first spelling.
pub fn distinct(all: Vec<Named>) -> Vec<Named> {
    // For a few names a linear search is faster than hashing.
    if all.len() <= FEW {
        let mut once: Vec<Named> = Vec::with_capacity(all.len());
        for one in all {
            if !once.iter().any(|known| known.name == one.name) {
                once.push(one);
            }
        }
        return once;
    }
    let mut known = Names::default();
    all.into_iter()
        .filter(|one| known.insert(one.name.clone()))
        .collect()
}

pub fn resolve_all<T: FromIterator<DetectorName>>(
    spelled: &[SpelledName],
    registry: &Registry,
) -> T {
    spelled.iter().map(|one| registry.resolve(one)).collect()
}

/// The strictest counts, if a policy has several values for one detector.
fn on_failure(policy: &Policy, registry: &Registry) -> ByName<OnFailure> {
    let mut all: ByName<OnFailure> = ByName::default();
    for (spelled, own) in &policy.on_failure {
        let mode = all.entry(registry.resolve(spelled)).or_insert(*own);
        if strictness(*own) > strictness(*mode) {
            *mode = *own;
        }
    }
    all
}

/// The weight for a detector's own name takes precedence over one for an alias.
fn weights(policy: &Policy, registry: &Registry) -> ByName<f64> {
    let mut all: ByName<f64> = ByName::default();
    for (spelled, weight) in &policy.weights {
        let name = registry.resolve(spelled);
        if **spelled.text() == *name.as_str() {
            all.insert(name, *weight);
        } else {
            all.entry(name).or_insert(*weight);
        }
    }
    all
}

/// The resolution of a name in a policy: the detector's own name, and whether it is a shadow.
pub struct ResolvedName {
    pub name: Arc<str>,
    pub is_shadow: bool,
}

/// The resolution of names in the registry.
pub fn in_registry(registry: &Registry) -> impl Fn(&SpelledName) -> ResolvedName {
    |spelled| match registry.find(spelled.text()) {
        Some(found) => ResolvedName {
            name: found.name.text().clone(),
            is_shadow: !is_live(found),
        },
        None => ResolvedName {
            name: spelled.text().clone(),
            is_shadow: false,
        },
    }
}

/// Refuses a policy that has two values for one detector under two of its names, or requires a shadow, which
/// never answers. `meant` resolves names; file and API have the same rules.
///
/// # Errors
/// INVALID_REQUEST naming the field and the detector.
pub fn check_names(
    policy: &Policy,
    meant: &dyn Fn(&SpelledName) -> ResolvedName,
) -> Result<(), ApiError> {
    for (field, names) in [
        ("weights", policy.weights.keys().collect::<Vec<_>>()),
        ("on_failure", policy.on_failure.keys().collect()),
    ] {
        let mut known = HashSet::new();
        for spelled in names {
            let name = meant(spelled).name;
            if known.contains(&name) {
                let message = format!("contains `{name}` twice, by two of its names; keep one");
                return Err(ApiError::invalid(field, &message));
            }
            known.insert(name);
        }
    }
    for (field, names) in [
        ("detectors", &policy.detectors),
        ("required_detectors", &policy.required_detectors),
    ] {
        let shadow = names.iter().map(meant).find(|meant| meant.is_shadow);
        if let Some(ResolvedName { name, .. }) = shadow {
            let message =
                format!("`{name}` is a shadow, whose results are not used; name a live detector");
            return Err(ApiError::invalid(field, &message));
        }
    }
    Ok(())
}
