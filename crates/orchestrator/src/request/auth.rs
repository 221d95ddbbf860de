//! Callers: keys, tenants, scopes.

use detector_api::orchestrate::{ErrorCode, MAX_TENANT_CHARS};
pub use detector_api::scope::{
    ADMIN, ORCHESTRATE_STATUS, ORCHESTRATE_WRITE, POLICY_READ, POLICY_WRITE, REGISTRY_READ,
    REGISTRY_WRITE,
};
use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::config::{ApiKey, Auth, AuthMode};
use crate::error::ApiError;
use crate::request::once::single;

/// Scopes of a key that lists none.
const DEFAULT_SCOPES: [&str; 2] = [ORCHESTRATE_WRITE, ORCHESTRATE_STATUS];

/// The caller of one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Caller<'a> {
    /// Keys are not checked: all callers are alike and have all scopes.
    Everyone,
    /// No key, if that is allowed.
    Anonymous { scopes: &'a [String] },
    Key {
        tenant: &'a str,
        scopes: &'a [String],
    },
}

impl Caller<'_> {
    /// Whether it has `scope`.
    ///
    /// # Errors
    /// INSUFFICIENT_RBAC, naming the scope; UNAUTHORIZED for a caller without a key.
    pub fn require(&self, scope: &str) -> Result<(), ApiError> {
        let holds = |scopes: &[String]| scopes.iter().any(|held| held == scope || held == ADMIN);
        let allowed = match self {
            Self::Everyone => true,
            Self::Anonymous { scopes } if holds(scopes) => true,
            Self::Anonymous { .. } => {
                let message = format!("an API key is required; send one with the scope {scope}");
                return Err(ApiError::new(ErrorCode::Unauthorized, message));
            }
            Self::Key { scopes: [], .. } => DEFAULT_SCOPES.contains(&scope),
            Self::Key { scopes, .. } => holds(scopes),
        };
        if allowed {
            return Ok(());
        }
        let message = format!("this API key lacks the scope {scope}");
        Err(ApiError::new(ErrorCode::InsufficientRbac, message))
    }

    /// The tenant a request is for: the body's, else the header's, else the key's.
    ///
    /// # Errors
    /// INVALID_REQUEST when it is missing or malformed, INSUFFICIENT_RBAC when the key belongs to another
    /// tenant.
    pub fn tenant(&self, body: Option<&str>, headers: &HeaderMap) -> Result<String, ApiError> {
        let header = tenant_header(headers)?;
        let own = match self {
            Self::Everyone | Self::Anonymous { .. } => None,
            Self::Key { tenant, .. } => Some(*tenant),
        };
        let tenant = body.or(header).or(own).ok_or_else(|| {
            ApiError::invalid(
                "tenant_id",
                "missing; send it in the body or as X-Tenant-ID",
            )
        })?;
        if !is_tenant(tenant) {
            return Err(ApiError::invalid("tenant_id", NO_TENANT));
        }
        if own.is_some_and(|own| own != tenant) && self.require(ADMIN).is_err() {
            let message = "this API key belongs to another tenant";
            return Err(ApiError::new(ErrorCode::InsufficientRbac, message));
        }
        Ok(tenant.to_owned())
    }
}

const NO_TENANT: &str = "must be 1 to 64 characters without control characters";

/// The value of `X-Tenant-ID`. It has to be valid even if the body overrides it.
///
/// # Errors
/// INVALID_REQUEST: it is malformed, or names two tenants.
pub fn tenant_header(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = single(headers, "X-Tenant-ID")? else {
        return Ok(None);
    };
    // A malformed tenant must not be ignored, since the request would count for another one.
    let Ok(given) = value.to_str() else {
        let message = "must be ASCII; send other names as tenant_id in the body";
        return Err(ApiError::invalid("X-Tenant-ID", message));
    };
    if is_tenant(given) {
        Ok(Some(given))
    } else {
        Err(ApiError::invalid("X-Tenant-ID", NO_TENANT))
    }
}

fn is_tenant(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_TENANT_CHARS).contains(&length) && !name.chars().any(char::is_control)
}

/// Finds the caller by the key in the configured header.
///
/// # Errors
/// UNAUTHORIZED: the key is unknown, or missing where one is required. INVALID_REQUEST: there are
/// two different ones.
pub fn identify<'a>(auth: &'a Auth, headers: &HeaderMap) -> Result<Caller<'a>, ApiError> {
    if auth.mode == AuthMode::Off {
        return Ok(Caller::Everyone);
    }
    let Some(key) = single(headers, &auth.header)? else {
        if auth.mode == AuthMode::Optional {
            let scopes = &auth.anonymous;
            return Ok(Caller::Anonymous { scopes });
        }
        let message = format!("missing API key; send one as {}", auth.header);
        return Err(ApiError::new(ErrorCode::Unauthorized, message));
    };
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    match find(&auth.keys, &digest) {
        Some(key) => Ok(Caller::Key {
            tenant: &key.tenant,
            scopes: &key.scopes,
        }),
        None => Err(ApiError::new(ErrorCode::Unauthorized, "unknown API key")),
    }
}

