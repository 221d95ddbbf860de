//! Parses bytes to a valid request, or an error that names the field. An error never repeats what the client
//! sent, since it may be content.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{
    ErrorCode, MAX_CONTENT_CHARS, OrchestrateRequest, Priority, ProcessingMode,
};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ask::registry::SpelledName;
use crate::error::ApiError;
use crate::policy::DEFAULT_BUNDLE;
use crate::request::auth::Caller;
use crate::request::json_error::JsonError;
use crate::request::once::single;
use crate::request::strict::{self, Fault, Object};

/// The maximum number of names in `required_detectors` or `excluded_detectors`.
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
    pub required: Vec<SpelledName>,
    pub excluded: Vec<SpelledName>,
}

/// Refuses a body with another content type than JSON.
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

/// The client's idempotency key, if it sent one.
///
/// # Errors
/// INVALID_REQUEST: it is empty, too long or not printable, or there are two different ones.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = single(headers, "Idempotency-Key")? else {
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

/// How long a client with `Prefer: respond-async, wait=N` (RFC 7240) waits before it prefers a job; zero
/// without `wait`.
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
/// INVALID_REQUEST: the place of the syntax error, or the missing or invalid field.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Serde would accept an array for a struct, field by field.
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

/// Reads a body that is any JSON. Every body is read here, alone or in a batch, so that all readers accept the
/// same.
///
/// # Errors
/// As [`parse`], and a duplicate key in any object.
pub fn parse_any<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let looked = strict::check(body);
    if let Err(Fault::Twice(path)) = looked {
        return Err(twice(&path));
    }
    let value = parse_part(body)?;
    match looked {
        // A skipped value is checked less strictly than this.
        Err(Fault::Syntax(error)) => Err(syntax(&error)),
        _ => Ok(value),
    }
}

/// The requests of a batch, `{"requests": [...]}` or a bare array, each as it was sent.
///
/// # Errors
/// INVALID_REQUEST: it is something else, or one of its own keys is duplicated.
pub fn batch(body: &[u8]) -> Result<Vec<&RawValue>, ApiError> {
    let wrong = || {
        let message = "must be an array of requests, alone or as \"requests\" of an object";
        ApiError::invalid("requests", message)
    };
    // A syntax error belongs to the whole body, not to an entry.
    if let Err(Fault::Syntax(error)) = strict::check(body) {
        return Err(syntax(&error));
    }
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'[') => parse_part(body),
        Some(b'{') => {
            let object: Object<'_> = parse_part(body)?;
            let found = object.get("requests").map_err(|fault| match fault {
                Fault::Twice(path) => twice(&path),
                Fault::Syntax(error) => syntax(&error),
            })?;
            let list = found.ok_or_else(wrong)?;
            serde_json::from_str(list.get()).map_err(|_| wrong())
        }
        _ => {
            parse_any::<serde::de::IgnoredAny>(body)?;
            Err(wrong())
        }
    }
}

fn twice(path: &str) -> ApiError {
    ApiError::invalid(&bounded(path), "is duplicated in its object; keep one")
}

/// Parses text that is checked later, or not at all.
fn parse_part<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    // Most bodies are valid. An invalid one is read again to find the place of the error.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        // A wrong type in place of an enum variant is reported as a syntax error.
        let misplaced = JsonError::of(&error.inner().to_string()) == JsonError::NoValue
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

fn syntax(error: &serde_json::Error) -> ApiError {
    if JsonError::of(&error.to_string()) == JsonError::TooDeep {
        return ApiError::invalid("body", "is nested more than 127 levels deep");
    }
    let message = format!(
        "not valid JSON at line {} column {}",
        error.line(),
        error.column()
    );
    ApiError::invalid("body", &message)
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    match JsonError::of(&error.inner().to_string()) {
        JsonError::MissingField(field) => return ApiError::invalid(field, "missing"),
        JsonError::UnknownField(field) => {
            return ApiError::invalid(&bounded(field), "is not known here");
        }
        _ => {}
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

/// A path may contain keys that the client chose.
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
        "detectors" => "must be an object with an object for each detector's name",
        _ => "has the wrong type; see the API description",
    }
}

/// Validates the values that the types do not.
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
    // Bytes are an upper bound of characters, so only long texts are counted.
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

fn detector_names(field: &str, given: Option<Vec<String>>) -> Result<Vec<SpelledName>, ApiError> {
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
    Ok(given.into_iter().map(SpelledName::from).collect())
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
