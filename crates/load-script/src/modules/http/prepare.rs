//! Converts the arguments of a call to a request that no longer needs the script.

use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Arc;

use http_client::client::{Headers, Method};
use http_client::coding;
use http_client::header_order;
use http_client::reply::canonical;
use http_client::url::{Url, UrlError, quoted};
use load_engine::log::Level;
use load_metrics::{TagSet, Tags};
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::Call;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Value};

use super::Layout;
use super::body::{self, Body};
use super::params::Params;
use super::validity;
use crate::vu::state::{Caller, VuState};

/// The result of ``http.url`…` ``: a URL with a name for its tags.
struct NamedUrl {
    url: String,
    name: String,
}

impl Class for NamedUrl {
    const NAME: &'static CStr = c"URL";

    fn prototype(_: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

/// A request that is ready to be sent.
pub(super) struct Prepared {
    pub(super) method: Method,
    /// The URL as the script wrote it.
    pub(super) url_text: String,
    pub(super) url: Result<Url, UrlError>,
    /// The name that replaces the URL in tags.
    pub(super) name: Option<String>,
    /// The headers in the order in which they are sent, in canonical form, without `Host`, `Content-Length` and `Cookie`.
    pub(super) headers: Headers,
    pub(super) host: Option<String>,
    pub(super) body: Body,
    pub(super) params: Params,
    /// Tags of the VU when the request began.
    pub(super) tags: TagSet,
    pub(super) metadata: Option<Arc<Tags>>,
}

/// `http.url`, a template tag: the URL is named by its constant parts.
pub(super) fn url_template<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (mut url, mut name) = (String::new(), String::new());
    let strings = template_parts(&call.arg(0))?;
    for (index, part) in strings.iter().enumerate() {
        let text = convert::to_text(part)?;
        url.push_str(&text);
        name.push_str(&text);
        let position = index + 1;
        if position < strings.len() && position < call.count() {
            // A missing value is the empty text.
            url.push_str(&convert::go_string(&call.arg(position))?);
            name.push_str("${}");
        }
    }
    let clean = match Url::parse(&url) {
        Ok(parsed) => parsed.clean_of(&url),
        Err(error) if error.code_of_sending().is_some() => url.clone(),
        Err(error) => {
            let why = format!("invalid URL: parse {}: {error}", quoted(&url));
            return Err(plain(why));
        }
    };
    let texts = [
        (c"name", name.clone()),
        (c"url", url.clone()),
        (c"clean_url", clean),
    ];
    let object = class::new(call.ctx, NamedUrl { url, name })?;
    for (key, text) in texts {
        define(&object, key, call.string(&text)?, Visible::Yes)?;
    }
    Ok(object.into_value())
}

fn template_parts<'js>(parts: &Value<'js>) -> Result<Vec<Value<'js>>, Throw> {
    if parts.is_undefined() || parts.is_null() {
        return Ok(Vec::new());
    }
    if let Some(array) = parts.as_array() {
        return convert::items(array);
    }
    let shown = convert::to_text(parts)?;
    let why = if parts.is_object() {
        format!("cannot convert {shown} to []string: not an array or iterable")
    } else {
        format!("could not convert {shown} to []string")
    };
    let why = format!("could not convert function call parameter 0: {why}");
    Err(Throw::Type(why))
}

/// k6's code for an invalid URL.
pub(super) const INVALID_URL: u16 = 1020;

/// The reason why a request cannot be built.
pub(super) enum PrepareError {
    /// The URL is invalid. The text is k6's.
    Url(String),
    Other(Throw),
}

impl From<Throw> for PrepareError {
    fn from(throw: Throw) -> Self {
        Self::Other(throw)
    }
}

impl From<script_engine::Error> for PrepareError {
    fn from(error: script_engine::Error) -> Self {
        Self::Other(error.into())
    }
}

impl PrepareError {
    /// The code and the message of a failed response; only invalid URLs have a code.
    ///
    /// # Errors
    /// The script gets an exception in any case.
    pub(super) fn into_failure(self) -> Result<(u16, String), Throw> {
        match self {
            Self::Url(message) => Ok((INVALID_URL, message)),
            Self::Other(Throw::Plain(message)) => Ok((0, message)),
            Self::Other(throw) => Err(throw),
        }
    }
}

