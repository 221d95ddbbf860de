//! The `params` argument of requests.

use std::rc::Rc;
use std::time::Duration;

use http_client::cookies::Jar;
use http_client::expected::Expected;
use script_engine::Value;
use script_engine::convert;
use script_engine::throw::{Throw, plain};

use super::super::tags;
use super::callback;
use crate::vu::state::VuState;

/// The type of a response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseType {
    Text,
    Binary,
    None,
}

/// A cookie of one request.
#[derive(Debug, Clone)]
pub(super) struct RequestCookie {
    pub(super) name: String,
    pub(super) value: String,
    /// It replaces a cookie with the same name from the jar.
    pub(super) replaces: bool,
}

/// The parameters of one request, defaults applied.
pub(super) struct Params {
    pub(super) headers: Vec<(String, String)>,
    pub(super) cookies: Vec<RequestCookie>,
    pub(super) jar: Rc<Jar>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) redirects: Option<usize>,
    pub(super) auth: String,
    pub(super) compression: String,
    pub(super) response_type: ResponseType,
    pub(super) expected: Option<Expected>,
    pub(super) throws: bool,
}

/// The time a request may take; k6's default.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Params {
    /// The parameters when none are given.
    pub(super) fn default_of(vu: &VuState) -> Self {
        let options = vu.run.options();
        Self {
            headers: Vec::new(),
            cookies: Vec::new(),
            jar: Rc::clone(&vu.jar.borrow()),
            tags: Vec::new(),
            timeout: TIMEOUT,
            redirects: None,
            auth: String::new(),
            compression: String::new(),
            response_type: if options.discard_response_bodies.unwrap_or(false) {
                ResponseType::None
            } else {
                ResponseType::Text
            },
            expected: vu.expected.borrow().clone(),
            throws: options.throw.unwrap_or(false),
        }
    }

    /// Reads the argument.
    pub(super) fn read(vu: &VuState, value: &Value<'_>) -> Result<Self, Throw> {
        let mut params = Self::default_of(vu);
        let Some(object) = value.as_object() else {
            return Ok(params);
        };
        for (key, value) in convert::entries(object)? {
            // k6 ignores some keys without a value, and fails on others.
            let is_absent = value.is_undefined() || value.is_null();
            let may_be_absent = ["headers", "cookies", "jar", "tags", "auth"];
            if !(is_absent && may_be_absent.contains(&key.as_str())) {
                params.set(&key, &value)?;
            }
        }
        Ok(params)
    }

    fn set(&mut self, key: &str, value: &Value<'_>) -> Result<(), Throw> {
        match key {
            "headers" => self.headers = pairs(value)?,
            "cookies" => self.cookies = cookies(value)?,
            "jar" => {
                if let Some(jar) = super::jar::of(value) {
                    self.jar = jar;
                }
            }
            "tags" => {
                let read = tags::read(value);
                self.tags =
                    read.map_err(|throw| tags::about("invalid HTTP request metric tags", throw))?;
            }
            "timeout" => self.timeout = timeout(value)?,
            "redirects" => {
                let wanted = match value.is_undefined() {
                    true => 0.0,
                    false => convert::to_number(value)?,
                };
                self.redirects = Some(wanted.clamp(0.0, 1e9) as usize);
            }
            "auth" => self.auth = convert::to_text(value)?,
            "compression" => self.compression = compression(&convert::to_text(value)?)?,
            "responseCallback" => {
                let expected = callback(value);
                self.expected = expected.ok_or_else(|| plain("unsupported responseCallback"))?;
            }
            "responseType" => self.response_type = response_type(&convert::to_text(value)?)?,
            "throw" => self.throws = convert::is_truthy(value),
            _ => {}
        }
        Ok(())
    }
}

/// The codings of a body, all known.
fn compression(wanted: &str) -> Result<String, Throw> {
    let wanted = wanted.trim();
    let unknown = wanted
        .split(',')
        .map(str::trim)
        .find(|coding| !CODINGS.contains(coding));
    match unknown {
        Some(unknown) if !wanted.is_empty() => Err(plain(format!(
            "unknown compression algorithm {unknown}, supported algorithms are [{}]",
            CODINGS.join(" ")
        ))),
        _ => Ok(wanted.to_owned()),
    }
}

const CODINGS: [&str; 4] = ["gzip", "deflate", "zstd", "br"];

fn pairs(value: &Value<'_>) -> Result<Vec<(String, String)>, Throw> {
    if value.is_string() {
        return convert::characters(value);
    }
    let Some(object) = value.as_object() else {
        return Ok(Vec::new());
    };
    let entries = convert::entries(object)?;
    entries
        .into_iter()
        .map(|(name, value)| Ok((name, convert::to_text(&value)?)))
        .collect()
}

fn cookies(value: &Value<'_>) -> Result<Vec<RequestCookie>, Throw> {
    if value.is_string() {
        let cookie = |(name, value)| RequestCookie {
            name,
            value,
            replaces: false,
        };
        return Ok(convert::characters(value)?
            .into_iter()
            .map(cookie)
            .collect());
    }
    let Some(object) = value.as_object() else {
        return Ok(Vec::new());
    };
    let mut cookies = Vec::new();
    for (name, value) in convert::entries(object)? {
        if value.is_null() || value.is_undefined() {
            continue;
        }
        let cookie = match value.as_object().filter(|_| !value.is_array()) {
            Some(parts) => RequestCookie {
                name,
                value: convert::given(parts, "value")?
                    .map_or(Ok(String::new()), |value| convert::to_text(&value))?,
                replaces: convert::given(parts, "replace")?
                    .is_some_and(|flag| convert::is_truthy(&flag)),
            },
            None => RequestCookie {
                name,
                value: convert::to_text(&value)?,
                replaces: false,
            },
        };
        cookies.push(cookie);
    }
    Ok(cookies)
}

/// A time, as a number of milliseconds or as text; a value of 0 or less means none.
pub(in crate::modules) fn timeout(value: &Value<'_>) -> Result<Duration, Throw> {
    if let Some(milliseconds) = value.as_number() {
        return Ok(Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default());
    }
    if !value.is_string() {
        let kind = convert::go_type(value);
        return Err(plain(format!(
            "invalid timeout value: unable to use type {kind} as a duration value"
        )));
    }
    let text = convert::to_text(value)?;
    // A negative timeout expires at once.
    let (text, is_past) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.as_str(), false),
    };
    let parsed = load_engine::options::duration::parse_extended(text).ok();
    let parsed = parsed.filter(|_| text.trim() == text).ok_or_else(|| {
        let sign = if is_past { "-" } else { "" };
        plain(format!(
            "invalid timeout value: time: invalid duration \"{sign}{text}\""
        ))
    })?;
    Ok(if is_past { Duration::ZERO } else { parsed })
}

fn response_type(name: &str) -> Result<ResponseType, Throw> {
    match name {
        "text" => Ok(ResponseType::Text),
        "binary" => Ok(ResponseType::Binary),
        "none" => Ok(ResponseType::None),
        other => Err(plain(format!(
            "{other} does not belong to ResponseType values"
        ))),
    }
}
