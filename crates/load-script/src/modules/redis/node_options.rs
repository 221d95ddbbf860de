//! The part of the options that concerns one server.

use http_client::{ClientCertificate, TlsConfig};
use script_engine::convert;
use script_engine::throw::{Throw, plain};
use script_engine::{Object, Value};

use super::place::{self, Place};
use super::settings::{Node, Number, OwnTls};

/// Nanoseconds in a millisecond.
const MILLISECOND: i64 = 1_000_000;
/// The port of an object without one. k6 dials port 0, which always fails.
const PORT: i64 = 6379;

/// Reads the fields of one server.
#[derive(Default)]
pub(super) struct NodeReader {
    node: Node,
    has_socket: bool,
}

impl NodeReader {
    /// Applies a field; false if it is not one of a server.
    ///
    /// # Errors
    /// The value has a wrong type.
    pub(super) fn take(
        &mut self,
        place: &Place,
        key: &str,
        value: &Value<'_>,
    ) -> Result<bool, Throw> {
        let node = &mut self.node;
        let number = match key.to_ascii_lowercase().as_str() {
            "username" => {
                return place
                    .set_text("username", value, &mut node.username)
                    .map(|()| true);
            }
            "password" => {
                return place
                    .set_text("password", value, &mut node.password)
                    .map(|()| true);
            }
            "clientname" => {
                return place
                    .set_text("clientName", value, &mut node.client_name)
                    .map(|()| true);
            }
            "socket" => {
                if let Some(socket) = place.object("socket", value, "redis.socketOptions")? {
                    read_socket(node, &socket, &place.inside("socket", "socketOptions"))?;
                    self.has_socket = true;
                }
                return Ok(true);
            }
            "database" => ("database", Number::Database, "int"),
            "maxretries" => ("maxRetries", Number::MaxRetries, "int"),
            "minretrybackoff" => ("minRetryBackoff", Number::MinRetryBackoff, "int64"),
            "maxretrybackoff" => ("maxRetryBackoff", Number::MaxRetryBackoff, "int64"),
            _ => return Ok(false),
        };
        let (name, number, kind) = number;
        if let Some(value) = place.integer(name, value, kind)? {
            node.set(number, value);
        }
        Ok(true)
    }

    /// The server.
    ///
    /// # Errors
    /// The address is missing.
    pub(super) fn into_node(self) -> Result<Node, Throw> {
        match self.has_socket {
            true => Ok(self.node),
            false => Err(plain("empty socket options")),
        }
    }
}

fn read_socket(node: &mut Node, socket: &Object<'_>, place: &Place) -> Result<(), Throw> {
    let mut host = String::new();
    let mut port = PORT;
    for (key, value) in place::fields(socket)? {
        let (name, number, factor) = match key.to_ascii_lowercase().as_str() {
            "host" => {
                place.set_text("host", &value, &mut host)?;
                continue;
            }
            "port" => {
                place.set_integer("port", &value, &mut port)?;
                continue;
            }
            "tls" => {
                if let Some(tls) = place.object("tls", &value, "redis.tlsOptions")? {
                    node.tls = Some(read_tls(&tls, &place.inside("tls", "tlsOptions"))?);
                }
                continue;
            }
            "dialtimeout" => ("dialTimeout", Some(Number::DialTimeout), MILLISECOND),
            "readtimeout" => ("readTimeout", Some(Number::ReadTimeout), MILLISECOND),
            "writetimeout" => ("writeTimeout", Some(Number::WriteTimeout), MILLISECOND),
            "poolsize" => ("poolSize", Some(Number::PoolSize), 1),
            "minidleconns" => ("minIdleConns", Some(Number::MinIdleConns), 1),
            "maxconnage" => ("maxConnAge", Some(Number::MaxConnAge), MILLISECOND),
            "pooltimeout" => ("poolTimeout", Some(Number::PoolTimeout), MILLISECOND),
            "idletimeout" => ("idleTimeout", Some(Number::IdleTimeout), MILLISECOND),
            "idlecheckfrequency" => ("idleCheckFrequency", None, MILLISECOND),
            _ => return Err(place::unknown(&key)),
        };
        let kind = if factor == 1 { "int" } else { "int64" };
        let value = place.integer(name, &value, kind)?;
        if let (Some(number), Some(value)) = (number, value) {
            node.set(number, value.saturating_mul(factor));
        }
    }
    node.address = format!("{host}:{port}");
    Ok(())
}

fn read_tls(object: &Object<'_>, place: &Place) -> Result<OwnTls, Throw> {
    let mut tls = OwnTls::default();
    let (mut chain, mut key) = (String::new(), String::new());
    for (name, value) in place::fields(object)? {
        match name.to_ascii_lowercase().as_str() {
            "ca" if value.is_undefined() || value.is_null() => {}
            "ca" => {
                let list = value
                    .as_array()
                    .ok_or_else(|| place.wrong("ca", &value, "[]string"))?;
                for item in convert::items(list)? {
                    let mut text = String::new();
                    set_pem(place, "ca", &item, &mut text)?;
                    tls.authorities.push(text);
                }
            }
            "cert" => set_pem(place, "cert", &value, &mut chain)?,
            "key" => set_pem(place, "key", &value, &mut key)?,
            _ => return Err(place::unknown(&name)),
        }
    }
    if !chain.is_empty() && !key.is_empty() {
        tls.certificate = Some(certificate(chain, key)?);
    }
    Ok(tls)
}

/// A text, or its bytes, which k6 documents but does not accept.
fn set_pem(place: &Place, name: &str, value: &Value<'_>, to: &mut String) -> Result<(), Throw> {
    match convert::buffer_bytes(value) {
        Some(bytes) => {
            *to = String::from_utf8_lossy(&bytes).into_owned();
            Ok(())
        }
        None => place.set_text(name, value, to),
    }
}

fn certificate(chain: String, key: String) -> Result<ClientCertificate, Throw> {
    let certificate = ClientCertificate {
        chain,
        key,
        password: None,
    };
    let config = TlsConfig {
        client_certificates: vec![certificate.clone()],
        ..TlsConfig::default()
    };
    http_client::check(&config).map_err(|why| {
        let why = why
            .strip_prefix("tls: the option tlsAuth: ")
            .unwrap_or(&why);
        match why {
            "there is no certificate in the PEM text" => {
                plain("tls: failed to find any PEM data in certificate input")
            }
            why => plain(format!("tls: {why}")),
        }
    })?;
    Ok(certificate)
}
