//! A detector's answer, accepted only when it is attested: complete, for this request, and well-formed. Any
//! other response counts as no answer.

use std::borrow::Cow;

use detector_api::detect::{DetectResponse, Detection};

/// The output of a detector that found nothing.
pub const CLEAN: &str = "clean";

const MAX_LABEL_CHARS: usize = 128;

/// A finding of one detector. Offsets count characters; the text itself is not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestedAnswer {
    pub output: Cow<'static, str>,
    /// 0 to 1.
    pub confidence: f64,
    pub findings: Vec<Finding>,
}

impl AttestedAnswer {
    /// Its approximate heap memory in bytes.
    pub fn bytes(&self) -> usize {
        let texts = self.findings.iter();
        let texts: usize = texts.map(|it| it.label.len() + it.category.len()).sum();
        self.findings.capacity() * size_of::<Finding>() + texts + self.output.len()
    }
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

/// The reason why an answer is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    #[error("the response is not valid JSON")]
    Malformed,
    #[error("the response has the wrong structure")]
    Shape,
    #[error("the response belongs to another request")]
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
/// The answer is not accepted, for this reason.
pub fn native(body: &[u8], request_id: &str, content: &str) -> Result<AttestedAnswer, AttestError> {
    // Checked as a whole, not text by text.
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
    Ok(AttestedAnswer {
        output,
        confidence: response.confidence,
        findings,
    })
}

pub fn attest(found: Detection, content: &str, offsets: &Offsets) -> Result<Finding, AttestError> {
    if !is_share(found.score) {
        return Err(AttestError::Score);
    }
    // A finding with the output `clean` would be mistaken for no finding.
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
    // Bytes are an upper bound of characters, so only long labels are counted.
    let fits = label.len() <= MAX_LABEL_CHARS || label.chars().count() <= MAX_LABEL_CHARS;
    !label.is_empty() && fits && !label.contains(['|', '\n'])
}

/// Maps character offsets to byte offsets; built only for text that is not plain ASCII.
pub struct Offsets {
    bytes: Option<Vec<u32>>,
}

impl Offsets {
    /// Built on first use.
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

    /// The text between two characters; `None` when it is outside the content.
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
    fn a_valid_answer_is_accepted() {
        check(&body("r1", "clean", "0.9", ""), Ok(0));
        check(
            &body("r1", "email", "0.9", &found(6, 11, "a@b.c", "0.9")),
            Ok(1),
        );
        check(&body("r1", "email", "0.9", &found(2, 5, "öße", "1")), Ok(1));
    }

    #[test]
    fn the_length_of_a_label_is_counted_in_characters() {
        assert!(is_label(&"ä".repeat(128)));
        assert!(!is_label(&"ä".repeat(129)));
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
