//! The Presidio analyzer: `/analyze`.

use hyper::StatusCode;
use live_config::strict;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BadRequest, Call, DetectionReply, ErrorReply, Question};
use crate::detection::Found;

const PATH: &str = "/analyze";

/// Labels, the analyzer's entity types, and the names of its recognizers.
const ENTITIES: [(&str, &str, &str); 6] = [
    ("email_address", "EMAIL_ADDRESS", "EmailRecognizer"),
    ("phone_number", "PHONE_NUMBER", "PhoneRecognizer"),
    ("credit_card", "CREDIT_CARD", "CreditCardRecognizer"),
    ("us_ssn", "US_SSN", "UsSsnRecognizer"),
    ("ip_address", "IP_ADDRESS", "IpRecognizer"),
    ("iban", "IBAN_CODE", "IbanRecognizer"),
];

/// The options of the answer.
#[derive(Debug)]
pub(crate) struct Details {
    listed: bool,
    entities: Vec<String>,
    threshold: f64,
    explain: bool,
}

pub(super) fn is_call(path: &str) -> bool {
    path == PATH
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    text: Option<Text>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    entities: Option<Vec<String>>,
    #[serde(default)]
    score_threshold: Option<f64>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    return_decision_process: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    One(String),
    Many(Vec<String>),
}

pub(super) fn read(call: &Call<'_>) -> Result<Question, BadRequest> {
    // As in the service: malformed JSON is 400, a missing field is 500.
    let failed = |message: &str| BadRequest::new(StatusCode::INTERNAL_SERVER_ERROR, message);
    let body: Body = strict::read(call.body).map_err(|fault| {
        BadRequest::new(
            StatusCode::BAD_REQUEST,
            format!("Failed to parse /analyze request: {fault}"),
        )
    })?;
    let (contents, listed) = match body.text {
        Some(Text::One(text)) if !text.is_empty() => (vec![text], false),
        Some(Text::Many(texts)) if !texts.is_empty() => (texts, true),
        _ => return Err(failed("No text provided")),
    };
    match body.language.as_deref() {
        None | Some("") => return Err(failed("No language provided")),
        Some("en") => {}
        Some(_) => {
            return Err(failed(
                "No matching recognizers were found to serve the request.",
            ));
        }
    }
    let details = super::Details::Presidio(Details {
        listed,
        entities: body.entities.unwrap_or_default(),
        threshold: body.score_threshold.unwrap_or(0.0),
        explain: body.return_decision_process.unwrap_or(false),
    });
    Ok(Question::new(
        contents,
        listed,
        body.correlation_id,
        details,
    ))
}

fn entity_of(label: &str) -> Option<(&'static str, &'static str)> {
    ENTITIES
        .iter()
        .find(|(own, ..)| *own == label)
        .map(|(_, entity, name)| (*entity, *name))
}

pub(super) fn shows(label: &str) -> bool {
    entity_of(label).is_some()
}

pub(super) fn write(answer: &DetectionReply<'_>, details: &Details) -> Vec<u8> {
    let lists = answer.findings.iter().map(|found| {
        found
            .iter()
            .filter_map(|found| entry(found, details))
            .collect::<Vec<Value>>()
    });
    let body: Value = if details.listed {
        lists.map(Value::Array).collect()
    } else {
        lists.flatten().collect()
    };
    body.to_string().into_bytes()
}

/// A finding with its keys sorted, as the service writes it.
fn entry(found: &Found, details: &Details) -> Option<Value> {
    let (entity, recognizer) = entity_of(&found.label)?;
    let wanted = details.entities.is_empty() || details.entities.iter().any(|name| name == entity);
    let high = found.score >= details.threshold || super::is_abnormal(found.score);
    if !wanted || !high {
        return None;
    }
    let explanation = details.explain.then(|| {
        json!({
            "original_score": found.score,
            "pattern": null,
            "pattern_name": entity,
            "recognizer": recognizer,
            "score": found.score,
            "score_context_improvement": 0,
            "supportive_context_word": "",
            "textual_explanation": null,
            "validation_result": null,
        })
    });
    Some(json!({
        "analysis_explanation": explanation,
        "end": found.end,
        "entity_type": entity,
        "score": found.score,
        "start": found.start,
    }))
}

pub(super) fn write_error(error: &ErrorReply<'_>) -> Vec<u8> {
    let message = error
        .message
        .or(error.status.canonical_reason())
        .unwrap_or("error");
    json!({ "error": message }).to_string().into_bytes()
}

/// The body of `GET /recognizers`.
pub(crate) fn recognizers() -> Vec<&'static str> {
    ENTITIES
        .iter()
        .map(|(.., recognizer)| *recognizer)
        .collect()
}

/// The body of `GET /supportedentities`.
pub(crate) fn supported_entities() -> Vec<&'static str> {
    ENTITIES.iter().map(|(_, entity, _)| *entity).collect()
}
