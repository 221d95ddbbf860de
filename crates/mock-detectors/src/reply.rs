//! Answers, written before their delay begins so that the delay is met when it ends.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use detector_api::header as names;
use fault_profile::draw::{Purpose, Root};
use fault_profile::{Decision, Failure};
use hyper::http::{HeaderName, HeaderValue, header};
use hyper::{Response, StatusCode};

use crate::body::Body;
use crate::detection::{self, Found};
use crate::detector::Detector;
use crate::dialect::{self, DetectionReply, ErrorReply, Findings, Question};

/// An answer that waits to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
    pub(crate) extra: Vec<(&'static str, String)>,
    pub(crate) decision: Option<HeaderValue>,
    pub(crate) request_id: Option<String>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Ids up to this length are repeated in a header.
const MOST_ID_BYTES: usize = 4_096;

/// The placeholder for a score that JSON cannot express.
const NAN_SCORE: f64 = 987_654_321.0;

impl Prepared {
    fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: JSON,
            body: body.into(),
            extra: Vec::new(),
            decision: None,
            request_id: None,
        }
    }

    /// An error in the format of the detector's dialect.
    pub(crate) fn error(detector: &Detector, status: StatusCode, message: Option<&str>) -> Self {
        let error = ErrorReply {
            status,
            code: status.as_u16(),
            message,
        };
        let (body, extra) = dialect::write_error(detector.dialect, &error);
        Self {
            status,
            extra,
            ..Self::ok(body)
        }
    }

    /// Adds `Retry-After` in whole seconds, as HTTP requires, rounded up.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.extra.push(("retry-after", seconds.max(1).to_string()));
        self
    }

    /// All headers in the order in which they are sent, without the length.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let value = |text: &String| HeaderValue::from_str(text).ok();
        let extra = self
            .extra
            .iter()
            .filter_map(move |(name, text)| Some((HeaderName::from_static(name), value(text)?)));
        // A body may contain an id that is too long for clients' header limits.
        let id = self.request_id.as_ref();
        let id = id
            .filter(|id| id.len() <= MOST_ID_BYTES)
            .and_then(value)
            .map(|id| (names::REQUEST_ID, id));
        let decision = self
            .decision
            .clone()
            .map(|decision| (names::DECISION, decision));
        [(header::CONTENT_TYPE, self.content_type.clone())]
            .into_iter()
            .chain(id)
            .chain(decision)
            .chain(extra)
    }

    /// As an HTTP response with this body.
    pub(crate) fn to_response(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers() {
            response.headers_mut().append(name, value);
        }
        response
    }

    /// As an HTTP response with its own body.
    pub(crate) fn into_response(self) -> Response<Body> {
        self.to_response(Body::Full(Some(self.body.clone())))
    }
}

/// Writes the answer. Failures of the transport start from a correct answer.
pub(crate) fn prepare(
    detector: &Detector,
    question: &Question,
    decision: &Decision,
    request_id: &str,
) -> Prepared {
    if let Some(Failure::Status {
        code,
        retry_after_s,
        message,
        body_code,
    }) = &decision.failure
    {
        let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = body_code.unwrap_or(status.as_u16());
        let reply = ErrorReply {
            status,
            code,
            message: message.as_deref(),
        };
        let (body, mut extra) = dialect::write_error(detector.dialect, &reply);
        extra.extend(retry_after_s.map(|seconds| ("retry-after", seconds.to_string())));
        return Prepared {
            status,
            extra,
            ..Prepared::ok(body)
        };
    }
    if let Some(Failure::StaleAnswer { age }) = &decision.failure
        && let Some(body) = detector.remembered(*age)
    {
        return Prepared::ok(body);
    }
    let mut findings = findings(question, decision);
    let wrong_id;
    let mut id = request_id;
    match &decision.failure {
        Some(Failure::WrongId {}) => {
            wrong_id = format!("{:016x}", decision.content_seed);
            id = &wrong_id;
        }
        Some(failure) if is_semantic(failure) => {
            distort(findings.to_mut(), failure, question, decision.content_seed);
        }
        _ => {}
    }
    let took_ms = (decision.latency + decision.service).as_millis() as u64;
    let answer = DetectionReply {
        question,
        findings: &findings,
        detector: &detector.name,
        request_id: id,
        wrong_id: id != request_id,
        took_ms,
    };
    let mut body = dialect::write(&answer);
    match &decision.failure {
        Some(Failure::MalformedJson {}) => break_json(&mut body),
        Some(Failure::NanScore {}) => body = write_nan(&body),
        _ => {}
    }
    let extra = dialect::headers(detector.dialect, took_ms);
    let mut prepared = Prepared {
        extra,
        ..Prepared::ok(body)
    };
    if decision.failure.is_none() {
        detector.remember(&prepared.body);
    }
    if let Some(Failure::WrongContentType { content_type }) = &decision.failure {
        prepared.content_type = HeaderValue::from_str(content_type).unwrap_or(JSON);
    }
    if matches!(decision.failure, Some(Failure::WrongId {})) {
        prepared.request_id = Some(id.to_owned());
    }
    prepared
}

