//! The `RateLimit-*` headers.

use http::HeaderMap;
use job_store::rate_limit::Decision;

/// Adds the `RateLimit-*` headers. The reset is in whole seconds, rounded up.
pub fn tell(decision: &Decision, headers: &mut HeaderMap) {
    let reset_s = decision.reset.as_nanos().div_ceil(1_000_000_000) as u64;
    headers.insert("ratelimit-limit", decision.limit.into());
    headers.insert("ratelimit-remaining", decision.remaining.into());
    headers.insert("ratelimit-reset", reset_s.into());
}
