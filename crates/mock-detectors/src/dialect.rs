//! Wire contracts: reading questions, writing answers and errors.

mod native;

use bytes::Bytes;
use detector_api::dialect::Dialect;
use hyper::StatusCode;
use hyper::http::HeaderMap;

use crate::detection::{self, Found};

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) contents: Vec<String>,
    /// What is in them: the truth, whatever will be answered.
    pub(crate) found: Findings,
    /// The answer holds one list per content, rather than one list.
    pub(crate) listed: bool,
    /// The id in the body.
    pub(crate) id: Option<String>,
    pub(crate) details: Details,
}

/// What a dialect needs to write its answer.
#[derive(Debug)]
pub(crate) enum Details {
    Native(native::Details),
}

/// What was found, one list per content that is answered.
pub(crate) type Findings = Vec<Vec<Found>>;

/// An answer to be written.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) question: &'a Question,
    pub(crate) findings: &'a Findings,
    pub(crate) detector: &'a str,
    pub(crate) request_id: &'a str,
    /// `request_id` is none that the caller gave, and stands in place of those.
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
        let found = contents
            .iter()
            .map(|content| detection::find(content))
            .collect();
        Self {
            contents,
            found,
            listed,
            id,
            details,
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
    /// The code in the body, where it is a number; normally the status.
    pub(crate) code: u16,
    /// Replaces the contract's usual text.
    pub(crate) message: Option<&'a str>,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// Whether a path is one of the contract's calls that detect.
pub(crate) fn is_call(dialect: Dialect, path: &str) -> bool {
    match dialect {
        _ => native::is_call(path),
    }
}

pub(crate) fn read(dialect: Dialect, call: &Call<'_>) -> Result<Question, BadRequest> {
    match dialect {
        _ => native::read(call),
    }
}

pub(crate) fn write(answer: &Answer<'_>) -> Vec<u8> {
    match &answer.question.details {
        Details::Native(details) => native::write(answer, details),
    }
}

/// The body of an error, and headers that belong to it.
pub(crate) fn write_error(
    dialect: Dialect,
    error: &ErrorReply<'_>,
) -> (Vec<u8>, Vec<(&'static str, String)>) {
    match dialect {
        _ => (native::write_error(error), Vec::new()),
    }
}

/// The body of `GET /health`.
pub(crate) fn health(dialect: Dialect, detector: &str) -> (&'static str, Vec<u8>) {
    match dialect {
        _ => ("application/json", native::health(detector)),
    }
}
