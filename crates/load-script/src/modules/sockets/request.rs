//! Converts a URL and the params of a script to an opening handshake.

use std::rc::Rc;
use std::time::SystemTime;

use base64::Engine as _;
use http_client::cookies::{Cookie, Jar};
use http_client::header_order;
use http_client::reply::{Reply, canonical};
use http_client::upgrade::Opening;
use http_client::url::Url;
use load_metrics::SystemTag;
use script_engine::Value;
use script_engine::convert;
use script_engine::throw::{Throw, plain};

use super::super::http::jar;
use super::super::tags;
use super::samples::Samples;
use crate::vu::state::VuState;

/// The params of both modules.
pub(super) struct Params {
    headers: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) jar: Rc<Jar>,
    compresses: bool,
}

/// Whether unknown keys in the params are ignored or refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Ignored,
    Refused,
}

impl Params {
    /// Reads the params; `about` is the prefix of the error about invalid tags.
    pub(super) fn read(
        vu: &VuState,
        value: &Value<'_>,
        about: &str,
        unknown: Unknown,
    ) -> Result<Self, Throw> {
        let mut params = Self {
            headers: Vec::new(),
            tags: Vec::new(),
            jar: Rc::clone(&vu.jar.borrow()),
            compresses: false,
        };
        let Some(object) = value.as_object() else {
            return Ok(params);
        };
        for (key, value) in convert::entries(object)? {
            let is_given = !value.is_undefined() && !value.is_null();
            match key.as_str() {
                "headers" if is_given => params.headers = headers(&value)?,
                "tags" if is_given => {
                    params.tags = tags::read(&value).map_err(|throw| tags::about(about, throw))?;
                }
                "jar" if is_given => {
                    if let Some(jar) = jar::of(&value) {
                        params.jar = jar;
                    }
                }
                "compression" => {
                    params.compresses = compression(&convert::to_text(&value)?, unknown)?;
                }
                "headers" | "tags" | "jar" => {}
                _ if unknown == Unknown::Ignored => {}
                other => return Err(plain(format!("unknown WebSocket's option {other}"))),
            }
        }
        Ok(params)
    }

    /// The handshake with these params.
    pub(super) fn opening(&self, vu: &VuState, url: Url, protocols: &[String]) -> Opening {
        let mut headers = Vec::new();
        let mut host = None;
        for (name, value) in &self.headers {
            let name = canonical(name);
            if name == "Host" {
                host = Some(value.clone());
            } else {
                header_order::set(&mut headers, name, value.clone());
            }
        }
        let has = |headers: &[(String, String)], name: &str| {
            headers.iter().any(|(known, _)| known == name)
        };
        if !has(&headers, "User-Agent") {
            let agent = vu.run.options().user_agent.clone();
            let agent = agent.unwrap_or_else(|| crate::USER_AGENT.to_owned());
            header_order::set(&mut headers, "User-Agent".to_owned(), agent);
        }
        if let Some((user, password)) = url.credentials()
            && !has(&headers, "Authorization")
        {
            let token =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            let basic = format!("Basic {token}");
            header_order::set(&mut headers, "Authorization".to_owned(), basic);
        }
        if !protocols.is_empty() {
            let name = "Sec-WebSocket-Protocol".to_owned();
            header_order::set(&mut headers, name, protocols.join(", "));
        }
        let cookies: Vec<String> = self
            .jar
            .matching(&url, SystemTime::now())
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() && !has(&headers, "Cookie") {
            header_order::set(&mut headers, "Cookie".to_owned(), cookies.join("; "));
        }
        Opening {
            url,
            headers,
            host,
            compresses: self.compresses,
        }
    }

    /// The samples of a socket to `url`, which is as the script wrote it.
    pub(super) fn samples(&self, vu: &VuState, url: &str) -> Samples {
        Samples::new(vu, url, &self.tags).opening(vu, &self.headers)
    }
}

impl Params {
    /// The same with the tag `name`; one that the script sets also replaces the URL.
    pub(super) fn named_samples(&self, vu: &VuState, url: &str) -> Samples {
        let given = self.tags.iter().find(|(key, _)| key == "name");
        let name = given.map_or(url, |(_, name)| name.as_str());
        let mut tags = self.tags.clone();
        tags.retain(|(key, _)| key != "name");
        if vu.recorder.wants(SystemTag::Name) {
            tags.push(("name".to_owned(), name.to_owned()));
        }
        Samples::new(vu, name, &tags).opening(vu, &self.headers)
    }
}

/// Stores the response's cookies in the jar.
pub(super) fn keep_cookies(jar: &Jar, url: &Url, reply: &Reply) {
    for (name, value) in reply.lines() {
        if name.eq_ignore_ascii_case("set-cookie")
            && let Some(cookie) = Cookie::parse(&value)
        {
            jar.set(url, cookie, SystemTime::now());
        }
    }
}

/// Rejects text that the standard does not accept as the URL of a socket.
pub(super) fn check_url(text: &str) -> Result<(), Throw> {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme != "ws" && scheme != "wss" {
        return Err(plain(format!(
            "WebSocket requires url with scheme ws or wss, but got \"{scheme}\""
        )));
    }
    match text.split_once('#') {
        Some((_, fragment)) if !fragment.is_empty() => Err(plain(format!(
            "WebSocket requires no url fragment, but got \"{fragment}\""
        ))),
        _ => Ok(()),
    }
}

/// Host and port of the URL of a socket.
pub(super) fn address(text: &str) -> Option<String> {
    let url = http_url(text)?;
    Some(format!("{}:{}", url.host, url.port))
}

/// The URL in the form of the HTTP client.
pub(super) fn http_url(text: &str) -> Option<Url> {
    let rest = match text.split_once("://")? {
        (scheme, rest) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
        (scheme, rest) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
        _ => return None,
    };
    Url::parse(&rest).ok()
}

fn headers(value: &Value<'_>) -> Result<Vec<(String, String)>, Throw> {
    let Some(object) = value.as_object() else {
        return Ok(Vec::new());
    };
    let entries = convert::entries(object)?.into_iter();
    entries
        .map(|(name, value)| Ok((name, convert::to_text(&value)?)))
        .collect()
}

/// Only one kind of socket accepts an empty value.
fn compression(name: &str, unknown: Unknown) -> Result<bool, Throw> {
    match name.trim() {
        "" if unknown == Unknown::Ignored => Ok(false),
        "deflate" => Ok(true),
        other => Err(plain(format!(
            "unsupported compression algorithm '{other}', supported algorithm is 'deflate'"
        ))),
    }
}
