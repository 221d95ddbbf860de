//! A detector's answer, believed only once it is attested: complete, for this request, and
//! well-formed. What is not counts as no answer.

use std::borrow::Cow;

use detector_api::detect::{DetectResponse, Detection};

/// The output of a detector that found nothing.
pub const CLEAN: &str = "clean";

const MAX_LABEL_CHARS: usize = 128;
/// More than this of one detector are no answer.
pub const MAX_DETECTIONS: usize = 10_000;

/// What one detector found. Offsets count characters; the found text itself is not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub output: Cow<'static, str>,
    /// 0 to 1.
    pub confidence: f64,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub start: usize,
    pub end: usize,
    pub label: String,
    pub category: String,
    /// 0 to 1.
    pub score: f64,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    #[error("the answer is not valid JSON")]
    Malformed,
    #[error("the answer has the wrong shape")]
    Shape,
    #[error("the answer is for another request")]
    OtherRequest,
    #[error("a score is not a number from 0 to 1")]
    Score,
    #[error("a detection lies outside the content or does not match it")]
    Span,
    #[error("a label is empty or too long")]
    Label,
    #[error("the output contradicts the detections")]
    Contradiction,
}

/// Reads an answer of the native dialect and attests it.
///
/// # Errors
/// It is not believed; why.
pub fn native(body: &[u8], request_id: &str, content: &str) -> Result<Answer, AttestError> {
    // Looked through as a whole, not text by text.
    let body = std::str::from_utf8(body).map_err(|_| AttestError::Malformed)?;
    let response: DetectResponse<'_> = serde_json::from_str(body).map_err(|error| {
        if error.is_data() {
            AttestError::Shape
        } else {
            AttestError::Malformed
        }
    })?;
    if response.request_id != request_id {
        return Err(AttestError::OtherRequest);
    }
    if !is_share(response.confidence) {
        return Err(AttestError::Score);
    }
    if !is_label(&response.output) {
        return Err(AttestError::Label);
    }
    if response.detections.len() > MAX_DETECTIONS {
        return Err(AttestError::Shape);
    }
    let offsets = Offsets::new(content, !response.detections.is_empty());
    let findings = response
        .detections
        .into_iter()
        .map(|found| attest(found, content, &offsets));
    let findings: Vec<Finding> = findings.collect::<Result<_, _>>()?;
    let says_clean = response.output == CLEAN;
    let named = findings.iter().any(|found| found.label == response.output);
    if says_clean != findings.is_empty() || (!says_clean && !named) {
        return Err(AttestError::Contradiction);
    }
    let output = match says_clean {
        true => Cow::Borrowed(CLEAN),
        false => response.output.into_owned().into(),
    };
    Ok(Answer {
        output,
        confidence: response.confidence,
        findings,
    })
}

pub fn attest(found: Detection, content: &str, offsets: &Offsets) -> Result<Finding, AttestError> {
    if !is_share(found.score) {
        return Err(AttestError::Score);
    }
    // What was found and is called clean would pass for nothing found.
    if !is_label(&found.label) || found.label == CLEAN || !is_label(&found.category) {
        return Err(AttestError::Label);
    }
    let span = offsets
        .slice(content, found.start, found.end)
        .ok_or(AttestError::Span)?;
    if span != found.text {
        return Err(AttestError::Span);
    }
    Ok(Finding {
        start: found.start,
        end: found.end,
        label: found.label,
        category: found.category,
        score: found.score,
    })
}

pub fn is_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

pub fn is_label(label: &str) -> bool {
    !label.is_empty() && label.len() <= MAX_LABEL_CHARS && !label.contains(['|', '\n'])
}

/// Character offsets to byte offsets, made only where a text is not plain ASCII.
pub struct Offsets {
    bytes: Option<Vec<u32>>,
}

impl Offsets {
    /// Made when there is something to look up.
    pub fn new(content: &str, needed: bool) -> Self {
        let bytes = (needed && !content.is_ascii()).then(|| {
            let starts = content.char_indices().map(|(byte, _)| byte);
            starts
                .chain([content.len()])
                .map(|byte| byte as u32)
                .collect()
        });
        Self { bytes }
    }

    /// The text between two characters; `None`: it is not within the content.
    pub fn slice<'a>(&self, content: &'a str, start: usize, end: usize) -> Option<&'a str> {
        if start > end {
            return None;
        }
        match &self.bytes {
            None => content.get(start..end),
            Some(bytes) => content.get(*bytes.get(start)? as usize..*bytes.get(end)? as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "größe a@b.c";

    fn check(body: &str, expected: Result<usize, AttestError>) {
        let found = native(body.as_bytes(), "r1", CONTENT).map(|answer| answer.findings.len());
        assert_eq!(found, expected, "{body}");
    }

    fn body(request_id: &str, output: &str, confidence: &str, detections: &str) -> String {
        format!(
            r#"{{"request_id": "{request_id}", "detector": "d", "output": "{output}",
                "confidence": {confidence}, "detections": [{detections}], "processing_time_ms": 1}}"#
        )
    }

    fn found(start: usize, end: usize, text: &str, score: &str) -> String {
        format!(
            r#"{{"start": {start}, "end": {end}, "text": "{text}", "label": "email",
                "category": "pii", "score": {score}}}"#
        )
    }

    #[test]
    fn a_good_answer_is_believed() {
        check(&body("r1", "clean", "0.9", ""), Ok(0));
        check(
            &body("r1", "email", "0.9", &found(6, 11, "a@b.c", "0.9")),
            Ok(1),
        );
        check(&body("r1", "email", "0.9", &found(2, 5, "öße", "1")), Ok(1));
    }

    #[test]
    fn anything_else_is_not() {
        check("{", Err(AttestError::Malformed));
        check("[]", Err(AttestError::Shape));
        check("{}", Err(AttestError::Shape));
        check(
            &body("r2", "clean", "0.9", ""),
            Err(AttestError::OtherRequest),
        );
        check(&body("r1", "clean", "NaN", ""), Err(AttestError::Malformed));
        check(
            &body("r1", "clean", "1e999", ""),
            Err(AttestError::Malformed),
        );
        check(&body("r1", "clean", "1.01", ""), Err(AttestError::Score));
        check(&body("r1", "clean", "null", ""), Err(AttestError::Shape));
        check(&body("r1", "", "0.9", ""), Err(AttestError::Label));
        check(
            &body("r1", "email", "0.9", ""),
            Err(AttestError::Contradiction),
        );
        let good = found(6, 11, "a@b.c", "0.9");
        check(
            &body("r1", "clean", "0.9", &good),
            Err(AttestError::Contradiction),
        );
        for (start, end, text) in [
            (6, 11, "x@b.c"),
            (6, 1_000_000_000, "a@b.c"),
            (11, 6, ""),
            (7, 12, "a@b.c"),
        ] {
            let body = body("r1", "email", "0.9", &found(start, end, text, "0.9"));
            check(&body, Err(AttestError::Span));
        }
        check(
            &body("r1", "email", "0.9", &found(6, 11, "a@b.c", "-1")),
            Err(AttestError::Score),
        );
    }
}
