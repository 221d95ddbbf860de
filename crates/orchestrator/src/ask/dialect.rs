//! The protocol of a detector: the request body, and the reading of its answer.

use std::sync::OnceLock;

use bytes::Bytes;
use detector_api::detect::Detection;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::attested::{self, AttestError, AttestedAnswer, CLEAN, Finding, Offsets};

const DETECTOR_ID: HeaderName = HeaderName::from_static("detector-id");

/// The supported dialects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /detect` with one content.
    #[default]
    Native,
    /// The guardrails Detector API, version 1: `POST /api/v1/text/contents` with a list of contents.
    Fms,
}

/// The bodies of one request, each serialized for the first detector that needs it.
#[derive(Clone)]
pub struct Bodies {
    native: Bytes,
    fms: OnceLock<Bytes>,
}

impl Bodies {
    pub fn new(native: Bytes) -> Self {
        Self {
            native,
            fms: OnceLock::new(),
        }
    }

    pub fn of(&self, dialect: Dialect, content: &str) -> Bytes {
        match dialect {
            Dialect::Native => self.native.clone(),
            Dialect::Fms => {
                let body = || json!({ "contents": [content], "detector_params": {} }).to_string();
                self.fms.get_or_init(|| body().into()).clone()
            }
        }
    }
}

impl Dialect {
    /// Adds the headers of the dialect.
    pub fn head(self, detector: &str, headers: &mut HeaderMap) {
        if self == Self::Fms
            && let Ok(name) = HeaderValue::from_str(detector)
        {
            headers.insert(DETECTOR_ID, name);
        }
    }

    /// Reads an answer and attests it.
    ///
    /// # Errors
    /// The answer is not accepted, for this reason.
    pub fn read(
        self,
        body: &[u8],
        request_id: &str,
        content: &str,
    ) -> Result<AttestedAnswer, AttestError> {
        match self {
            Self::Native => attested::native(body, request_id, content),
            Self::Fms => fms(body, content),
        }
    }
}

#[derive(Deserialize)]
struct FmsDetection {
    start: usize,
    end: usize,
    text: String,
    detection: String,
    detection_type: String,
    score: f64,
}

/// One list for the one content that was sent. The dialect has no ids: only spans can show that an answer is
/// for another request.
fn fms(body: &[u8], content: &str) -> Result<AttestedAnswer, AttestError> {
    let lists: Vec<Vec<FmsDetection>> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            AttestError::Shape
        } else {
            AttestError::Malformed
        }
    })?;
    let Ok([found]) = <[Vec<FmsDetection>; 1]>::try_from(lists) else {
        return Err(AttestError::Shape);
    };
    let offsets = Offsets::new(content, !found.is_empty());
    let attested = found.into_iter().map(|found| {
        let found = Detection {
            start: found.start,
            end: found.end,
            text: found.text,
            label: found.detection,
            category: found.detection_type,
            score: found.score,
        };
        attested::attest(found, content, &offsets)
    });
    let findings: Vec<Finding> = attested.collect::<Result<_, _>>()?;
    let surest = findings.iter().max_by(|a, b| a.score.total_cmp(&b.score));
    let (output, confidence) = match surest {
        Some(found) => (found.label.clone().into(), found.score),
        // The dialect has no confidence for the absence of findings.
        None => (CLEAN.into(), 1.0),
    };
    Ok(AttestedAnswer {
        output,
        confidence,
        findings,
    })
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "größe a@b.c";

    fn check(body: &str, expected: Result<(&str, usize), AttestError>) {
        let found = Dialect::Fms.read(body.as_bytes(), "r1", CONTENT);
        let found = found
            .as_ref()
            .map(|answer| (&*answer.output, answer.findings.len()));
        assert_eq!(found, expected.as_ref().copied(), "{body}");
    }

    fn found(start: usize, end: usize, text: &str, score: &str) -> String {
        format!(
            r#"{{"start": {start}, "end": {end}, "text": "{text}", "detection": "email",
                "detection_type": "pii", "score": {score}}}"#
        )
    }

    #[test]
    fn one_list_for_the_one_content_is_accepted() {
        check("[[]]", Ok((CLEAN, 0)));
        let good = found(6, 11, "a@b.c", "0.9");
        check(&format!("[[{good}]]"), Ok(("email", 1)));
        check(&format!("[[{good}, {good}]]"), Ok(("email", 2)));
    }

    #[test]
    fn anything_else_is_not() {
        for (body, why) in [
            ("[", AttestError::Malformed),
            ("{}", AttestError::Shape),
            ("[]", AttestError::Shape),
            ("[[], []]", AttestError::Shape),
            ("[[{}]]", AttestError::Shape),
            ("[[null]]", AttestError::Shape),
        ] {
            check(body, Err(why));
        }
        for (start, end, text, score, why) in [
            (6, 11, "x@b.c", "0.9", AttestError::Span),
            (6, 1_000_000_000, "a@b.c", "0.9", AttestError::Span),
            (6, 11, "a@b.c", "1.5", AttestError::Score),
            (6, 11, "a@b.c", "NaN", AttestError::Malformed),
        ] {
            check(&format!("[[{}]]", found(start, end, text, score)), Err(why));
        }
        let named_clean = found(6, 11, "a@b.c", "0.9").replace("email", CLEAN);
        check(&format!("[[{named_clean}]]"), Err(AttestError::Label));
    }
}
