//! The kinds of failure, and the weighted mix from which a failing request draws.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One entry of the mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedFailure {
    /// Share of this entry, relative to the sum of all weights.
    #[serde(default = "one")]
    pub weight: f64,
    pub kind: Failure,
}

/// How a request fails. Every kind takes its settings as a map; `{}` takes the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// An HTTP error in the dialect's own shape.
    Status {
        /// The status.
        #[serde(default = "internal_error")]
        code: u16,
        /// Sent as `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
        /// Replaces the dialect's own text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// A code in the body that differs from the status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_code: Option<u16>,
    },
    /// A correct answer after this time, instead of the latency.
    Timeout {
        /// Time from request to answer.
        #[serde(default = "half_a_minute_ms")]
        after_ms: f64,
    },
    /// Nothing more is sent, but the connection stays open.
    Hang {
        #[serde(default)]
        at: Phase,
    },
    /// The connection is reset (TCP RST).
    Reset {
        #[serde(default)]
        at: Phase,
    },
    /// The connection is closed (TCP FIN); before the head, this is a FIN without an answer.
    Close {
        #[serde(default)]
        at: Phase,
    },
    /// `Content-Length` of the whole body, a part of it, then FIN.
    Truncate {
        /// The share of the body that is sent.
        #[serde(default = "half")]
        fraction: f64,
    },
    /// A chunked body whose second chunk has no valid size.
    MalformedChunk {},
    /// Random bytes in place of an HTTP answer, then FIN.
    Garbage {
        /// How many.
        #[serde(default = "garbage_bytes")]
        bytes: u32,
    },
    /// A correct answer with a slow body.
    Drip {
        /// Bytes of the body per second.
        #[serde(default = "drip_rate")]
        bytes_per_s: f64,
    },
    /// `Content-Length` off by this many bytes, then FIN.
    ContentLength {
        /// Bytes more than the body has; fewer if below 0.
        #[serde(default = "ten")]
        off_by: i32,
    },
    /// A correct body with another content type.
    WrongContentType {
        /// The value of the header.
        #[serde(default = "html")]
        content_type: String,
    },
    /// Status 200 and a body that is not JSON: truncated and closed with the wrong bracket.
    MalformedJson {},
    /// Scores are `NaN`, which JSON does not have.
    NanScore {},
    /// Scores are outside 0 to 1.
    ScoreOutOfRange {
        /// The score.
        #[serde(default = "score_too_high")]
        score: f64,
    },
    /// Spans extend beyond the end of the content.
    SpanOutOfRange {},
    /// The list of results lacks its last entries.
    ShortList {
        /// Entries that are left out.
        #[serde(default = "one_item")]
        missing: u32,
    },
    /// The list of results has additional entries.
    LongList {
        /// Entries too many.
        #[serde(default = "one_item")]
        extra: u32,
    },
    /// The list of results is in another order.
    ReorderedList {},
    /// The answer of this detector to an earlier request.
    StaleAnswer {
        /// Requests ago.
        #[serde(default = "one_item")]
        age: u32,
    },
    /// The answer to content that was not sent.
    OtherAnswer {},
    /// The answer carries another request's id.
    WrongId {},
    /// HTTP/2: the stream is reset with this error code; HTTP/1: the connection is.
    RstStream {
        /// The error code.
        #[serde(default = "h2_internal_error")]
        code: u32,
    },
    /// HTTP/2: GOAWAY with this error code, then the connection closes; HTTP/1: `close`.
    Goaway {
        /// The error code.
        #[serde(default)]
        code: u32,
    },
}

/// The position in an answer at which it fails.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the first byte of the answer.
    #[default]
    BeforeHead,
    /// In the middle of the head.
    InHead,
    /// After the head, before the body.
    AfterHead,
    /// After this many bytes of the body.
    BodyBytes(u32),
    /// After this fraction of the body, 0 to 1.
    BodyFraction(f64),
}

impl Default for Failure {
    fn default() -> Self {
        Self::Status {
            code: internal_error(),
            retry_after_s: None,
            message: None,
            body_code: None,
        }
    }
}

