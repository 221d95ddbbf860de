//! The names of HTTP headers, in lower case.

use http::HeaderName;

/// The key of a request: for decisions, and to match an answer to its request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The remaining milliseconds until the caller's deadline, at the time of sending.
pub const DEADLINE_MS: HeaderName = HeaderName::from_static("x-deadline-ms");
/// The number of the attempt, from 1.
pub const ATTEMPT: HeaderName = HeaderName::from_static("x-attempt");
/// The tenant on whose behalf a call is made.
pub const TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
/// The decision of a mock detector about the request, as `name=value` pairs joined by `;`.
pub const DECISION: HeaderName = HeaderName::from_static("x-sparring-decision");
/// W3C trace context, passed on unchanged.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The orchestrator's own id of a request.
pub const ORCHESTRATOR_REQUEST_ID: HeaderName =
    HeaderName::from_static("x-orchestrator-request-id");
/// Whether an answer came from the cache: `hit`, `miss`, `bypass` or `stale`.
pub const CACHE: HeaderName = HeaderName::from_static("x-cache");
/// The client's key that makes a request safe to repeat.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The API key, unless another header name is configured.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Asks a mock detector for a failure, by name or as JSON, if its listener permits that.
pub const FAULT: HeaderName = HeaderName::from_static("x-sparring-fault");
/// Asks a mock detector for a delay in milliseconds, if its listener permits that.
pub const LATENCY_MS: HeaderName = HeaderName::from_static("x-sparring-latency-ms");
