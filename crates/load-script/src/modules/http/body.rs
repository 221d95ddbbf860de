//! Bodies of requests: text, bytes, forms, files.

use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use http_client::url::encode_form;
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::Call;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Object, Value};

/// The result of `http.file`.
struct File {
    data: Vec<u8>,
    name: String,
    kind: String,
}

impl Class for File {
    const NAME: &'static CStr = c"FileData";

    fn prototype(_prototype: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

/// The maximum nesting of lists, since a list may contain itself.
const MAX_DEPTH: usize = 32;

/// A body and its content type.
#[derive(Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: Option<String>,
    /// The request has a body, perhaps an empty one.
    pub(super) is_given: bool,
}

/// `http.file(data, name, type)`
pub(super) fn file<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.arg(0);
    let is_view = value.is_object() && convert::go_type(&value).starts_with("[]");
    let data = if is_view {
        None
    } else {
        convert::bytes_of(&value)?
    };
    let data = data.ok_or_else(|| {
        let kind = convert::go_type(&value);
        plain(format!(
            "invalid type {kind}, expected string or ArrayBuffer"
        ))
    })?;
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let given = |index: usize, default: String| match call.count() > index {
        true => convert::go_string(&call.arg(index)),
        false => Ok(default),
    };
    let name = given(1, nanoseconds.to_string())?;
    let kind = given(2, "application/octet-stream".to_owned())?;
    let object = class::new(
        call.ctx,
        File {
            data,
            name: name.clone(),
            kind: kind.clone(),
        },
    )?;
    define(&object, c"data", value, Visible::Yes)?;
    define(
        &object,
        c"filename",
        convert::string(call.ctx, &name)?,
        Visible::Yes,
    )?;
    define(
        &object,
        c"content_type",
        convert::string(call.ctx, &kind)?,
        Visible::Yes,
    )?;
    Ok(object.into_value())
}

/// Reads the body argument of a request.
pub(super) fn read(value: &Value<'_>) -> Result<Body, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok(Body::default());
    }
    let kind = convert::go_type(value);
    let is_unknown =
        value.is_object() && kind != "[]uint8" && kind.starts_with("[]") || kind == "time.Time";
    // As objects, these have no fields and no bytes in k6.
    let is_wrapped = convert::is_made_by(value, &["DataView", "String"]);
    let bytes = match is_unknown || is_wrapped {
        true => None,
        false if value.is_symbol() => Some(convert::go_text(value)?.into_bytes()),
        false => convert::bytes_of(value)?,
    };
    if let Some(bytes) = bytes {
        return Ok(Body {
            bytes,
            content_type: None,
            is_given: true,
        });
    }
    let Some(object) = value
        .as_object()
        .filter(|_| !is_unknown && !value.is_array() && !value.is_function())
    else {
        return Err(plain(format!("unknown request body type {kind}")));
    };
    let mut fields = match is_wrapped {
        true => Vec::new(),
        false => convert::entries(object)?,
    };
    if fields
        .iter()
        .any(|(_, value)| class::of::<File>(value).is_some())
    {
        return multipart(&fields);
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Body {
        bytes: form(&fields)?.into_bytes(),
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        is_given: true,
    })
}

fn form(fields: &[(String, Value<'_>)]) -> Result<String, Throw> {
    let mut text = String::new();
    for (name, value) in fields {
        for value in texts(value, MAX_DEPTH)? {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(&encode_form(name));
            text.push('=');
            text.push_str(&encode_form(&value));
        }
    }
    Ok(text)
}

/// The values of a form field: an array repeats the field; a value that is not text is empty.
fn texts(value: &Value<'_>, depth: usize) -> Result<Vec<String>, Throw> {
    if let Some(array) = value.as_array() {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(plain("a list in the request's body nests too deep"));
        };
        let items = convert::items(array)?;
        let all = items.iter().map(|item| texts(item, depth));
        let all: Vec<Vec<String>> = all.collect::<Result<_, Throw>>()?;
        return Ok(all.into_iter().flatten().collect());
    }
    if value.is_null() || value.is_undefined() || value.is_object() {
        return Ok(vec![String::new()]);
    }
    convert::to_text(value).map(|text| vec![text])
}

fn multipart(fields: &[(String, Value<'_>)]) -> Result<Body, Throw> {
    let boundary = format!(
        "{:032x}{:028x}",
        rand::random::<u128>(),
        rand::random::<u128>() >> 16
    );
    let mut bytes = Vec::new();
    for (name, value) in fields {
        let name = escape(name);
        if let Some(file) = class::of::<File>(value) {
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                escape(&file.name),
                escape(&file.kind)
            );
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(&file.data);
            bytes.extend_from_slice(b"\r\n");
            continue;
        }
        // Unlike in a form, a list is one part.
        let text = convert::go_text(value)?;
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
        );
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Body {
        bytes,
        content_type: Some(format!("multipart/form-data; boundary={boundary}")),
        is_given: true,
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace(['\r', '\n'], " ")
}
