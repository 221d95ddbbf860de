//! The native dialect: `/detect` and `/detect/batch`.

use std::borrow::Cow;

use detector_api::detect::{
    DETECT_BATCH_PATH, DETECT_PATH, DetectBatchRequest, DetectError, DetectRequest,
};
use hyper::StatusCode;
use live_config::strict::{self, Fault};
use serde::Serialize;

use super::{BadRequest, Call, DetectionReply, ErrorReply, Question};
use crate::detection::Found;

/// Ids of the requests, in order.
#[derive(Debug)]
pub(crate) struct Details {
    ids: Vec<Option<String>>,
    batch: bool,
}

pub(super) fn is_call(path: &str) -> bool {
    path == DETECT_PATH || path == DETECT_BATCH_PATH
}

pub(super) fn read(call: &Call<'_>) -> Result<Question, BadRequest> {
    let bad = |fault: Fault| {
        BadRequest::new(
            StatusCode::BAD_REQUEST,
            format!("the body cannot be read: {fault}"),
        )
    };
    let batch = call.path == DETECT_BATCH_PATH;
    let requests = if batch {
        strict::read::<DetectBatchRequest>(call.body)
            .map_err(bad)?
            .requests
    } else {
        vec![strict::read::<DetectRequest>(call.body).map_err(bad)?]
    };
    if requests.is_empty() {
        return Err(BadRequest::new(
            StatusCode::BAD_REQUEST,
            "requests must not be empty",
        ));
    }
    let (contents, ids): (Vec<_>, Vec<_>) = requests
        .into_iter()
        .map(|request| (request.content, request.request_id))
        .unzip();
    let id = ids.first().cloned().flatten();
    let details = super::Details::Native(Details { ids, batch });
    Ok(Question::new(contents, batch, id, details))
}

/// `detector_api`'s response, borrowed.
#[derive(Serialize)]
struct Response<'a> {
    request_id: &'a str,
    detector: &'a str,
    output: &'a str,
    confidence: f64,
    detections: Vec<Detection<'a>>,
    processing_time_ms: u64,
}

#[derive(Serialize)]
struct Detection<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    label: &'a str,
    category: &'a str,
    score: f64,
}

#[derive(Serialize)]
struct Batch<'a> {
    results: Vec<Response<'a>>,
}

pub(super) fn write(answer: &DetectionReply<'_>, details: &Details) -> Vec<u8> {
    let responses = answer.findings.iter().enumerate().map(|(place, found)| {
        let own = details.ids.get(place).and_then(Option::as_deref);
        let request_id = own
            .filter(|_| !answer.wrong_id)
            .unwrap_or(answer.request_id);
        response(answer, request_id, found)
    });
    let mut responses: Vec<Response<'_>> = responses.collect();
    let written = if details.batch {
        serde_json::to_vec(&Batch { results: responses })
    } else {
        responses.truncate(1);
        serde_json::to_vec(&responses.pop())
    };
    written.expect("strings and finite numbers are JSON")
}

fn response<'a>(
    answer: &DetectionReply<'a>,
    request_id: &'a str,
    found: &'a [Found],
) -> Response<'a> {
    let strongest = found.iter().max_by(|a, b| a.score.total_cmp(&b.score));
    Response {
        request_id,
        detector: answer.detector,
        output: strongest.map_or("clean", |found| &found.label),
        confidence: strongest.map_or(0.97, |found| found.score),
        detections: found
            .iter()
            .map(|found| Detection {
                start: found.start,
                end: found.end,
                text: &found.text,
                label: &found.label,
                category: found.category,
                score: found.score,
            })
            .collect(),
        processing_time_ms: answer.took_ms,
    }
}

pub(super) fn write_error(error: &ErrorReply<'_>) -> Vec<u8> {
    let reason = StatusCode::from_u16(error.code)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error");
    let code: Cow<'_, str> = reason.to_ascii_uppercase().replace([' ', '-'], "_").into();
    let message = error
        .message
        .unwrap_or("the detector failed, as its profile determines");
    let body = DetectError {
        error: code.into_owned(),
        message: message.to_owned(),
    };
    serde_json::to_vec(&body).expect("strings are JSON")
}

pub(super) fn health(detector: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "status": "healthy", "detector": detector }))
        .expect("strings are JSON")
}
