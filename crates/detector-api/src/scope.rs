//! The scopes of API keys.

pub const ORCHESTRATE_WRITE: &str = "orchestrate:write";
pub const ORCHESTRATE_STATUS: &str = "orchestrate:status";
pub const REGISTRY_READ: &str = "registry:read";
pub const REGISTRY_WRITE: &str = "registry:write";
pub const POLICY_READ: &str = "policy:read";
pub const POLICY_WRITE: &str = "policy:write";
/// Permits everything, for every tenant.
pub const ADMIN: &str = "admin";

/// All scopes.
pub const ALL: [&str; 7] = [
    ORCHESTRATE_WRITE,
    ORCHESTRATE_STATUS,
    REGISTRY_READ,
    REGISTRY_WRITE,
    POLICY_READ,
    POLICY_WRITE,
    ADMIN,
];

/// The scopes of a caller without a key, if no key is required: it may send requests and read state.
pub const ANONYMOUS: [&str; 4] = [
    ORCHESTRATE_WRITE,
    ORCHESTRATE_STATUS,
    REGISTRY_READ,
    POLICY_READ,
];
