//! Azure AI Content Safety: `/contentsafety/text:analyze`, versions 2023-10-01 and 2024-09-01.

use hyper::{StatusCode, header};
use live_config::strict;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{BadRequest, Call, DetectionReply, ErrorReply, Question};
use crate::detection::Found;

const PATH: &str = "/contentsafety/text:analyze";
const VERSIONS: [&str; 2] = ["2023-10-01", "2024-09-01"];
const MAX_TEXT: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Category {
    Hate,
    SelfHarm,
    Sexual,
    Violence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
enum OutputType {
    #[default]
    FourSeverityLevels,
    EightSeverityLevels,
}

/// The options of the answer.
#[derive(Debug)]
pub(crate) struct Details {
    categories: Vec<Category>,
    output: OutputType,
}

pub(super) fn is_call(path: &str) -> bool {
    path == PATH
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    text: String,
    #[serde(default)]
    categories: Option<Vec<Category>>,
    #[serde(default, rename = "blocklistNames")]
    _blocklist_names: Vec<String>,
    #[serde(default, rename = "haltOnBlocklistHit")]
    _halt_on_blocklist_hit: bool,
    #[serde(default)]
    output_type: OutputType,
}

pub(super) fn read(call: &Call<'_>) -> Result<Question, BadRequest> {
    let keyed = call.headers.contains_key("ocp-apim-subscription-key")
        || call.headers.contains_key(header::AUTHORIZATION);
    if !keyed {
        let message = "Access denied due to invalid subscription key or wrong API endpoint.";
        return Err(BadRequest::new(StatusCode::UNAUTHORIZED, message));
    }
    let bad = |message: String| BadRequest::new(StatusCode::BAD_REQUEST, message);
    let pairs = call
        .query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let version = pairs
        .into_iter()
        .find(|(name, _)| *name == "api-version")
        .map(|(_, value)| value);
    if !version.is_some_and(|version| VERSIONS.contains(&version)) {
        return Err(bad(
            "The api-version query parameter is missing or not supported.".to_owned(),
        ));
    }
    let body: Body = strict::read(call.body)
        .map_err(|fault| bad(format!("The request body is not valid: {fault}")))?;
    if body.text.is_empty() || body.text.chars().count() > MAX_TEXT {
        return Err(bad(format!(
            "The text must have 1 to {MAX_TEXT} code points."
        )));
    }
    let all = || {
        vec![
            Category::Hate,
            Category::SelfHarm,
            Category::Sexual,
            Category::Violence,
        ]
    };
    let details = super::Details::Azure(Details {
        categories: body
            .categories
            .filter(|list| !list.is_empty())
            .unwrap_or_else(all),
        output: body.output_type,
    });
    Ok(Question::new(vec![body.text], false, None, details))
}

fn category_of(category: &str) -> Option<Category> {
    match category {
        "toxicity" | "hate" => Some(Category::Hate),
        "violence" => Some(Category::Violence),
        "self_harm" => Some(Category::SelfHarm),
        _ => None,
    }
}

pub(super) fn shows(category: &str) -> bool {
    category_of(category).is_some()
}

pub(super) fn write(answer: &DetectionReply<'_>, details: &Details) -> Vec<u8> {
    let found: Vec<&Found> = answer.findings.iter().flatten().collect();
    let analysis = details.categories.iter().map(|category| {
        let own = found
            .iter()
            .filter(|found| category_of(found.category) == Some(*category));
        let score = own.map(|found| found.score).reduce(f64::max).unwrap_or(0.0);
        let mut entry = Map::new();
        entry.insert("category".to_owned(), format!("{category:?}").into());
        entry.insert(
            "severity".to_owned(),
            severity(score, details.output).into(),
        );
        Value::Object(entry)
    });
    let analysis: Value = analysis.collect();
    json!({ "blocklistsMatch": [], "categoriesAnalysis": analysis })
        .to_string()
        .into_bytes()
}

/// Severity 0 to 7, or with four levels 0, 2, 4, 6. Scores outside 0 to 1 give severities that the service does
/// not have, on purpose.
fn severity(score: f64, output: OutputType) -> i64 {
    if score > 1e6 {
        // The placeholder for NaN is written unchanged.
        return score as i64;
    }
    let eight = (score * 7.0).round() as i64;
    match output {
        OutputType::EightSeverityLevels => eight,
        OutputType::FourSeverityLevels => eight / 2 * 2,
    }
}

/// The error's code, which is also sent as `x-ms-error-code`.
fn code_of(code: u16) -> &'static str {
    match code {
        400 => "InvalidRequestBody",
        401 => "401",
        403 => "403",
        404 => "ResourceNotFound",
        429 => "TooManyRequests",
        503 => "ServerBusy",
        _ => "InternalError",
    }
}

pub(super) fn write_error(error: &ErrorReply<'_>) -> (Vec<u8>, Vec<(&'static str, String)>) {
    let code = code_of(error.code);
    let usual = match error.code {
        429 => {
            "Requests have exceeded the rate limit of your current pricing tier. Please retry later."
        }
        _ => error
            .status
            .canonical_reason()
            .unwrap_or("The service failed."),
    };
    let message = error.message.unwrap_or(usual);
    let body = json!({ "error": { "code": code, "message": message } });
    (
        body.to_string().into_bytes(),
        vec![("x-ms-error-code", code.to_owned())],
    )
}
