//! `response.html`, `response.submitForm` and `response.clickLink`.

use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Object, Value};
use script_formats::html::{FormValue, Query, Selection, Submission};

use super::super::html::selection_object;
use super::body::{self, Body};
use super::params::Params;
use super::prepare::{self, Target};
use super::{execute, refused};
use crate::vu::state::Caller;

const FORM: &str = "form";
const SUBMIT: &str = "[type=\"submit\"]";
const LINK: &str = "a[href]";

/// A page and its URL.
pub(super) struct Source<'a> {
    pub(super) url: &'a str,
    pub(super) body: Option<&'a [u8]>,
}

/// `response.html(selector)`
pub(super) fn html<'js>(call: &Call<'_, 'js>, source: &Source<'_>) -> Outcome<'js> {
    let page = page(source)?;
    let selected = if call.count() > 0 {
        page.find(&Query::selector(&call.text(0)?))
    } else {
        page
    };
    selection_object(call.ctx, selected, source.url)
}

/// `response.submitForm({formSelector, submitSelector, fields, params})`
pub(super) fn submit_form<'js>(call: &Call<'_, 'js>, source: &Source<'_>) -> Outcome<'js> {
    let options = Options::of(call)?;
    let form = options.text("formSelector", FORM)?;
    let submit = options.text("submitSelector", SUBMIT)?;
    let mut submission = page(source)?
        .submission(&url(source)?, &form, &submit)
        .map_err(|error| plain(error.to_string()))?;
    if let Some(fields) = options.get("fields")? {
        let fields = fields.as_object().map(convert::entries).transpose()?;
        for (name, value) in fields.into_iter().flatten() {
            submission.set(&name, form_value(&value)?);
        }
    }
    let params = options.params(call)?;
    if submission.method == "GET" {
        let url = call.string(submission.get_url().as_str())?;
        let target = Target {
            method: "GET".into(),
            url: &url,
        };
        return send(call, target, Body::default(), params);
    }
    let body = body::read(&body_of(call, &submission)?)?;
    let target = Target {
        url: &call.string(submission.url.as_str())?,
        method: submission.method.into(),
    };
    send(call, target, body, params)
}

/// `response.clickLink({selector, params})`
pub(super) fn click_link<'js>(call: &Call<'_, 'js>, source: &Source<'_>) -> Outcome<'js> {
    let options = Options::of(call)?;
    let selector = options.text("selector", LINK)?;
    let target = page(source)?
        .link_target(&url(source)?, &selector)
        .map_err(|error| plain(error.to_string()))?;
    let params = options.params(call)?;
    let target = Target {
        method: "GET".into(),
        url: &call.string(target.as_str())?,
    };
    send(call, target, Body::default(), params)
}

fn page(source: &Source<'_>) -> Result<Selection, Throw> {
    let Some(bytes) = source.body else {
        return Err(plain(
            "the body is null so we can't transform it to HTML - this likely was because of a request error getting the response",
        ));
    };
    let url = url::Url::parse(source.url).ok();
    Ok(Selection::of_page(&String::from_utf8_lossy(bytes), url))
}

fn url(source: &Source<'_>) -> Result<url::Url, Throw> {
    url::Url::parse(source.url).map_err(|error| plain(format!("parse \"{}\": {error}", source.url)))
}

fn form_value(value: &Value<'_>) -> Result<FormValue, Throw> {
    let Some(array) = value.as_array() else {
        return convert::to_text(value).map(FormValue::Text);
    };
    let items = convert::items(array)?;
    let texts: Result<Vec<String>, Throw> = items.iter().map(convert::to_text).collect();
    texts.map(FormValue::List)
}

/// The fields as the object that a script would give to `http.post`.
fn body_of<'js>(call: &Call<'_, 'js>, submission: &Submission) -> Outcome<'js> {
    let fields = Object::new(call.ctx.clone())?;
    for (name, value) in &submission.fields {
        match value {
            FormValue::Text(text) => fields.set(name.as_str(), text.as_str())?,
            FormValue::List(list) => fields.set(name.as_str(), list.clone())?,
        }
    }
    Ok(fields.into_value())
}

fn send<'js>(
    call: &Call<'_, 'js>,
    target: Target<'_, '_>,
    body: Body,
    params: Params,
) -> Outcome<'js> {
    match prepare::assemble(call.vu(), target, body, params) {
        Ok(prepared) => execute(call, prepared),
        Err(error) => refused(call, error),
    }
}

/// The argument object of both functions.
struct Options<'js>(Option<Object<'js>>);

impl<'js> Options<'js> {
    fn of(call: &Call<'_, 'js>) -> Result<Self, Throw> {
        prepare::refuse_in_init(call.vu())?;
        if call.count() > 0 && call.given(0).is_none() {
            let why = "Cannot convert undefined or null to object";
            return Err(Throw::Type(why.to_owned()));
        }
        Ok(Self(call.given(0).and_then(Value::into_object)))
    }

    fn get(&self, key: &str) -> Result<Option<Value<'js>>, Throw> {
        match &self.0 {
            Some(object) => convert::given(object, key),
            None => Ok(None),
        }
    }

    /// The property as text, even if it is present without a value.
    fn text(&self, key: &str, default: &str) -> Result<String, Throw> {
        match &self.0 {
            Some(object) if object.contains_key(key)? => {
                convert::to_text(&object.get::<_, Value<'js>>(key)?)
            }
            _ => Ok(default.to_owned()),
        }
    }

    fn params(&self, call: &Call<'_, 'js>) -> Result<Params, Throw> {
        match self.get("params")? {
            Some(value) => Params::read(call.vu(), &value),
            None => Ok(Params::default_of(call.vu())),
        }
    }
}