/// Reads the arguments of `http.get` and similar functions.
pub(super) fn from_call(call: &Call<'_, '_>, layout: Layout) -> Result<Prepared, PrepareError> {
    let vu = call.vu();
    refuse_in_init(vu)?;
    let first = usize::from(layout.method.is_none());
    let method = match layout.method {
        Some(method) => Method::Borrowed(method),
        None => Method::Owned(convert::go_string(&call.arg(0))?),
    };
    let body = if layout.has_body {
        body::read(&call.arg(first + 1))?
    } else {
        Body::default()
    };
    let params = Params::read(vu, &call.arg(first + 1 + usize::from(layout.has_body)))?;
    let target = Target {
        method,
        url: &call.arg(first),
    };
    assemble(vu, target, body, params)
}

/// Requests are allowed only in iterations, `setup` and `teardown`.
pub(super) fn refuse_in_init(vu: &VuState) -> Result<(), Throw> {
    if vu.is_init() {
        return Err(plain(
            "Making http requests in the init context is not supported",
        ));
    }
    Ok(())
}

/// An item of `http.batch`.
pub(super) fn from_item(
    vu: &VuState,
    item: &Value<'_>,
    index: usize,
) -> Result<Prepared, PrepareError> {
    if let Some(array) = item.as_array() {
        if array.len() < 2 {
            let items: Vec<String> = convert::items(array)?
                .iter()
                .map(|item| convert::to_text(item).map(|text| quoted(&text)))
                .collect::<Result<_, Throw>>()?;
            let items = items.join(", ");
            let why = format!("invalid batch request '[]interface {{}}{{{items}}}'");
            return Err(plain(why).into());
        }
        let part = |index: usize| -> Result<Value<'_>, Throw> { Ok(Array::get(array, index)?) };
        let (method, body) = (convert::to_text(&part(0)?)?, body::read(&part(2)?)?);
        let params = Params::read(vu, &part(3)?)?;
        let target = Target {
            method: method.into(),
            url: &part(1)?,
        };
        return assemble(vu, target, body, params);
    }
    let is_url = item.is_string() || class::of::<NamedUrl>(item).is_some();
    let undefined = Value::new_undefined(item.ctx().clone());
    if is_url {
        let target = Target {
            method: "GET".into(),
            url: item,
        };
        return from_parts(vu, target, &undefined, &undefined);
    }
    let object = match item.as_object() {
        Some(object) => object,
        None => return Err(no_url(item)),
    };
    let method = match convert::given(object, "method")? {
        Some(method) if !method.is_string() => {
            let method = convert::go_text(&method)?;
            return Err(plain(format!("invalid method type '{method}'")).into());
        }
        Some(method) => convert::to_text(&method)?.to_uppercase(),
        None => "GET".to_owned(),
    };
    let url = convert::given(object, "url")?
        .ok_or_else(|| plain(format!("batch request {index} doesn't have a url key")))?;
    let target = Target {
        method: method.into(),
        url: &url,
    };
    from_parts(vu, target, &object.get("body")?, &object.get("params")?)
}

fn from_parts(
    vu: &VuState,
    target: Target<'_, '_>,
    body: &Value<'_>,
    params: &Value<'_>,
) -> Result<Prepared, PrepareError> {
    let takes_body = !matches!(&*target.method, "GET" | "HEAD");
    let body = if takes_body {
        body::read(body)?
    } else {
        Body::default()
    };
    assemble(vu, target, body, Params::read(vu, params)?)
}

/// k6's error for a URL that is not text.
fn no_url(value: &Value<'_>) -> PrepareError {
    match convert::go_text(value) {
        Ok(text) => PrepareError::Url(format!("invalid URL: '#{text}'")),
        Err(throw) => PrepareError::Other(throw),
    }
}

/// The method and the URL of a request.
pub(super) struct Target<'a, 'js> {
    pub(super) method: Method,
    pub(super) url: &'a Value<'js>,
}

