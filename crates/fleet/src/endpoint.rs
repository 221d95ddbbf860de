//! Endpoints: the one parser for the file, the API and the commands.

use crate::secret::shown_url;

/// An `http://` or `https://` URL with a host and a valid port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub uri: http::Uri,
    /// The host, an IPv6 address in brackets.
    pub host: String,
    /// The port of the URL, or else of its scheme.
    pub port: u16,
}

impl Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// The URL is invalid; the message says what a valid one is. It does not repeat a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = shown_url(text);
        if text.is_empty() {
            return Err("the URL is empty; use one such as http://127.0.0.1:8000".to_owned());
        }
        if has_no_host(text) {
            return Err(format!("`{shown}` has no host"));
        }
        let uri: http::Uri = text
            .parse()
            .map_err(|error| format!("`{shown}` is not a URL: {error}"))?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(format!("`{shown}` must start with http:// or https://")),
        };
        let host = uri.host().unwrap_or_default().to_owned();
        if host.is_empty() {
            return Err(format!("`{shown}` has no host"));
        }
        let port = match port_text(&uri) {
            None => usual,
            Some(port) => port.parse().map_err(|_| {
                format!("`{shown}`: the port must be a whole number from 0 to 65535")
            })?,
        };
        Ok(Self { uri, host, port })
    }

    /// The host for a lookup: an IPv6 address without its brackets.
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Whether nothing follows the scheme of a URL, or only a path.
fn has_no_host(text: &str) -> bool {
    let mut rests = ["http://", "https://"].into_iter();
    let rest = rests.find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

/// The text at the position of the port. [`http::Uri::port_u16`] does not distinguish an invalid port, an empty one
/// and none.
fn port_text(uri: &http::Uri) -> Option<&str> {
    let authority = uri.authority()?.as_str();
    let behind_user = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let behind_host = behind_user
        .rfind(']')
        .map_or(behind_user, |end| &behind_user[end..]);
    behind_host.rsplit_once(':').map(|(_, port)| port)
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_url_has_a_host_and_the_port_of_its_scheme() {
        for (text, found) in [
            ("http://127.0.0.1:8000/", Some(("127.0.0.1", 8000))),
            ("http://localhost:0/x?y", Some(("localhost", 0))),
            ("http://example.com/a", Some(("example.com", 80))),
            ("https://example.com/a", Some(("example.com", 443))),
            ("http://[::1]:9", Some(("[::1]", 9))),
            ("http://[::1]", Some(("[::1]", 80))),
            ("http://u:p@h:7/", Some(("h", 7))),
            ("http://127.0.0.1:99999/x", None),
            ("http://127.0.0.1:65536", None),
            ("http://127.0.0.1:/x", None),
            ("http://127.0.0.1:-1/x", None),
            ("http://[::1]:99999/x", None),
            ("http://u:p@h:99999/x", None),
            ("ftp://localhost/", None),
            ("//127.0.0.1/x", None),
            ("http:///x", None),
            ("127.0.0.1:8000", None),
            ("localhost", None),
            ("", None),
        ] {
            let read = Endpoint::parse(text).ok();
            let read = read.as_ref().map(|read| (read.host.as_str(), read.port));
            assert_eq!(read, found, "{text}");
        }
    }

    #[test]
    fn a_url_without_a_host_is_told_so() {
        for text in [
            "http://",
            "https://",
            "http:///x",
            "http://?x",
            "http://#x",
            "http://:80",
        ] {
            let error = Endpoint::parse(text).expect_err("no host");
            assert_eq!(error, format!("`{text}` has no host"));
        }
        let error = Endpoint::parse("").expect_err("empty");
        assert!(error.starts_with("the URL is empty"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        let error = Endpoint::parse("http://u:s3cr3t@h:99999/x").expect_err("no such port");
        assert!(
            error.contains("from 0 to 65535") && !error.contains("s3cr3t"),
            "{error}"
        );
    }
}
