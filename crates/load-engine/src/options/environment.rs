//! The `K6_*` environment variables that set options.

use std::str::FromStr;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::json::{named_system_tags, set};
use super::stage::{self, RawStage};
use super::value::{At, OptionError};
use super::{Dns, Options, Stage, Threshold};
use crate::go_text::parse_bool;

/// Variables that hold one plain value, and their options.
const PLAIN: &[(&str, &str)] = &[
    ("K6_PAUSED", "paused"),
    ("K6_VUS", "vus"),
    ("K6_DURATION", "duration"),
    ("K6_ITERATIONS", "iterations"),
    ("K6_NO_SETUP", "noSetup"),
    ("K6_NO_TEARDOWN", "noTeardown"),
    ("K6_SETUP_TIMEOUT", "setupTimeout"),
    ("K6_TEARDOWN_TIMEOUT", "teardownTimeout"),
    ("K6_HANDLE_SUMMARY_TIMEOUT", "handleSummaryTimeout"),
    ("K6_RPS", "rps"),
    ("K6_MAX_REDIRECTS", "maxRedirects"),
    ("K6_USER_AGENT", "userAgent"),
    ("K6_BATCH", "batch"),
    ("K6_BATCH_PER_HOST", "batchPerHost"),
    ("K6_HTTP_DEBUG", "httpDebug"),
    ("K6_INSECURE_SKIP_TLS_VERIFY", "insecureSkipTLSVerify"),
    ("K6_THROW", "throw"),
    ("K6_NO_CONNECTION_REUSE", "noConnectionReuse"),
    ("K6_NO_VU_CONNECTION_REUSE", "noVUConnectionReuse"),
    ("K6_MIN_ITERATION_DURATION", "minIterationDuration"),
    ("K6_SUMMARY_TIME_UNIT", "summaryTimeUnit"),
    ("K6_METRIC_SAMPLES_BUFFER_SIZE", "metricSamplesBufferSize"),
    ("K6_NO_COOKIES_RESET", "noCookiesReset"),
    ("K6_DISCARD_RESPONSE_BODIES", "discardResponseBodies"),
];

/// Options that are true or false.
const SWITCHES: &[&str] = &[
    "paused",
    "noSetup",
    "noTeardown",
    "insecureSkipTLSVerify",
    "throw",
    "noConnectionReuse",
    "noVUConnectionReuse",
    "noCookiesReset",
    "discardResponseBodies",
];

/// Variables that hold a comma-separated list.
const LISTS: &[(&str, &str)] = &[
    ("K6_SUMMARY_TREND_STATS", "summaryTrendStats"),
    ("K6_TLS_CIPHER_SUITES", "tlsCipherSuites"),
    ("K6_BLACKLIST_IPS", "blacklistIPs"),
    ("K6_BLOCK_HOSTNAMES", "blockHostnames"),
    ("K6_FEATURES", "features"),
];

/// Variables that hold JSON.
const JSON: &[(&str, &str)] = &[
    ("K6_THRESHOLDS", "thresholds"),
    ("K6_HOSTS", "hosts"),
    ("K6_TLSAUTH", "tlsAuth"),
];

/// Variables that are read one by one.
const OTHERS: [&str; 6] = [
    "K6_DNS",
    "K6_STAGES",
    "K6_SYSTEM_TAGS",
    "K6_TAGS",
    "K6_CONSOLE_OUTPUT",
    "K6_LOCAL_IPS",
];

/// The names of all variables that [`read`] reads.
pub fn names() -> impl Iterator<Item = &'static str> {
    let tables = [PLAIN, LISTS, JSON].into_iter().flatten();
    tables.map(|(name, _)| *name).chain(OTHERS)
}

