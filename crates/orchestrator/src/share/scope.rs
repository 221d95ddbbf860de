//! The scope of answers, for invalidation.

use std::sync::Arc;

use crate::ask::registry::DetectorName;

/// The tenant, policy and detectors of an answer, for invalidation.
#[derive(Default)]
pub struct About {
    pub tenant: String,
    pub bundle: Arc<str>,
    pub detectors: Vec<DetectorName>,
}

/// The answers to drop; an absent field does not restrict them.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub tenant: Option<String>,
    pub policy: Option<String>,
    pub detector: Option<DetectorName>,
}

impl Scope {
    pub fn covers(&self, about: &About) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&self.tenant, &about.tenant)
            && is(&self.policy, &about.bundle)
            && self
                .detector
                .as_ref()
                .is_none_or(|wanted| about.detectors.contains(wanted))
    }
}
