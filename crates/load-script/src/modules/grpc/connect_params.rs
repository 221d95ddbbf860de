//! The params of `client.connect`.

use std::time::Duration;

use grpc_client::metadata::Metadata;
use script_engine::convert;
use script_engine::throw::{Throw, plain};
use script_engine::{Object, Value};

use super::params::{Timeout, metadata};

/// The maximum size of a received message in bytes; gRPC's default.
const MAX_RECEIVE_BYTES: usize = 4 << 20;
/// The maximum size of a sent message in bytes; gRPC's default.
const MAX_SEND_BYTES: usize = i32::MAX as usize;
/// The time limit for connecting; k6's default.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The params, with defaults applied.
pub(super) struct ConnectParams {
    pub(super) is_plaintext: bool,
    pub(super) reflects: bool,
    pub(super) reflect_metadata: Metadata,
    pub(super) timeout: Timeout,
    pub(super) max_receive_bytes: usize,
    pub(super) max_send_bytes: usize,
    pub(super) authority: Option<String>,
    pub(super) tls: TlsParams,
}

/// Certificates and keys as PEM text.
#[derive(Debug, Default)]
pub(super) struct TlsParams {
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) password: Option<String>,
    pub(super) cacerts: Vec<String>,
}

impl ConnectParams {
    /// Reads the params.
    ///
    /// # Errors
    /// The params are invalid; the error is in k6's words.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, Throw> {
        let mut params = Self {
            is_plaintext: false,
            reflects: false,
            reflect_metadata: Metadata::new(),
            timeout: Timeout::Of(TIMEOUT),
            max_receive_bytes: MAX_RECEIVE_BYTES,
            max_send_bytes: MAX_SEND_BYTES,
            authority: None,
            tls: TlsParams::default(),
        };
        let Some(object) = value.as_object() else {
            return Ok(params);
        };
        for (key, value) in convert::entries(object)? {
            params.set(&key, &value).map_err(about_connect)?;
        }
        Ok(params)
    }

    fn set(&mut self, key: &str, value: &Value<'_>) -> Result<(), Throw> {
        match key {
            "plaintext" => self.is_plaintext = flag(key, value)?,
            "reflect" => self.reflects = flag(key, value)?,
            "reflectMetadata" => {
                if !value.is_undefined() && !value.is_null() {
                    self.reflect_metadata = metadata("reflectMetadata", value)?;
                }
            }
            "timeout" => self.timeout = Timeout::read(value)?,
            "maxReceiveSize" => {
                self.max_receive_bytes = size(key, value)?.unwrap_or(MAX_RECEIVE_BYTES);
            }
            "maxSendSize" => self.max_send_bytes = size(key, value)?.unwrap_or(MAX_SEND_BYTES),
            "authority" => {
                if !value.is_string() {
                    return Err(refused(key, value, "it needs to be a string"));
                }
                self.authority = Some(convert::to_text(value)?);
            }
            "tls" => {
                let object = value.as_object().filter(|_| !value.is_array());
                let object = object.ok_or_else(|| {
                    let keys = "expected (optional) keys: cert, key, password, and cacerts";
                    refused(key, value, keys)
                })?;
                self.tls = TlsParams::read(object)?;
            }
            other => return Err(plain(format!("unknown connect param: {other:?}"))),
        }
        Ok(())
    }
}

impl TlsParams {
    fn read(object: &Object<'_>) -> Result<Self, Throw> {
        let text = |key: &str, needs: &str| {
            let Some(value) = convert::given(object, key)? else {
                return Ok(None);
            };
            match value.is_string() {
                true => convert::to_text(&value).map(Some),
                false => Err(bad_tls(object, key, needs)),
            }
        };
        let pem = "it needs to be a PEM formatted string";
        let mut tls = Self {
            cert: text("cert", pem)?,
            key: text("key", pem)?,
            password: text("password", "it needs to be a string")?,
            cacerts: Vec::new(),
        };
        let Some(roots) = convert::given(object, "cacerts")? else {
            return Ok(tls);
        };
        let texts = match roots.as_array() {
            Some(list) => convert::items(list)?,
            None => vec![roots],
        };
        for text in texts {
            if !text.is_string() {
                let needs = "it needs to be a string or an array of PEM formatted strings";
                return Err(bad_tls(object, "cacerts", needs));
            }
            tls.cacerts.push(convert::to_text(&text)?);
        }
        Ok(tls)
    }
}

fn about_connect(throw: Throw) -> Throw {
    match throw {
        Throw::Plain(why) => plain(format!("invalid grpc.connect() parameters: {why}")),
        other => other,
    }
}

fn bad_tls(object: &Object<'_>, key: &str, needs: &str) -> Throw {
    let shown = go_syntax(object.as_value(), 0);
    plain(format!("invalid tls {key} value: '{shown}', {needs}"))
}

fn refused(key: &str, value: &Value<'_>, needs: &str) -> Throw {
    let shown = go_syntax(value, 0);
    plain(format!("invalid {key} value: '{shown}', {needs}"))
}

fn flag(key: &str, value: &Value<'_>) -> Result<bool, Throw> {
    let flag = value.as_bool();
    flag.ok_or_else(|| refused(key, value, "it needs to be boolean"))
}

/// A number of bytes; `None` for zero, which stands for the default.
fn size(key: &str, value: &Value<'_>) -> Result<Option<usize>, Throw> {
    let whole = value.as_number().filter(|number| number.fract() == 0.0);
    let number = whole.ok_or_else(|| refused(key, value, "it needs to be an integer"))?;
    if number < 0.0 {
        // The quotation mark is missing in k6 too.
        return Err(plain(format!(
            "invalid {key} value: '{number}, it needs to be a positive integer"
        )));
    }
    Ok((number > 0.0).then_some(number as usize))
}

/// The maximum depth of displayed values, since script values may contain themselves.
const MAX_DEPTH: usize = 8;

/// A value in Go's syntax.
fn go_syntax(value: &Value<'_>, depth: usize) -> String {
    if value.is_undefined() || value.is_null() || depth == MAX_DEPTH {
        return "<nil>".to_owned();
    }
    let text = convert::to_text(value).unwrap_or_default();
    if value.is_string() {
        return format!("{text:?}");
    }
    if let Some(list) = value.as_array() {
        let items = convert::items(list).unwrap_or_default();
        let items: Vec<String> = items
            .iter()
            .map(|item| go_syntax(item, depth + 1))
            .collect();
        return format!("[]interface {{}}{{{}}}", items.join(", "));
    }
    match value.as_object().filter(|_| !value.is_function()) {
        Some(object) => {
            let mut pairs = convert::entries(object).unwrap_or_default();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            let pairs = pairs.iter().map(|(key, value)| {
                let value = go_syntax(value, depth + 1);
                format!("{key:?}:{value}")
            });
            let pairs: Vec<String> = pairs.collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        None => text,
    }
}