/// Builds a request.
pub(super) fn assemble(
    vu: &VuState,
    target: Target<'_, '_>,
    body: Body,
    params: Params,
) -> Result<Prepared, PrepareError> {
    let Target { method, url } = target;
    let named = class::of::<NamedUrl>(url);
    let (url_text, template) = match named {
        Some(named) => (named.url.clone(), Some(named.name.clone())),
        None if url.is_string() || url.is_symbol() => (convert::go_text(url)?, None),
        None => return Err(no_url(url)),
    };
    let name = params
        .tags
        .iter()
        .find(|(key, _)| key == "name")
        .map(|(_, value)| value.clone());
    let mut prepared = Prepared {
        method: if method.is_empty() {
            Method::Borrowed("GET")
        } else {
            method
        },
        url: Url::parse_again(&url_text),
        url_text,
        name: name.or(template),
        headers: Headers::default(),
        host: None,
        body,
        params,
        tags: vu.tags(),
        metadata: vu.tagging.metadata.borrow().clone(),
    };
    if prepared.body.is_given && !prepared.params.compression.trim().is_empty() {
        prepared.compress(vu)?;
    }
    prepared.add_headers(vu);
    Ok(prepared)
}

impl Prepared {
    /// A separate function, since encoders need much of the VU's small stack and few requests are compressed.
    #[inline(never)]
    fn compress(&mut self, vu: &VuState) -> Result<(), Throw> {
        let wanted = std::mem::take(&mut self.params.compression);
        let codings: Vec<&str> = wanted.split(',').map(str::trim).collect();
        for coding in &codings {
            let encoded = coding::encode(&self.body.bytes, coding).ok_or_else(|| {
                plain(format!("unknown compression algorithm {coding}, supported algorithms are [gzip deflate zstd br]"))
            })?;
            self.body.bytes = encoded.map_err(|error| plain(error.to_string()))?;
        }
        let is_set = self
            .params
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        if is_set {
            vu.logger.warn(&format!(
                "There's a mismatch between the desired `compression` the manually set `Content-Encoding` header in the {} request for '{}', the custom header has precedence and won't be overwritten. This may result in invalid data being sent to the server.",
                self.method, self.url_text
            ));
        } else {
            self.params
                .headers
                .push(("Content-Encoding".to_owned(), codings.join(", ")));
        }
        Ok(())
    }

    fn add_headers(&mut self, vu: &VuState) {
        let agent = vu.run.options().user_agent.as_deref();
        let agent = agent.unwrap_or(crate::USER_AGENT);
        if self.params.headers.is_empty() && self.body.content_type.is_none() {
            self.headers = only_agent(agent);
            return;
        }
        let mut headers: Vec<(String, String)> = Vec::with_capacity(self.params.headers.len() + 2);
        for (name, value) in std::mem::take(&mut self.params.headers) {
            let (name, value) = (canonical(&name), validity::trimmed(value));
            match name.as_str() {
                "Host" => self.host = Some(value),
                "Content-Length" => {
                    if value.parse() != Ok(self.body.bytes.len()) {
                        let message = format!(
                            "The specified Content-Length header \"{value}\" in the {} request for {} doesn't match the actual request body length of {}, so it will be ignored!",
                            self.method,
                            self.url_text,
                            self.body.bytes.len()
                        );
                        vu.logger.log(Level::Warn, &message, &[]);
                    }
                }
                _ => header_order::set(&mut headers, name, value),
            }
        }
        let has = |headers: &[(String, String)], name: &str| {
            headers.iter().any(|(known, _)| known == name)
        };
        if !has(&headers, "User-Agent") {
            header_order::set(&mut headers, "User-Agent".to_owned(), agent.to_owned());
        }
        if let Some(kind) = self
            .body
            .content_type
            .take()
            .filter(|_| !has(&headers, "Content-Type"))
        {
            header_order::set(&mut headers, "Content-Type".to_owned(), kind);
        }
        self.headers = Rc::new(headers);
    }
}

/// The headers of a request without headers of its own: all such requests of a thread share them.
fn only_agent(agent: &str) -> Headers {
    thread_local! {
        static LAST: RefCell<Headers> = RefCell::default();
    }
    LAST.with_borrow_mut(|last| {
        if !matches!(last.as_slice(), [(_, known)] if known == agent) {
            *last = Rc::new(vec![("User-Agent".to_owned(), agent.to_owned())]);
        }
        Rc::clone(last)
    })
}
