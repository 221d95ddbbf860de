//! From bytes to a request that can be run, or an error that names the field. Nothing of what the
//! client sent is repeated in an error: it may be the content.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::header as names;
use detector_api::orchestrate::{
    ErrorCode, MAX_CONTENT_CHARS, OrchestrateRequest, Priority, ProcessingMode,
};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::policy::DEFAULT_BUNDLE;

/// The most names in `required_detectors` or `excluded_detectors`.
const MAX_NAMES: usize = 100;
const MAX_NAME_CHARS: usize = 128;
const MAX_IDEMPOTENCY_KEY_CHARS: usize = 64;

/// A request that passed every check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Accepted {
    pub content: Arc<str>,
    pub content_type: ContentType,
    pub tenant: String,
    pub bundle: String,
    pub mode: ProcessingMode,
    pub priority: Priority,
    pub required: Vec<String>,
    pub excluded: Vec<String>,
}

/// Refuses a body that says it is something other than JSON.
///
/// # Errors
/// UNSUPPORTED_MEDIA_TYPE.
pub fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    let subtype = essence.to_ascii_lowercase();
    if subtype == "application/json" || subtype.ends_with("+json") {
        return Ok(());
    }
    let message = "the body must be JSON; send Content-Type: application/json";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, message))
}

/// The client's idempotency key, when it sent one.
///
/// # Errors
/// INVALID_REQUEST: it is empty, too long or not printable.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(names::IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match value.to_str().map(str::trim) {
        Ok(key) if !key.is_empty() && key.len() <= MAX_IDEMPOTENCY_KEY_CHARS => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiError::invalid(
            "Idempotency-Key",
            "must be 1 to 64 printable characters",
        )),
    }
}

/// How long a client with `Prefer: respond-async, wait=N` (RFC 7240) waits before it wants a job
/// instead; at once without `wait`.
pub fn respond_async(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let preferences: Vec<&str> = lines
        .flat_map(|line| line.split([',', ';']))
        .map(str::trim)
        .collect();
    if !preferences
        .iter()
        .any(|it| it.eq_ignore_ascii_case("respond-async"))
    {
        return None;
    }
    let wait = preferences
        .iter()
        .find_map(|it| it.strip_prefix("wait=")?.trim().parse().ok());
    Some(Duration::from_secs(wait.unwrap_or(0)))
}

/// Reads a body that is one JSON object.
///
/// # Errors
/// INVALID_REQUEST: where the syntax breaks, or which field is missing or wrong.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Serde would take an array for a struct, field by field.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(
        first,
        Some(b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n')
    ) {
        parse_any::<serde::de::IgnoredAny>(body)?;
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    parse_any(body)
}

/// Reads a body that is any JSON.
///
/// # Errors
/// As [`parse`].
pub fn parse_any<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Most bodies are right. One that is not is read again, to find out where it is wrong.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        // What stands where a word of a list should is reported as if it were no JSON.
        let misplaced = error.inner().to_string().starts_with("expected value")
            && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        if error.inner().is_data() || misplaced {
            explain(&error)
        } else {
            syntax(error.inner())
        }
    })?;
    reader.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

/// Reads an object that is JSON already.
///
/// # Errors
/// INVALID_REQUEST: which field is missing or wrong.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ApiError> {
    if !value.is_object() {
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| explain(&error))
}

fn syntax(error: &serde_json::Error) -> ApiError {
    let message = format!(
        "not valid JSON at line {} column {}",
        error.line(),
        error.column()
    );
    ApiError::invalid("body", &message)
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    // The text of the inner error quotes what the client sent; only a missing field's does not.
    let text = error.inner().to_string();
    if let Some(field) = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        return ApiError::invalid(field, "missing");
    }
    if let Some(field) = unknown_field(&text) {
        return ApiError::invalid(&bounded(field), "is not known here");
    }
    let path = error.path().to_string();
    let path = if path == "." {
        "body".to_owned()
    } else {
        bounded(&path)
    };
    let field = path
        .split(['.', '['])
        .find(|part| !part.is_empty())
        .unwrap_or("body");
    ApiError::invalid(&path, expected(field))
}

/// The name of a field that nobody asked for. Field names are structure, not content.
fn unknown_field(text: &str) -> Option<&str> {
    text.strip_prefix("unknown field `")?.split('`').next()
}

