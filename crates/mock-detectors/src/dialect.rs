//! Wire contracts: parsing requests, writing responses and errors.

mod azure;
mod fms;
mod native;
mod open_ai;
pub(crate) mod presidio;

use bytes::Bytes;
use detector_api::dialect::Dialect;
use hyper::StatusCode;
use hyper::http::HeaderMap;

use crate::detection::{self, Found};

/// A parsed request.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) contents: Vec<String>,
    /// The findings that the dialect can express: the truth, whatever the answer will be.
    pub(crate) found: Findings,
    /// Whether the answer has one list per content instead of one list.
    pub(crate) listed: bool,
    /// The id in the body.
    pub(crate) id: Option<String>,
    pub(crate) details: Details,
}

/// The parameters of a dialect's answer.
#[derive(Debug)]
pub(crate) enum Details {
    Native(native::Details),
    Fms(fms::Details),
    OpenAi(open_ai::Details),
    Azure(azure::Details),
    Presidio(presidio::Details),
}

/// The findings, one list per content.
pub(crate) type Findings = Vec<Vec<Found>>;

/// An answer to be written.
#[derive(Debug)]
pub(crate) struct DetectionReply<'a> {
    pub(crate) question: &'a Question,
    pub(crate) findings: &'a Findings,
    pub(crate) detector: &'a str,
    pub(crate) request_id: &'a str,
    /// `request_id` replaces those of the caller.
    pub(crate) wrong_id: bool,
    pub(crate) took_ms: u64,
}

/// A request that does not follow the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRequest {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Question {
    pub(crate) fn new(
        contents: Vec<String>,
        listed: bool,
        id: Option<String>,
        details: Details,
    ) -> Self {
        let mut question = Self {
            contents,
            found: Vec::new(),
            listed,
            id,
            details,
        };
        let dialect = question.dialect();
        let find = |content: &String| {
            let mut found = detection::find(content);
            found.retain(|found| shows(dialect, &found.label, found.category));
            found
        };
        question.found = question.contents.iter().map(find).collect();
        question
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.details {
            Details::Native(_) => Dialect::Native,
            Details::Fms(_) => Dialect::Fms,
            Details::OpenAi(_) => Dialect::OpenAi,
            Details::Azure(_) => Dialect::Azure,
            Details::Presidio(_) => Dialect::Presidio,
        }
    }
}

impl BadRequest {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// An error to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorReply<'a> {
    pub(crate) status: StatusCode,
    /// The numeric code in the body; normally the status.
    pub(crate) code: u16,
    /// Replaces the contract's usual text.
    pub(crate) message: Option<&'a str>,
}

/// A request as received.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// Whether a path is one of the contract's detection calls.
pub(crate) fn is_call(dialect: Dialect, path: &str) -> bool {
    match dialect {
        Dialect::Native => native::is_call(path),
        Dialect::Fms => fms::is_call(path),
        Dialect::OpenAi => open_ai::is_call(path),
        Dialect::Azure => azure::is_call(path),
        Dialect::Presidio => presidio::is_call(path),
    }
}

pub(crate) fn read(dialect: Dialect, call: &Call<'_>) -> Result<Question, BadRequest> {
    match dialect {
        Dialect::Native => native::read(call),
        Dialect::Fms => fms::read(call),
        Dialect::OpenAi => open_ai::read(call),
        Dialect::Azure => azure::read(call),
        Dialect::Presidio => presidio::read(call),
    }
}

pub(crate) fn write(answer: &DetectionReply<'_>) -> Vec<u8> {
    match &answer.question.details {
        Details::Native(details) => native::write(answer, details),
        Details::Fms(details) => fms::write(answer, details),
        Details::OpenAi(details) => open_ai::write(answer, details),
        Details::Azure(details) => azure::write(answer, details),
        Details::Presidio(details) => presidio::write(answer, details),
    }
}

/// Headers of a correct answer, besides those of every dialect.
pub(crate) fn headers(dialect: Dialect, took_ms: u64) -> Vec<(&'static str, String)> {
    match dialect {
        Dialect::OpenAi => open_ai::headers(took_ms),
        _ => Vec::new(),
    }
}

/// The body of an error, and headers that belong to it.
pub(crate) fn write_error(
    dialect: Dialect,
    error: &ErrorReply<'_>,
) -> (Vec<u8>, Vec<(&'static str, String)>) {
    match dialect {
        Dialect::Native => (native::write_error(error), Vec::new()),
        Dialect::Fms => (fms::write_error(error), Vec::new()),
        Dialect::OpenAi => (open_ai::write_error(error), open_ai::headers(0)),
        Dialect::Azure => azure::write_error(error),
        Dialect::Presidio => (presidio::write_error(error), Vec::new()),
    }
}

/// Content type and body of `GET /health`.
pub(crate) fn health(dialect: Dialect, detector: &str) -> (&'static str, Vec<u8>) {
    match dialect {
        Dialect::Fms => ("application/json", fms::health()),
        Dialect::Presidio => (
            "text/html; charset=utf-8",
            b"Presidio Analyzer service is up".into(),
        ),
        _ => ("application/json", native::health(detector)),
    }
}

/// Whether a finding of this label and category is visible in the dialect's answers.
pub(crate) fn shows(dialect: Dialect, label: &str, category: &str) -> bool {
    match dialect {
        Dialect::Native | Dialect::Fms => true,
        Dialect::OpenAi => open_ai::category_of(category).is_some(),
        Dialect::Azure => azure::shows(category),
        Dialect::Presidio => presidio::shows(label),
    }
}

/// Whether a score is out of range on purpose; thresholds do not filter it.
fn is_abnormal(score: f64) -> bool {
    !(0.0..=1.0).contains(&score)
}
