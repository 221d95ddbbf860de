//! Policies and shadows that depend on a detector. A registry change that would leave a policy with an unknown
//! detector or a shadow is refused, because every request under that policy would fail from then on; so is one
//! that would leave a shadow without its live detector, because the shadow would never be asked again.

use detector_api::orchestrate::ErrorCode;

use crate::ask::registry::{Registry, SpelledName};
use crate::error::ApiError;
use crate::policies::Policies;
use crate::policy::Policy;
use crate::request::demands::is_live;

/// A policy in force that would lose a detector.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependent {
    pub tenant: String,
    pub bundle: String,
    /// The detector, as the policy calls it.
    pub detector: SpelledName,
    /// Whether the name would mean a shadow, or nothing.
    pub becomes_shadow: bool,
}

impl Dependent {
    pub(super) fn refusal(&self) -> ApiError {
        let Self {
            tenant,
            bundle,
            detector,
            becomes_shadow,
        } = self;
        let loss = if *becomes_shadow {
            "become a shadow"
        } else {
            "no longer exist"
        };
        let message = format!(
            "policy `{bundle}` of tenant `{tenant}` names `{}`, which would {loss}; \
             change the policy first",
            detector.text()
        );
        let details = serde_json::json!({
            "tenant": tenant, "bundle": bundle, "detector": detector.text(),
        });
        ApiError::new(ErrorCode::Conflict, message).with_details(details)
    }
}

/// The first shadow that would lose its live detector, and the name by which it calls it.
pub(super) fn orphan<'a>(before: &Registry, after: &'a Registry) -> Option<(&'a str, &'a str)> {
    after.iter().find_map(|shadow| {
        let live = shadow.settings.shadow_of.as_deref()?;
        let is_lost = before.find(live).is_some() && after.find(live).is_none();
        is_lost.then(|| (shadow.name(), live))
    })
}

/// Refuses a change after which a shadow would have lost its live detector.
///
/// # Errors
/// CONFLICT, with the names of both.
pub(super) fn check_shadows(before: &Registry, after: &Registry) -> Result<(), ApiError> {
    let Some((shadow, live)) = orphan(before, after) else {
        return Ok(());
    };
    let message = format!(
        "`{shadow}` is a shadow of `{live}`, which would no longer exist; remove the shadow first"
    );
    let details = serde_json::json!({"detector": live, "shadow": shadow});
    Err(ApiError::new(ErrorCode::Conflict, message).with_details(details))
}

/// The first policy in force that would lose a detector by the change from `before` to `after`.
pub(super) fn first(policies: &Policies, before: &Registry, after: &Registry) -> Option<Dependent> {
    policies.find_in_force(|tenant, bundle, policy| {
        let (detector, becomes_shadow) = lost(policy, before, after)?;
        Some(Dependent {
            tenant: tenant.to_owned(),
            bundle: bundle.to_owned(),
            detector,
            becomes_shadow,
        })
    })
}

/// The first name that a policy loses, and whether it becomes a shadow. A name that was unknown before is not
/// lost: a policy may be stored before its detectors are registered.
fn lost(policy: &Policy, before: &Registry, after: &Registry) -> Option<(SpelledName, bool)> {
    let mut asked = policy.detectors.iter().chain(&policy.required_detectors);
    asked.find_map(|spelled| {
        let is_answering = |registry: &Registry| {
            let found = registry.find(spelled.text());
            found.map(|detector| is_live(detector))
        };
        match (is_answering(before), is_answering(after)) {
            (Some(true), None) => Some((spelled.clone(), false)),
            (None | Some(true), Some(false)) => Some((spelled.clone(), true)),
            _ => None,
        }
    })
}