/// A path may hold keys that the client made up.
fn bounded(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn expected(field: &str) -> &'static str {
    match field {
        "content" => "must be a string",
        "content_type" => "must be one of text, image, document, code",
        "environment" => "must be one of dev, stage, prod",
        "processing_mode" => "must be sync or async",
        "priority" => "must be one of low, normal, high, critical",
        "metadata" => "must be an object or null",
        "tenant_id" | "policy_bundle" => "must be a string",
        "required_detectors" | "excluded_detectors" => "must be an array of strings or null",
        "requests" => "must be an array of requests",
        _ => "has the wrong type; see the API description",
    }
}

/// Checks what the types cannot.
///
/// # Errors
/// INVALID_REQUEST naming the field; INSUFFICIENT_RBAC for another tenant's.
pub fn accept(
    request: OrchestrateRequest,
    caller: &Caller<'_>,
    headers: &HeaderMap,
) -> Result<Accepted, ApiError> {
    if request.content.is_empty() {
        return Err(ApiError::invalid("content", "must not be empty"));
    }
    // Bytes are an upper bound of characters; only long texts need counting.
    if request.content.len() > MAX_CONTENT_CHARS {
        let count = request.content.chars().count();
        if count > MAX_CONTENT_CHARS {
            let message =
                format!("has {count} characters, at most {MAX_CONTENT_CHARS} are allowed");
            return Err(ApiError::invalid("content", &message));
        }
    }
    let bundle = request
        .policy_bundle
        .unwrap_or_else(|| DEFAULT_BUNDLE.to_owned());
    if bundle.is_empty() || bundle.chars().count() > MAX_NAME_CHARS {
        return Err(ApiError::invalid(
            "policy_bundle",
            "must be 1 to 128 characters",
        ));
    }
    Ok(Accepted {
        tenant: caller.tenant(request.tenant_id.as_deref(), headers)?,
        content: request.content.into(),
        content_type: request.content_type,
        bundle,
        mode: request.processing_mode,
        priority: request.priority,
        required: detector_names("required_detectors", request.required_detectors)?,
        excluded: detector_names("excluded_detectors", request.excluded_detectors)?,
    })
}

fn detector_names(field: &str, given: Option<Vec<String>>) -> Result<Vec<String>, ApiError> {
    let given = given.unwrap_or_default();
    if given.len() > MAX_NAMES {
        return Err(ApiError::invalid(field, "must hold at most 100 names"));
    }
    let wrong = |name: &String| name.is_empty() || name.chars().count() > MAX_NAME_CHARS;
    if given.iter().any(wrong) {
        return Err(ApiError::invalid(
            field,
            "each name must be 1 to 128 characters",
        ));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let found = parse::<OrchestrateRequest>(body.as_bytes())
            .and_then(|request| accept(request, &Caller::Everyone, &HeaderMap::new()))
            .map_or_else(|error| error.message, |_| "accepted".to_owned());
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn errors_name_the_field_and_never_quote_it() {
        check("{", "body: not valid JSON at line 1 column 1");
        check("[]", "body: must be a JSON object");
        check(r#"{"content": "x"}"#, "content_type: missing");
        check(
            r#"{"content": ["secret"], "content_type": "text"}"#,
            "content: must be a string",
        );
        for wrong in ["null", "7", "true", "[]"] {
            check(
                &format!(r#"{{"content": "x", "content_type": {wrong}}}"#),
                "content_type: must be one of text, image, document, code",
            );
        }
        check(
            r#"{"content": "x", "content_type": }"#,
            "body: not valid JSON at line 1 column 34",
        );
        check(
            r#"{"content": "x", "content_type": "secret"}"#,
            "content_type: must be one of text, image, document, code",
        );
        check(
            r#"{"content": "x", "content_type": "text", "required_detectors": ["a", 7]}"#,
            "required_detectors[1]: must be an array of strings or null",
        );
        check(
            r#"{"content": "", "content_type": "text", "tenant_id": "t"}"#,
            "content: must not be empty",
        );
        check(
            r#"{"content": "x", "content_type": "text"}"#,
            "tenant_id: missing; send it in the body or as X-Tenant-ID",
        );
        check(
            r#"{"content": "x", "content_type": "text", "tenant_id": "t"}"#,
            "accepted",
        );
    }

    #[test]
    fn length_is_counted_in_characters() {
        let body = |chars: usize| {
            let content = "ä".repeat(chars);
            format!(r#"{{"content": "{content}", "content_type": "text", "tenant_id": "t"}}"#)
        };
        check(&body(50_000), "accepted");
        check(
            &body(50_001),
            "content: has 50001 characters, at most 50000 are allowed",
        );
    }
}
