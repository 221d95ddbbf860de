//! The guardrails Detector API, version 1.

use hyper::StatusCode;
use live_config::strict;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{BadRequest, Call, DetectionReply, ErrorReply, Question};
use crate::detection::Found;

const CONTENTS: &str = "/api/v1/text/contents";
const CHAT: &str = "/api/v1/text/chat";
const CONTEXT_DOC: &str = "/api/v1/text/context/doc";
const GENERATION: &str = "/api/v1/text/generation";

/// The options of the answer.
#[derive(Debug)]
pub(crate) struct Details {
    /// One list per content with spans, instead of one flat list without.
    listed: bool,
    /// Findings with lower scores are left out.
    threshold: f64,
}

pub(super) fn is_call(path: &str) -> bool {
    [CONTENTS, CHAT, CONTEXT_DOC, GENERATION].contains(&path)
}

#[derive(Deserialize)]
struct Contents {
    contents: Vec<String>,
    #[serde(default)]
    detector_params: Map<String, Value>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    #[serde(default)]
    detector_params: Map<String, Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct ContextDoc {
    content: String,
    context_type: String,
    context: Vec<String>,
    #[serde(default)]
    detector_params: Map<String, Value>,
}

#[derive(Deserialize)]
struct Generation {
    prompt: String,
    generated_text: String,
    #[serde(default)]
    detector_params: Map<String, Value>,
}

/// Names of a context's type in the specification and in clients.
const CONTEXT_TYPES: [&str; 4] = ["url", "docs", "chunks", "document"];

pub(super) fn read(call: &Call<'_>) -> Result<Question, BadRequest> {
    if call.path != CHAT && !call.headers.contains_key("detector-id") {
        return Err(unprocessable("Missing required header: detector-id"));
    }
    match call.path {
        CONTENTS => {
            let body: Contents = parse(call)?;
            if body.contents.is_empty() {
                return Err(unprocessable("contents: List should have at least 1 item"));
            }
            Ok(question(body.contents, true, &body.detector_params))
        }
        CHAT => {
            let body: Chat = parse(call)?;
            if body.messages.is_empty() {
                return Err(unprocessable("messages: List should have at least 1 item"));
            }
            let texts = body
                .messages
                .iter()
                .map(|message| text_of(&message.content))
                .collect();
            Ok(question(texts, false, &body.detector_params))
        }
        CONTEXT_DOC => {
            let body: ContextDoc = parse(call)?;
            if !CONTEXT_TYPES.contains(&body.context_type.as_str()) || body.context.is_empty() {
                return Err(unprocessable(
                    "context_type or context is not as the API says",
                ));
            }
            Ok(question(vec![body.content], false, &body.detector_params))
        }
        _ => {
            let body: Generation = parse(call)?;
            // The text answers the prompt; only the text is judged.
            drop(body.prompt);
            Ok(question(
                vec![body.generated_text],
                false,
                &body.detector_params,
            ))
        }
    }
}

fn parse<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, BadRequest> {
    strict::read(call.body).map_err(|fault| unprocessable(&fault.to_string()))
}

fn unprocessable(message: &str) -> BadRequest {
    BadRequest::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

/// A chat message's text: itself, or its parts of type text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn question(contents: Vec<String>, listed: bool, params: &Map<String, Value>) -> Question {
    let threshold = params
        .get("threshold")
        .and_then(Value::as_f64)
        .unwrap_or(f64::MIN);
    let details = super::Details::Fms(Details { listed, threshold });
    Question::new(contents, listed, None, details)
}

pub(super) fn write(answer: &DetectionReply<'_>, details: &Details) -> Vec<u8> {
    let kept = |found: &&Found| found.score >= details.threshold || super::is_abnormal(found.score);
    let body: Value = if details.listed {
        let list = |found: &Vec<Found>| found.iter().filter(kept).map(span).collect::<Value>();
        answer.findings.iter().map(list).collect()
    } else {
        answer
            .findings
            .iter()
            .flatten()
            .filter(kept)
            .map(flat)
            .collect()
    };
    body.to_string().into_bytes()
}

fn span(found: &Found) -> Value {
    json!({
        "start": found.start,
        "end": found.end,
        "text": found.text,
        "detection": found.label,
        "detection_type": found.category,
        "score": found.score,
    })
}

fn flat(found: &Found) -> Value {
    json!({ "detection": found.label, "detection_type": found.category, "score": found.score })
}

pub(super) fn write_error(error: &ErrorReply<'_>) -> Vec<u8> {
    let reason = error.status.canonical_reason().unwrap_or("error");
    let message = error.message.unwrap_or(reason);
    json!({ "code": error.code, "message": message })
        .to_string()
        .into_bytes()
}

pub(super) fn health() -> Vec<u8> {
    json!({ "status": "HEALTHY" }).to_string().into_bytes()
}