impl Failure {
    /// Names of all kinds, in the order of their description.
    pub const NAMES: [&'static str; 23] = [
        "status",
        "timeout",
        "hang",
        "reset",
        "close",
        "truncate",
        "malformed_chunk",
        "garbage",
        "drip",
        "content_length",
        "wrong_content_type",
        "malformed_json",
        "nan_score",
        "score_out_of_range",
        "span_out_of_range",
        "short_list",
        "long_list",
        "reordered_list",
        "stale_answer",
        "other_answer",
        "wrong_id",
        "rst_stream",
        "goaway",
    ];

    /// The kind's name, as written in a profile, in metrics and in the decision header.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The index of the kind in [`Failure::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Status { .. } => 0,
            Self::Timeout { .. } => 1,
            Self::Hang { .. } => 2,
            Self::Reset { .. } => 3,
            Self::Close { .. } => 4,
            Self::Truncate { .. } => 5,
            Self::MalformedChunk {} => 6,
            Self::Garbage { .. } => 7,
            Self::Drip { .. } => 8,
            Self::ContentLength { .. } => 9,
            Self::WrongContentType { .. } => 10,
            Self::MalformedJson {} => 11,
            Self::NanScore {} => 12,
            Self::ScoreOutOfRange { .. } => 13,
            Self::SpanOutOfRange {} => 14,
            Self::ShortList { .. } => 15,
            Self::LongList { .. } => 16,
            Self::ReorderedList {} => 17,
            Self::StaleAnswer { .. } => 18,
            Self::OtherAnswer {} => 19,
            Self::WrongId {} => 20,
            Self::RstStream { .. } => 21,
            Self::Goaway { .. } => 22,
        }
    }

    fn check(&self, check: &mut Check<'_>) {
        match self {
            Self::Status { code, .. } => check.between("status.code", *code, 200, 599),
            Self::Timeout { after_ms } => check.ms("timeout.after_ms", *after_ms),
            Self::Hang { at } => at.check("hang.at", check),
            Self::Reset { at } => at.check("reset.at", check),
            Self::Close { at } => at.check("close.at", check),
            Self::Truncate { fraction } => check.share("truncate.fraction", *fraction),
            Self::Garbage { bytes } => check.at_most("garbage.bytes", *bytes, 1_048_576),
            Self::Drip { bytes_per_s } => check.positive("drip.bytes_per_s", *bytes_per_s),
            Self::ContentLength { off_by: 0 } => {
                check.error("content_length.off_by", "0 would be the right length");
            }
            Self::ShortList { missing } => check.at_least("short_list.missing", *missing, 1),
            Self::LongList { extra } => check.between("long_list.extra", *extra, 1, 1_000),
            Self::StaleAnswer { age } => check.at_least("stale_answer.age", *age, 1),
            Self::WrongContentType { content_type }
                if content_type.bytes().any(|b| !(32..127).contains(&b)) =>
            {
                check.error("wrong_content_type.content_type", "is not a header value");
            }
            _ => {}
        }
    }
}

impl Phase {
    fn check(self, field: &str, check: &mut Check<'_>) {
        if let Self::BodyFraction(fraction) = self {
            check.at(field).share("body_fraction", fraction);
        }
    }
}

pub(crate) fn check_mix(mix: &[WeightedFailure], check: &mut Check<'_>) {
    for (index, entry) in mix.iter().enumerate() {
        let mut check = check.index(index);
        check.positive("weight", entry.weight);
        entry.kind.check(&mut check.at("kind"));
    }
}

fn one() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn internal_error() -> u16 {
    500
}
fn half_a_minute_ms() -> f64 {
    30_000.0
}
fn garbage_bytes() -> u32 {
    256
}
fn drip_rate() -> f64 {
    64.0
}
fn ten() -> i32 {
    10
}
fn html() -> String {
    "text/html".to_owned()
}
fn score_too_high() -> f64 {
    1.7
}
fn one_item() -> u32 {
    1
}
fn h2_internal_error() -> u32 {
    2
}
