//! Accepting a request by its tenant's rate.

use detector_api::orchestrate::ErrorCode;
use job_store::rate_limit::Decision;

use crate::answering::Answering;
use crate::error::ApiError;

/// Counts a request against its tenant's rate. `None`: it is not limited.
///
/// # Errors
/// RATE_LIMITED.
pub async fn accept(service: &Answering, tenant: &str) -> Result<Option<Decision>, ApiError> {
    let Some(limiter) = &service.limiter else {
        return Ok(None);
    };
    let Some(decision) = limiter.check("orchestrate", tenant).await else {
        return Ok(None);
    };
    let action = if decision.allowed {
        "allowed"
    } else {
        "limited"
    };
    service.metrics.rate_limited("orchestrate", tenant, action);
    if decision.allowed {
        return Ok(Some(decision));
    }
    let message = "the tenant's rate limit is exceeded; slow down";
    let error = ApiError::new(ErrorCode::RateLimited, message);
    Err(error.limited(decision, service.config.rate_limit_status))
}
