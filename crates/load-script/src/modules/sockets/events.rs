//! Texts of socket events that both modules use.

use script_engine::convert;
use script_engine::throw::Throw;
use script_engine::{Object, Value};

/// The end of a connection: the content of a close frame.
#[derive(Clone, Copy)]
pub(super) struct Closing<'a> {
    pub(super) code: u16,
    pub(super) reason: &'a str,
}

impl Closing<'static> {
    /// The connection ended without a close frame.
    pub(super) const ABNORMAL: Self = Self {
        code: 1006,
        reason: "",
    };
}

/// The text of a close frame with this code and reason.
pub(super) fn close_text(code: u16, reason: &str) -> String {
    let meaning = match code {
        1000 => " (normal)",
        1001 => " (going away)",
        1002 => " (protocol error)",
        1003 => " (unsupported data)",
        1005 => " (no status)",
        1006 => " (abnormal closure)",
        1007 => " (invalid payload data)",
        1008 => " (policy violation)",
        1009 => " (message too big)",
        1010 => " (mandatory extension missing)",
        1011 => " (internal server error)",
        1015 => " (TLS handshake error)",
        _ => "",
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    format!("websocket: close {code}{meaning}{reason}")
}

/// The name of a value's constructor.
pub(super) fn kind_of(value: &Value<'_>) -> Result<String, Throw> {
    if value.is_undefined() || value.is_null() {
        return convert::to_text(value);
    }
    if value.is_string() {
        return Ok("String".to_owned());
    }
    if value.is_number() {
        return Ok("Number".to_owned());
    }
    if value.is_bool() {
        return Ok("Boolean".to_owned());
    }
    let constructor = match value.as_object() {
        Some(object) => object.get::<_, Option<Object<'_>>>("constructor")?,
        None => None,
    };
    match constructor {
        Some(constructor) => convert::to_text(&constructor.get("name")?),
        None => Ok(convert::go_type(value).to_owned()),
    }
}