/// Reads the options that the environment sets; empty values are "not set", except for the trend statistics,
/// where they mean none.
///
/// # Errors
/// A value is invalid; the error names the variable.
pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Options, OptionError> {
    let mut options = Options::default();
    if variable("K6_SUMMARY_TREND_STATS").is_some_and(|text| text.is_empty()) {
        options.summary_trend_stats = Some(Vec::new());
    }
    if let Some(text) = variable("K6_DNS") {
        options.dns = Some(dns_variable(&text)?);
    }
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    for (name, option) in PLAIN {
        let Some(text) = variable(name) else { continue };
        put(&mut options, name, option, &value_of(option, text))?;
    }
    for (name, option) in LISTS {
        let Some(text) = variable(name) else { continue };
        let items = text
            .split(',')
            .map(|item| Value::String(item.trim().to_owned()));
        put(&mut options, name, option, &items.collect())?;
    }
    for (name, option) in JSON {
        let Some(text) = variable(name) else { continue };
        let value = serde_json::from_str(&text).map_err(|error| bad(name, error.to_string()))?;
        put(&mut options, name, option, &value)?;
    }
    if let Some(text) = variable("K6_STAGES") {
        options.stages = Some(stages(&text).map_err(|error| match error {
            OptionError::Duration { source, .. } => {
                let why = source.to_string();
                OptionError::Plain(assigning("K6_STAGES", "Stages", &text, "[]lib.Stage", &why))
            }
            _ => named("K6_STAGES", error),
        })?);
    }
    if let Some(text) = variable("K6_SYSTEM_TAGS") {
        options.system_tags = Some(named_system_tags(text.split(',')));
    }
    if let Some(text) = variable("K6_TAGS") {
        options.tags = Some(tags_variable(&text)?);
    }
    options.console_output = variable("K6_CONSOLE_OUTPUT");
    options.local_ips = variable("K6_LOCAL_IPS");
    Ok(options)
}

fn dns_variable(text: &str) -> Result<Dns, OptionError> {
    let found = match text {
        "" => Err(OptionError::Plain("no value for key ".to_owned())),
        _ => dns(text),
    };
    found.map_err(|error| match error {
        OptionError::Plain(why) => {
            OptionError::Plain(assigning("K6_DNS", "DNS", text, "types.DNSConfig", &why))
        }
        other => other,
    })
}

/// `name:value,…`; `=` may stand for `:`.
fn tags_variable(text: &str) -> Result<IndexMap<String, String>, OptionError> {
    let pair = |item: &str| {
        let pair = item.split_once('=').or_else(|| item.split_once(':'));
        let pair = pair.filter(|(_, value)| !value.contains([':', '=']));
        pair.filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .ok_or_else(|| {
                let why = format!("invalid map item: {item:?}");
                OptionError::Plain(assigning(
                    "K6_TAGS",
                    "RunTags",
                    text,
                    "map[string]string",
                    &why,
                ))
            })
    };
    text.split(',').map(pair).collect()
}

/// Sets one option from a text, as flags are.
///
/// # Errors
/// The value is invalid.
pub fn set_text(options: &mut Options, option: &str, text: &str) -> Result<(), OptionError> {
    set(
        options,
        &At {
            path: option,
            value: &value_of(option, text.to_owned()),
        },
    )
    .map(drop)
}

/// A text as the option's value: booleans have Go's syntax.
fn value_of(option: &str, text: String) -> Value {
    if !SWITCHES.contains(&option) {
        return Value::String(text);
    }
    parse_bool(&text).map_or(Value::String(text), Value::Bool)
}

/// Sets one option from a list of texts, as flags are.
///
/// # Errors
/// A value is invalid.
pub fn set_list(options: &mut Options, option: &str, texts: &[String]) -> Result<(), OptionError> {
    let items = texts.iter().flat_map(|text| text.split(','));
    let value = items
        .map(|item| Value::String(item.trim().to_owned()))
        .collect();
    set(
        options,
        &At {
            path: option,
            value: &value,
        },
    )
    .map(drop)
}

/// Reads `5s:10,10s:20`. A stage without a target is accepted here, but cannot run.
///
/// # Errors
/// A stage is invalid; the error names it.
pub fn stages(text: &str) -> Result<Vec<Stage>, OptionError> {
    let stages = text.split(',').map(raw_stage).collect::<Result<_, _>>()?;
    stage::of_shortcut(stages)
}