/// Compares every key and every byte in constant time.
fn find<'a>(keys: &'a [ApiKey], digest: &[u8; 32]) -> Option<&'a ApiKey> {
    let mut found = None;
    for key in keys {
        let difference = key
            .sha256
            .iter()
            .zip(digest)
            .fold(0, |all, (a, b)| all | (a ^ b));
        if difference == 0 {
            found = Some(key);
        }
    }
    found
}

/// The hash of a key, which is stored instead of the key.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use detector_api::header;

    use super::*;

    fn auth(mode: AuthMode) -> Auth {
        let key = |key, tenant: &str, scopes: &[&str]| ApiKey {
            sha256: hash(key),
            tenant: tenant.to_owned(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
        };
        Auth {
            mode,
            header: "X-API-Key".to_owned(),
            anonymous: vec![ORCHESTRATE_WRITE.to_owned()],
            keys: vec![
                key("test-key", "perf-tenant", &[]),
                key("reader", "perf-tenant", &[ORCHESTRATE_STATUS]),
                key("root", "ops", &[ADMIN]),
            ],
        }
    }

    fn check(mode: AuthMode, key: Option<&str>, tenant: Option<&str>, expected: &str) {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert("x-api-key", key.parse().expect("a header value"));
        }
        let found = identify(&auth(mode), &headers)
            .and_then(|caller| caller.require(ORCHESTRATE_WRITE).map(|()| caller))
            .and_then(|caller| caller.tenant(tenant, &headers))
            .unwrap_or_else(|error| format!("{:?}", error.code));
        assert_eq!(found, expected, "{mode:?} {key:?} {tenant:?}");
    }

    #[test]
    fn the_mode_decides_whether_a_key_is_needed() {
        check(AuthMode::Optional, None, Some("a"), "a");
        check(AuthMode::Optional, Some("wrong"), Some("a"), "Unauthorized");
        check(AuthMode::Required, None, Some("a"), "Unauthorized");
        check(AuthMode::Required, Some("test-key"), None, "perf-tenant");
        check(AuthMode::Off, Some("wrong"), Some("a"), "a");
    }

    #[test]
    fn a_key_is_limited_to_its_own_tenant_unless_it_is_an_admins() {
        check(
            AuthMode::Optional,
            Some("test-key"),
            Some("other"),
            "InsufficientRbac",
        );
        check(AuthMode::Optional, Some("root"), Some("other"), "other");
        check(AuthMode::Optional, Some("reader"), None, "InsufficientRbac");
        check(AuthMode::Optional, None, None, "InvalidRequest");
        check(AuthMode::Optional, None, Some(""), "InvalidRequest");
    }

    #[test]
    fn a_malformed_tenant_header_is_refused_and_not_ignored() {
        for (value, expected) in [
            (b"t".as_slice(), Ok(Some("t"))),
            ("café".as_bytes(), Err(ErrorCode::InvalidRequest)),
            (b"\xff", Err(ErrorCode::InvalidRequest)),
            (b"", Err(ErrorCode::InvalidRequest)),
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(value).expect("a header value");
            headers.insert(header::TENANT_ID, value);
            let found = tenant_header(&headers).map_err(|error| error.code);
            assert_eq!(found, expected);
            let auth = auth(AuthMode::Optional);
            let caller = identify(&auth, &HeaderMap::new()).expect("allowed");
            let named = caller.tenant(Some("body"), &headers);
            assert_eq!(named.is_ok(), expected.is_ok(), "the body does not mend it");
        }
    }

    #[test]
    fn a_caller_without_a_key_has_exactly_the_configured_scopes() {
        let (optional, off) = (auth(AuthMode::Optional), auth(AuthMode::Off));
        let caller = identify(&optional, &HeaderMap::new()).expect("allowed");
        assert_eq!(caller.require(ORCHESTRATE_WRITE), Ok(()));
        let error = caller.require(REGISTRY_WRITE).expect_err("not listed");
        assert_eq!(error.code, ErrorCode::Unauthorized);
        let off = identify(&off, &HeaderMap::new()).expect("allowed");
        assert_eq!(off.require(ADMIN), Ok(()));
    }
}
