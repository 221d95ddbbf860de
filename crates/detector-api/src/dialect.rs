//! The wire contracts of detector services.

use serde::{Deserialize, Serialize};

/// A contract: paths, bodies, headers and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `/detect` and `/detect/batch`.
    #[default]
    Native,
    /// The guardrails Detector API, version 1: `/api/v1/text/…`.
    Fms,
    /// `OpenAI`'s `/v1/moderations`.
    OpenAi,
    /// Azure AI Content Safety: `/contentsafety/text:analyze`.
    Azure,
    /// The Presidio analyzer: `/analyze`.
    Presidio,
}

impl Dialect {
    pub const ALL: [Self; 5] = [
        Self::Native,
        Self::Fms,
        Self::OpenAi,
        Self::Azure,
        Self::Presidio,
    ];

    /// The path of the detection call.
    pub fn path(self) -> &'static str {
        match self {
            Self::Native => crate::detect::DETECT_PATH,
            Self::Fms => "/api/v1/text/contents",
            Self::OpenAi => "/v1/moderations",
            Self::Azure => "/contentsafety/text:analyze",
            Self::Presidio => "/analyze",
        }
    }
}
