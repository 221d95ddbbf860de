//! The data of one client's request that is not shared.

use detector_api::orchestrate::ProcessingMode;
use http::HeaderValue;
use tokio::time::Instant;

/// The data of one client's request that is not shared.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub request_id: String,
    pub traceparent: Option<HeaderValue>,
    pub idempotency_key: Option<String>,
    pub started: Instant,
    pub mode: ProcessingMode,
    pub job_id: Option<String>,
}
