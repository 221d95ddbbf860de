//! A server as a URL: `redis://user:password@host:port/database?read_timeout=2s`.

use http_client::url::{Url, UrlError, quoted};
use load_engine::options::duration;
use script_engine::throw::{Throw, plain};

use super::settings::{Node, Number, OwnTls};

/// The port of Redis.
const PORT: &str = "6379";

/// Reads a URL.
///
/// # Errors
/// The URL is invalid; the error is in k6's words.
pub(super) fn read(text: &str) -> Result<Node, Throw> {
    let (scheme, rest) = split(text)?;
    if scheme == "unix" {
        // k6 accepts the URL and then finds no port in it.
        return Ok(Node {
            address: rest.trim_start_matches("//").to_owned(),
            ..Node::default()
        });
    }
    let rest = rest.strip_prefix("//").unwrap_or("");
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let at = authority.rfind('@').map_or(0, |at| at + 1);
    let (userinfo, written) = authority.split_at(at);
    let (host, port) = match written.rsplit_once(':') {
        // The port is checked when a connection is made.
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, port)
        }
        _ => (written, PORT),
    };
    let host = if host.is_empty() { "localhost" } else { host };
    // The rules of http URLs apply.
    let url = Url::parse(&format!("http://{userinfo}{host}{target}"));
    let url = url.map_err(|error| not_a_url(text, &error))?;
    let shown = match url.host.contains(':') {
        true => format!("[{}]", url.host),
        false => url.host.clone(),
    };
    let (username, password) = url.credentials().unwrap_or_default();
    let mut node = Node {
        address: format!("{shown}:{port}"),
        tls: (scheme == "rediss").then(OwnTls::default),
        username,
        password,
        ..Node::default()
    };
    set_path(&mut node, url.path())?;
    let query = url.target.split_once('?').map_or("", |(_, query)| query);
    set_query(&mut node, query)?;
    Ok(node)
}

/// The scheme in lower case, and the text after its colon.
fn split(text: &str) -> Result<(String, &str), Throw> {
    let bad = |scheme: &str| plain(format!("redis: invalid URL scheme: {scheme}"));
    match Url::parse(text) {
        // `Url::parse` rejects every scheme except http and https, including those of Redis.
        Err(UrlError::Scheme(scheme)) => match scheme.to_ascii_lowercase().as_str() {
            known @ ("redis" | "rediss" | "unix") => {
                let rest = text.split_once(':').map_or("", |(_, rest)| rest);
                Ok((known.to_owned(), rest))
            }
            other => Err(bad(other)),
        },
        Ok(_) | Err(UrlError::NoHost) => Err(bad(text.split(':').next().unwrap_or_default())),
        Err(error) => Err(not_a_url(text, &error)),
    }
}

fn not_a_url(text: &str, error: &UrlError) -> Throw {
    plain(format!("parse {}: {error}", quoted(text)))
}

fn set_path(node: &mut Node, path: &str) -> Result<(), Throw> {
    let path = http_client::url::decode(path);
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (None, _) => {}
        (Some(number), None) => {
            let parsed = number.parse().map_err(|_| {
                plain(format!(
                    "redis: invalid database number: {}",
                    quoted(number)
                ))
            });
            node.set(Number::Database, parsed?);
        }
        _ => return Err(plain(format!("redis: invalid URL path: {path}"))),
    }
    Ok(())
}

fn set_query(node: &mut Node, query: &str) -> Result<(), Throw> {
    let mut unknown = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name);
        let value = decoded(value);
        let (name, value) = (name.as_str(), value.as_str());
        match name {
            "db" if value.is_empty() => {}
            "db" => {
                let number = integer(value);
                let number =
                    number.map_err(|why| plain(format!("redis: invalid database number: {why}")));
                node.set(Number::Database, number?);
            }
            "client_name" => node.client_name = value.to_owned(),
            "protocol" | "max_idle_conns" | "max_active_conns" => {
                count(name, value)?;
            }
            "max_retries" => node.set(Number::MaxRetries, count(name, value)?),
            "pool_size" => node.set(Number::PoolSize, count(name, value)?),
            "min_idle_conns" => node.set(Number::MinIdleConns, count(name, value)?),
            "min_retry_backoff" => node.set(Number::MinRetryBackoff, time(name, value)?),
            "max_retry_backoff" => node.set(Number::MaxRetryBackoff, time(name, value)?),
            "dial_timeout" => node.set(Number::DialTimeout, time(name, value)?),
            "read_timeout" => node.set(Number::ReadTimeout, time(name, value)?),
            "write_timeout" => node.set(Number::WriteTimeout, time(name, value)?),
            "pool_timeout" => node.set(Number::PoolTimeout, time(name, value)?),
            "conn_max_idle_time" | "idle_timeout" => {
                node.set(Number::IdleTimeout, time(name, value)?);
            }
            "conn_max_lifetime" | "max_conn_age" => {
                node.set(Number::MaxConnAge, time(name, value)?);
            }
            "pool_fifo" => check_flag(name, value)?,
            other => unknown.push(other.to_owned()),
        }
    }
    unknown.sort();
    match unknown.as_slice() {
        [] => Ok(()),
        names => Err(plain(format!(
            "redis: unexpected option: {}",
            names.join(", ")
        ))),
    }
}

