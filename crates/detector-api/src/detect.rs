//! The native detector dialect: `POST /detect` and `POST /detect/batch`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub const DETECT_PATH: &str = "/detect";
pub const DETECT_BATCH_PATH: &str = "/detect/batch";

/// The type of the content of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// Plain text.
    Text,
    /// An image.
    Image,
    /// A document, such as a PDF.
    Document,
    /// Source code.
    Code,
}

/// Body of `POST /detect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectRequest {
    pub content: String,
    #[serde(default = "text")]
    pub content_type: ContentType,
    /// Echoed in the answer. Absent: the header `x-request-id` is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

fn text() -> ContentType {
    ContentType::Text
}

/// A finding in the content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Offset of the first character, in Unicode code points.
    pub start: usize,
    /// Offset after the last character, in Unicode code points.
    pub end: usize,
    /// The characters `start..end` of the content.
    pub text: String,
    /// The kind of the finding, such as `email_address`.
    pub label: String,
    /// The family of the label, such as `pii`.
    pub category: String,
    /// Confidence, 0 to 1.
    pub score: f64,
}

/// Answer to `POST /detect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectResponse<'a> {
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(borrow)]
    pub detector: Cow<'a, str>,
    /// Label of the strongest detection, or `clean`.
    #[serde(borrow)]
    pub output: Cow<'a, str>,
    /// Score of the strongest detection, or the confidence that there is none, 0 to 1.
    pub confidence: f64,
    pub detections: Vec<Detection>,
    pub processing_time_ms: u64,
}

/// Body of `POST /detect/batch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectBatchRequest {
    pub requests: Vec<DetectRequest>,
}

/// Answer to `POST /detect/batch`: one result per request, in the same order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectBatchResponse<'a> {
    #[serde(borrow)]
    pub results: Vec<DetectResponse<'a>>,
}

/// Error body of the native dialect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectError {
    pub error: String,
    pub message: String,
}