/// The findings in the contents, as changed by the decision's inaccuracy.
fn findings<'a>(question: &'a Question, decision: &Decision) -> Cow<'a, Findings> {
    let wrong = |(place, found): (usize, &Vec<Found>)| is_wrong(decision, place, found);
    if !question.found.iter().enumerate().any(wrong) {
        return Cow::Borrowed(&question.found);
    }
    let pairs = question.contents.iter().zip(&question.found);
    let seen = pairs.enumerate().map(|(place, (content, found))| {
        if !is_wrong(decision, place, found) {
            found.clone()
        } else if found.is_empty() {
            let seed = decision.content_seed.wrapping_add(place as u64);
            vec![detection::invented(content, seed, question.dialect())]
        } else {
            Vec::new()
        }
    });
    Cow::Owned(seen.collect())
}

/// Whether the verdict on the content at this place is wrong on purpose.
fn is_wrong(decision: &Decision, place: usize, found: &[Found]) -> bool {
    if found.is_empty() {
        decision.verdicts.false_positive(place)
    } else {
        decision.verdicts.false_negative(place)
    }
}

/// Whether a verdict on clean content is wrong on purpose, and whether one on other content is.
pub(crate) fn wrong_verdicts(question: &Question, decision: &Decision) -> (bool, bool) {
    let (mut positive, mut negative) = (false, false);
    for (place, found) in question.found.iter().enumerate() {
        let wrong = is_wrong(decision, place, found);
        positive |= wrong && found.is_empty();
        negative |= wrong && !found.is_empty();
    }
    (positive, negative)
}

/// Whether a failure changes the findings.
fn is_semantic(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::NanScore {}
            | Failure::ScoreOutOfRange { .. }
            | Failure::SpanOutOfRange {}
            | Failure::ShortList { .. }
            | Failure::LongList { .. }
            | Failure::ReorderedList {}
            | Failure::StaleAnswer { .. }
            | Failure::OtherAnswer {}
    )
}

/// Makes a correct answer valid but wrong.
fn distort(findings: &mut Findings, failure: &Failure, question: &Question, seed: u64) {
    match failure {
        Failure::NanScore {} => {
            at_least_one(findings, question, seed, |found| found.score = NAN_SCORE);
        }
        Failure::ScoreOutOfRange { score } => {
            at_least_one(findings, question, seed, |found| found.score = *score);
        }
        Failure::SpanOutOfRange {} => {
            let lengths: Vec<usize> = question
                .contents
                .iter()
                .map(|content| content.chars().count())
                .collect();
            let longest = lengths.iter().copied().max().unwrap_or_default();
            at_least_one(findings, question, seed, |found| {
                let length = found.end - found.start;
                found.start = longest + 10;
                found.end = longest + 10 + length;
            });
        }
        Failure::ShortList { missing } => {
            let missing = *missing as usize;
            if question.listed {
                findings.truncate(findings.len().saturating_sub(missing));
            } else {
                at_least_one(findings, question, seed, |_| {});
                for found in findings.iter_mut() {
                    found.truncate(found.len().saturating_sub(missing));
                }
            }
        }
        Failure::LongList { extra } => {
            for place in 0..u64::from(*extra) {
                let invented = detection::invented(
                    &question.contents[0],
                    seed.wrapping_add(place),
                    question.dialect(),
                );
                if question.listed {
                    findings.push(vec![invented]);
                } else {
                    findings[0].push(invented);
                }
            }
        }
        Failure::ReorderedList {} => reorder(findings, question.listed, seed),
        Failure::OtherAnswer {} | Failure::StaleAnswer { .. } => {
            let content = detection::other_content(seed);
            let other = detection::invented(content, seed, question.dialect());
            findings
                .iter_mut()
                .for_each(|found| *found = vec![other.clone()]);
        }
        _ => {}
    }
}

/// Changes every finding; if there is none, one is invented to be changed.
fn at_least_one(
    findings: &mut Findings,
    question: &Question,
    seed: u64,
    mut change: impl FnMut(&mut Found),
) {
    if findings.iter().all(Vec::is_empty)
        && let (Some(first), Some(content)) = (findings.first_mut(), question.contents.first())
    {
        first.push(detection::invented(content, seed, question.dialect()));
    }
    findings.iter_mut().flatten().for_each(&mut change);
}

/// Another order: rotated by 1 to n−1 places, so that nothing stays in its place.
fn reorder(findings: &mut Findings, listed: bool, seed: u64) {
    fn rotate<T>(list: &mut [T], seed: u64) {
        if list.len() > 1 {
            let by = 1 + (seed % (list.len() as u64 - 1)) as usize;
            list.rotate_left(by);
        }
    }
    if listed {
        rotate(findings, seed);
    } else {
        findings.iter_mut().for_each(|found| rotate(found, seed));
    }
}

/// Cuts the body in half and closes it with the wrong bracket.
fn break_json(body: &mut Vec<u8>) {
    body.truncate(body.len().div_ceil(2));
    body.extend_from_slice(b"]}]");
}

/// Replaces the placeholder by `NaN`.
fn write_nan(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    text.replace("987654321.0", "NaN")
        .replace("987654321", "NaN")
        .into_bytes()
}

/// Bytes that are not HTTP; the first is not a letter, so that they cannot be mistaken for a status line.
pub(crate) fn garbage(seed: u64, length: u32) -> Bytes {
    let mut draws = Root::new(seed).draws(Purpose::Content);
    let mut bytes: Vec<u8> = (0..length).map(|_| draws.next_word() as u8).collect();
    if let Some(first) = bytes.first_mut() {
        *first |= 0x80;
    }
    bytes.into()
}
