//! What a tenant asks of a run: which detectors, how much coverage, how conflicts end.

use std::collections::BTreeMap;

use detector_api::orchestrate::ConflictMethod;
use serde::{Deserialize, Serialize};

use crate::config::OnFailure;

/// The bundle that is there without being stored.
pub const DEFAULT_BUNDLE: &str = "default";

/// One policy. The default one asks every detector that takes the content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Detectors to ask; empty: all that take the content type.
    pub detectors: Vec<String>,
    /// Only detectors that can do one of these; empty: no matter.
    pub capabilities: Vec<String>,
    /// Detectors that must answer whatever the request selects.
    pub required_detectors: Vec<String>,
    pub coverage_method: CoverageMethod,
    /// Coverage under which an answer is partial; the service's setting when absent.
    pub min_coverage: Option<f64>,
    /// For taxonomy coverage: categories that somebody has to look for.
    pub required_categories: Vec<String>,
    /// How conflicts end; by content type when absent.
    pub conflict_method: Option<ConflictMethod>,
    /// For `tenant_preference`: who is believed first.
    pub preference: Vec<String>,
    /// A label with at least this score blocks, 0 to 1.
    pub block_score: f64,
    /// What a missing answer does, by detector; the detector's own setting when absent.
    pub on_failure: BTreeMap<String, OnFailure>,
    /// Weights by detector; the detector's own when absent.
    pub weights: BTreeMap<String, f64>,
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
    /// Required categories that somebody looked for, of all required.
    TaxonomyCoverage,
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
            on_failure: BTreeMap::new(),
            weights: BTreeMap::new(),
        }
    }
}
