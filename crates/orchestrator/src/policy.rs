//! Policies: which detectors a run asks, the coverage it needs, and how conflicts are resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use detector_api::orchestrate::ConflictMethod;
use live_config::Check;
use serde::{Deserialize, Serialize};

use crate::ask::registry::SpelledName;
use crate::config::OnFailure;
use crate::error::ApiError;

/// The built-in bundle.
pub const DEFAULT_BUNDLE: &str = "default";

const MAX_NAMES: usize = 100;
const MAX_NAME_CHARS: usize = 128;

/// One policy. The default one asks every detector that accepts the content. Detectors may be named by their
/// names or aliases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Detectors to ask; empty means all that accept the content type.
    pub detectors: Vec<SpelledName>,
    /// Capabilities, of which a detector needs one; empty means any detector.
    pub capabilities: Vec<String>,
    /// Detectors that must answer whatever the request selects.
    pub required_detectors: Vec<SpelledName>,
    pub coverage_method: CoverageMethod,
    /// The coverage below which an answer is partial; the service's setting when absent.
    pub min_coverage: Option<f64>,
    /// For taxonomy coverage: categories that a detector has to cover.
    pub required_categories: Vec<String>,
    /// The method of resolving conflicts; by content type when absent.
    pub conflict_method: Option<ConflictMethod>,
    /// For `tenant_preference`: the detectors in order of precedence.
    pub preference: Vec<SpelledName>,
    /// A label with at least this score blocks, 0 to 1.
    pub block_score: f64,
    /// Whether to stop once the verdict is certain.
    pub collect: Collect,
    /// The effect of a missing answer, by detector; the detector's own setting when absent.
    pub on_failure: BTreeMap<SpelledName, OnFailure>,
    /// The weight in coverage of a stale answer that replaces a detector with an open breaker, 0 to 1. 0 means
    /// that none does.
    pub stale_if_open: f64,
    /// Weights by detector; the detector's own when absent.
    pub weights: BTreeMap<SpelledName, f64>,
}

/// The number of answers to wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collect {
    /// All of them.
    #[default]
    All,
    /// Those that can still change the verdict; the others are cancelled as not needed. Coverage counts only
    /// detectors that answered.
    UntilDecided,
}

/// How coverage is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageMethod {
    /// Required detectors that succeeded, of all required.
    RequiredSet,
    /// Weights of those that succeeded, of all weights.
    #[default]
    WeightedCoverage,
    /// Required categories that a detector covered, of all required.
    TaxonomyCoverage,
}

impl Policy {
    /// Validates the values that the types do not.
    ///
    /// # Errors
    /// INVALID_REQUEST naming the field.
    pub fn check(&self) -> Result<(), ApiError> {
        let mut errors = Vec::new();
        let mut check = Check::new(&mut errors);
        if let Some(coverage) = self.min_coverage {
            check.share("min_coverage", coverage);
        }
        check.share("block_score", self.block_score);
        check.share("stale_if_open", self.stale_if_open);
        if let Some(error) = errors.first() {
            return Err(ApiError::invalid(&error.path, &error.message));
        }
        let weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        if !self.weights.values().all(weight) {
            return Err(ApiError::invalid(
                "weights",
                "must be numbers of at least 0",
            ));
        }
        let texts = |names: &[SpelledName]| -> Vec<Arc<str>> {
            names.iter().map(|name| name.text().clone()).collect()
        };
        let own = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
        for (field, names) in [
            ("detectors", texts(&self.detectors)),
            ("capabilities", own(&self.capabilities)),
            ("required_detectors", texts(&self.required_detectors)),
            ("required_categories", own(&self.required_categories)),
            ("preference", texts(&self.preference)),
        ] {
            let wrong = |name: &Arc<str>| name.is_empty() || name.chars().count() > MAX_NAME_CHARS;
            if names.len() > MAX_NAMES || names.iter().any(wrong) {
                let message = "must hold at most 100 names of 1 to 128 characters";
                return Err(ApiError::invalid(field, message));
            }
        }
        if self.weights.len() > MAX_NAMES || self.on_failure.len() > MAX_NAMES {
            return Err(ApiError::invalid(
                "weights, on_failure",
                "must name at most 100 detectors",
            ));
        }
        Ok(())
    }
}

impl CoverageMethod {
    pub fn name(self) -> &'static str {
        match self {
            Self::RequiredSet => "required_set",
            Self::WeightedCoverage => "weighted_coverage",
            Self::TaxonomyCoverage => "taxonomy_coverage",
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            detectors: Vec::new(),
            capabilities: Vec::new(),
            required_detectors: Vec::new(),
            coverage_method: CoverageMethod::default(),
            min_coverage: None,
            required_categories: Vec::new(),
            conflict_method: None,
            preference: Vec::new(),
            block_score: 0.5,
            collect: Collect::default(),
            on_failure: BTreeMap::new(),
            stale_if_open: 0.0,
            weights: BTreeMap::new(),
        }
    }
}