fn decoded(text: &str) -> String {
    http_client::url::decode(&text.replace('+', " "))
}

fn integer(text: &str) -> Result<i64, String> {
    let why = || format!("strconv.Atoi: parsing {}: invalid syntax", quoted(text));
    text.parse().map_err(|_| why())
}

fn count(name: &str, text: &str) -> Result<i64, Throw> {
    if text.is_empty() {
        return Ok(0);
    }
    integer(text).map_err(|why| plain(format!("redis: invalid {name} number: {why}")))
}

/// A time in nanoseconds. A bare number is in seconds, and a number that is not positive means no limit.
fn time(name: &str, text: &str) -> Result<i64, Throw> {
    if text.is_empty() {
        return Ok(0);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(match seconds {
            ..=0 => -1,
            _ => seconds.saturating_mul(1_000_000_000),
        });
    }
    let parsed = duration::parse(text);
    let bad = || {
        plain(format!(
            "redis: invalid {name} duration: time: invalid duration {}",
            quoted(text)
        ))
    };
    let parsed = parsed.map_err(|_| bad())?;
    Ok(i64::try_from(parsed.as_nanos()).unwrap_or(i64::MAX))
}

fn check_flag(name: &str, text: &str) -> Result<(), Throw> {
    match text {
        "" | "0" | "1" | "false" | "true" => Ok(()),
        other => Err(plain(format!(
            "redis: invalid {name} boolean: expected true/false/1/0 or an empty string, got {}",
            quoted(other)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, address: &str) {
        let said = match read(text) {
            Ok(node) => node.address,
            Err(Throw::Plain(why)) => why,
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(said, address, "{text}");
    }

    #[test]
    fn the_host_and_the_port_have_defaults() {
        check("redis://", "localhost:6379");
        check("redis:///1", "localhost:6379");
        check("redis:h", "localhost:6379");
        check("REDISS://h", "h:6379");
        check("redis://:p@h:1/2", "h:1");
        check("redis://[::1]", "[::1]:6379");
        check("redis://[::1]:7", "[::1]:7");
        check("redis://h:99999", "h:99999");
        check("redis://h?read_timeout=2s&db=", "h:6379");
        check("unix:///tmp/x", "/tmp/x");
    }

    #[test]
    fn what_is_wrong_is_said_in_k6s_words() {
        check("localhost:6379", "redis: invalid URL scheme: localhost");
        check("http://x", "redis: invalid URL scheme: http");
        check("", "redis: invalid URL scheme: ");
        check(
            "127.0.0.1:6379",
            "parse \"127.0.0.1:6379\": first path segment in URL cannot contain colon",
        );
        check(
            "redis://h:abc",
            "parse \"redis://h:abc\": invalid port \":abc\" after host",
        );
        check("redis://h/x", "redis: invalid database number: \"x\"");
        check("redis://h/1/2", "redis: invalid URL path: /1/2");
        check(
            "redis://h?foo=1&bar=2",
            "redis: unexpected option: bar, foo",
        );
        check(
            "redis://h?max_retries=x",
            "redis: invalid max_retries number: strconv.Atoi: parsing \"x\": invalid syntax",
        );
        check(
            "redis://h?dial_timeout=x",
            "redis: invalid dial_timeout duration: time: invalid duration \"x\"",
        );
        check(
            "redis://h?pool_fifo=x",
            "redis: invalid pool_fifo boolean: expected true/false/1/0 or an empty string, got \"x\"",
        );
    }
}
