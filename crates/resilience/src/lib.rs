//! Breaker, retry budget, backoff, limits: pure cores and thin async wrappers.