fn raw_stage(text: &str) -> Result<RawStage, OptionError> {
    let (time, target) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
    let time = match time {
        "" => None,
        _ => {
            let value = Value::String(time.to_owned());
            let at = At {
                path: "stages",
                value: &value,
            };
            Some(at.signed_duration()?)
        }
    };
    let target = match target {
        "" => None,
        _ => Some(i64::from_str(target).map_err(|_| {
            let why = format!("the stage '{text}' must look like '30s:10' (duration:target)");
            bad("stages", why)
        })?),
    };
    Ok(RawStage { time, target })
}

/// Reads `name=value` pairs.
///
/// # Errors
/// A pair has no `=` or an empty name or value.
pub fn tags<'a>(pairs: impl Iterator<Item = &'a str>) -> Result<IndexMap<String, String>, String> {
    let pair = |pair: &str| {
        let wrong = |why: &str| format!("error parsing tag '{pair}': invalid tag, {why}");
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name, value) {
            _ if pair.is_empty() => Err(wrong("empty string")),
            ("", _) => Err(wrong("empty name")),
            (_, "") => Err(wrong("empty value")),
            _ => Ok((name.to_owned(), value.to_owned())),
        }
    };
    pairs.map(pair).collect()
}

/// Reads `ttl=5m,select=random,policy=preferIPv4`; the empty text sets nothing.
///
/// # Errors
/// A part is invalid; the error names it.
pub fn dns(text: &str) -> Result<Dns, OptionError> {
    let mut map = Map::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if value.is_empty() {
            return Err(OptionError::Plain(format!("no value for key {part}")));
        }
        if !["ttl", "select", "policy"].contains(&key) {
            let why = format!("unknown DNS configuration field: {key}");
            return Err(OptionError::Plain(why));
        }
        map.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    super::json::dns(&At {
        path: "dns",
        value: &Value::Object(map),
    })
}

/// A threshold that consists of its expression only.
pub fn plain_threshold(expression: &str) -> Threshold {
    Threshold {
        expression: expression.to_owned(),
        abort_on_fail: false,
        delay_abort_eval: None,
    }
}

fn put(options: &mut Options, name: &str, option: &str, value: &Value) -> Result<(), OptionError> {
    match set(
        options,
        &At {
            path: option,
            value,
        },
    ) {
        Ok(_) => Ok(()),
        Err(error) => Err(unread(name, option, value, error)),
    }
}

/// The error of a variable whose text is not a value of its option, in the words of the library that reads k6's
/// variables.
fn unread(name: &str, option: &str, value: &Value, error: OptionError) -> OptionError {
    let items = || {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) => items().collect::<Vec<_>>().join(","),
        _ => return named(name, error),
    };
    let (kind, why) = match error {
        OptionError::Plan(_) => return error,
        OptionError::Duration { source, .. } => ("types.NullDuration", source.to_string()),
        _ if SWITCHES.contains(&option) => ("null.Bool", format!("invalid input:{text}")),
        OptionError::Type {
            wants: "a whole number",
            ..
        } => {
            let why = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
            ("null.Int", why)
        }
        OptionError::Plain(why) if option == "blacklistIPs" => ("[]*lib.IPNet", why),
        OptionError::Plain(why) if option == "blockHostnames" => ("types.NullHostnameTrie", why),
        _ => return named(name, error),
    };
    OptionError::Plain(assigning(name, &field(option), &text, kind, &why))
}

/// `assigning K6_VUS to VUs: …`
fn assigning(name: &str, field: &str, text: &str, kind: &str, why: &str) -> String {
    format!(
        "envconfig.Process: assigning {name} to {field}: converting '{text}' to type {kind}. details: {why}"
    )
}

/// The field of k6's options for an option.
fn field(option: &str) -> String {
    match option {
        "vus" => return "VUs".to_owned(),
        "rps" => return "RPS".to_owned(),
        "httpDebug" => return "HTTPDebug".to_owned(),
        "blockHostnames" => return "BlockedHostnames".to_owned(),
        _ => {}
    }
    let mut letters = option.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// An error of a variable.
fn named(variable: &str, error: OptionError) -> OptionError {
    match error {
        OptionError::Plan(_) => error,
        _ => bad(variable, error.to_string()),
    }
}

fn bad(path: &str, why: String) -> OptionError {
    OptionError::Value {
        path: path.to_owned(),
        why,
    }
}
