//! `OpenAI`'s `/v1/moderations`.

use hyper::{StatusCode, header};
use live_config::strict;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{BadRequest, Call, DetectionReply, ErrorReply, Question};
use crate::detection::Found;

const PATH: &str = "/v1/moderations";
const DEFAULT_MODEL: &str = "omni-moderation-latest";

/// All categories; the `bool` says whether images count, too.
const CATEGORIES: [(&str, bool); 13] = [
    ("harassment", false),
    ("harassment/threatening", false),
    ("hate", false),
    ("hate/threatening", false),
    ("illicit", false),
    ("illicit/violent", false),
    ("self-harm", true),
    ("self-harm/instructions", true),
    ("self-harm/intent", true),
    ("sexual", true),
    ("sexual/minors", false),
    ("violence", true),
    ("violence/graphic", true),
];

/// The model name, which the answer repeats.
#[derive(Debug)]
pub(crate) struct Details {
    model: String,
    /// Whether the input contained an image.
    images: bool,
}

pub(super) fn is_call(path: &str) -> bool {
    path == PATH
}

#[derive(Deserialize)]
struct Body {
    input: Input,
    #[serde(default)]
    model: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Part {
    Text { text: String },
    ImageUrl { image_url: Image },
}

#[derive(Deserialize)]
struct Image {
    url: String,
}

pub(super) fn read(call: &Call<'_>) -> Result<Question, BadRequest> {
    let bearer = call
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if !bearer.is_some_and(|value| value.len() > 7 && value[..7].eq_ignore_ascii_case("bearer ")) {
        let message = "You didn't provide an API key. You need to provide your API key in an \
                       Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        return Err(BadRequest::new(StatusCode::UNAUTHORIZED, message));
    }
    let body: Body = strict::read(call.body).map_err(|fault| {
        let message = format!("Invalid value for 'input' or 'model': {fault}");
        BadRequest::new(StatusCode::BAD_REQUEST, message)
    })?;
    let (contents, images) = match body.input {
        Input::One(text) => (vec![text], false),
        Input::Many(texts) => (texts, false),
        Input::Parts(parts) => joined(parts),
    };
    if contents.is_empty() {
        return Err(BadRequest::new(
            StatusCode::BAD_REQUEST,
            "'input' must not be empty.",
        ));
    }
    let model = body.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let details = super::Details::OpenAi(Details { model, images });
    Ok(Question::new(contents, true, None, details))
}

/// Parts are judged together: one result for all of them.
fn joined(parts: Vec<Part>) -> (Vec<String>, bool) {
    let (mut texts, mut images) = (Vec::new(), false);
    for part in parts {
        match part {
            Part::Text { text } => texts.push(text),
            Part::ImageUrl { image_url } => images |= !image_url.url.is_empty(),
        }
    }
    (vec![texts.join("\n")], images)
}

/// The category of a finding, if any.
pub(super) fn category_of(category: &str) -> Option<&'static str> {
    match category {
        "toxicity" => Some("harassment"),
        "hate" => Some("hate"),
        "violence" => Some("violence"),
        "self_harm" => Some("self-harm"),
        "prompt_injection" => Some("illicit"),
        _ => None,
    }
}

pub(super) fn write(answer: &DetectionReply<'_>, details: &Details) -> Vec<u8> {
    let results: Value = answer
        .findings
        .iter()
        .map(|found| result(found, details))
        .collect();
    let id = format!("modr-{}", answer.request_id);
    json!({ "id": id, "model": details.model, "results": results })
        .to_string()
        .into_bytes()
}

fn result(found: &[Found], details: &Details) -> Value {
    let legacy = details.model.starts_with("text-moderation");
    let (mut flags, mut scores, mut inputs) = (Map::new(), Map::new(), Map::new());
    let mut flagged = false;
    for (place, (name, takes_images)) in CATEGORIES.iter().enumerate() {
        if legacy && name.starts_with("illicit") {
            continue;
        }
        let score = found
            .iter()
            .filter(|found| category_of(found.category) == Some(name))
            .map(|found| found.score)
            .fold(None, |most: Option<f64>, score| {
                Some(most.map_or(score, |most| most.max(score)))
            });
        let flag = score.is_some_and(|score| score >= 0.5);
        flagged |= flag;
        flags.insert((*name).to_owned(), flag.into());
        // Categories without findings have low scores, but never exactly zero.
        let score = score.unwrap_or(1e-5 * (place + 1) as f64);
        scores.insert((*name).to_owned(), score.into());
        let kinds = match (details.images, takes_images) {
            (true, true) => json!(["text", "image"]),
            _ => json!(["text"]),
        };
        inputs.insert((*name).to_owned(), kinds);
    }
    json!({
        "flagged": flagged,
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": inputs,
    })
}

pub(super) fn write_error(error: &ErrorReply<'_>) -> Vec<u8> {
    let (kind, code, usual) = match error.code {
        400 | 404 | 409 | 422 => (
            "invalid_request_error",
            Value::Null,
            "The request is not valid.",
        ),
        401 => (
            "invalid_request_error",
            json!("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        403 => (
            "invalid_request_error",
            json!("unsupported_country_region_territory"),
            "Forbidden.",
        ),
        429 => (
            "requests",
            json!("rate_limit_exceeded"),
            "Rate limit reached for requests.",
        ),
        503 => (
            "server_error",
            json!("server_is_overloaded"),
            "The engine is currently overloaded.",
        ),
        _ => (
            "server_error",
            Value::Null,
            "The server had an error while processing your request.",
        ),
    };
    let message = error.message.unwrap_or(usual);
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
        .to_string()
        .into_bytes()
}

/// Headers of every response.
pub(super) fn headers(took_ms: u64) -> Vec<(&'static str, String)> {
    vec![
        ("openai-version", "2020-10-01".to_owned()),
        ("openai-processing-ms", took_ms.to_string()),
    ]
}
