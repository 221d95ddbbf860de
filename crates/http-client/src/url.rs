//! URLs as k6 sees them: parsed, and reassembled as Go does.

use std::cell::RefCell;
use std::fmt;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::rc::Rc;

/// An absolute http or https URL. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(Rc<Parts>);

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    text: String,
    pub is_tls: bool,
    /// `user:password` before the `@`, still percent-encoded.
    pub userinfo: Option<String>,
    /// Host without port and without brackets.
    pub host: String,
    /// The port, or the scheme's default.
    pub port: u16,
    /// Host and port as written: the `Host` header.
    pub authority: String,
    /// Path and query as sent.
    pub target: String,
}

/// The reason why a text is not a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// `scheme://` is missing or not supported.
    #[error("unsupported protocol scheme \"{0}\"")]
    Scheme(String),
    /// There is no host.
    #[error("http: no Host in request URL")]
    NoHost,
    /// Characters that are not allowed in a URL.
    #[error("net/url: invalid control character in URL")]
    Control,
    /// A character that is not allowed in a host.
    #[error("invalid character {0:?} in host name")]
    Character(String),
    /// An IPv6 address without its closing bracket.
    #[error("missing ']' in host")]
    Bracket,
    /// A `%` without two digits.
    #[error("invalid URL escape {0:?}")]
    Escape(String),
    /// The port is not a number.
    #[error("invalid port \"{0}\" after host")]
    Port(String),
    /// The port is out of range.
    #[error("dial tcp: address {0}: invalid port")]
    PortNumber(String),
    /// The text before the first `:` is not a scheme.
    #[error("first path segment in URL cannot contain colon")]
    Colon,
}

impl UrlError {
    /// k6's error code, if the error is found only when the request is sent.
    pub fn code_of_sending(&self) -> Option<u16> {
        match self {
            Self::Scheme(_) | Self::NoHost => Some(1000),
            Self::PortNumber(_) => Some(1210),
            _ => None,
        }
    }
}

impl Deref for Url {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// A URL that was parsed before.
struct Known {
    written: Box<str>,
    url: Url,
}

/// The number of parsed URLs that a thread keeps.
const KNOWN: usize = 64;
/// The maximum length of cached texts.
const MAX_KNOWN_BYTES: usize = 512;

impl Url {
    /// The same as [`Url::parse`] for repeated texts: a thread caches the last ones.
    pub fn parse_again(text: &str) -> Result<Self, UrlError> {
        thread_local! {
            static LAST: RefCell<[Option<Known>; KNOWN]> = const { RefCell::new([const { None }; KNOWN]) };
        }
        if text.len() > MAX_KNOWN_BYTES {
            return Self::parse(text);
        }
        let hash = foldhash::fast::FixedState::default().hash_one(text);
        LAST.with_borrow_mut(|last| {
            let place = &mut last[hash as usize % KNOWN];
            if let Some(known) = place
                && *known.written == *text
            {
                return Ok(known.url.clone());
            }
            let url = Self::parse(text)?;
            *place = Some(Known {
                written: text.into(),
                url: url.clone(),
            });
            Ok(url)
        })
    }

    /// Whether both are the same instance, not only equal.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A hash of the URL.
    pub fn identity(&self) -> usize {
        Rc::as_ptr(&self.0).addr() / align_of::<Parts>() / 4
    }

    /// Parses a URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err(UrlError::Control);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(without_authority(text));
        };
        if !is_scheme(scheme) {
            return Err(without_authority(text));
        }
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, authority),
        };
        check_host(authority)?;
        check_escapes(target.split('?').next().unwrap_or_default())?;
        let (host, port) = split_port(authority)?;
        // A port alone is a host without a name, which is looked up.
        if authority.is_empty() {
            return Err(UrlError::NoHost);
        }
        let (path, query) = split_query(target);
        let path = encode_path(path);
        let mut whole = format!("{}://", if is_tls { "https" } else { "http" });
        if let Some(userinfo) = &userinfo {
            whole.push_str(userinfo);
            whole.push('@');
        }
        whole.push_str(authority);
        whole.push_str(&path);
        whole.push_str(query);
        if !fragment.is_empty() {
            whole.push('#');
            whole.push_str(fragment);
        }
        let root = if path.is_empty() { "/" } else { "" };
        Ok(Self(Rc::new(Parts {
            text: whole,
            is_tls,
            userinfo,
            host: host.to_ascii_lowercase(),
            port: port.unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.to_owned(),
            target: format!("{root}{path}{query}"),
        })))
    }

    /// The replacement for a text that is not a URL, in tags and logs.
    pub fn unusable(text: &str) -> Self {
        Self(Rc::new(Parts {
            text: text.to_owned(),
            is_tls: false,
            userinfo: None,
            host: String::new(),
            port: 0,
            authority: String::new(),
            target: String::new(),
        }))
    }

    /// Whether a request can be sent to it.
    pub fn usable(&self) -> Result<(), UrlError> {
        match self.host.is_empty() {
            true => Self::parse(&self.text).map(drop),
            false => Ok(()),
        }
    }

    /// Resolves `reference`, found in the document at this URL.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let scheme = if self.is_tls { "https" } else { "http" };
        let first = reference.split(['/', '?', '#']).next().unwrap_or_default();
        if first.contains(':') {
            let url = Self::parse(reference)?;
            let plain = remove_dots(&url.target);
            return match url.path().is_empty() || plain == url.target || url.target == "/" {
                true => Ok(url),
                false => Self::parse(&url.text.replacen(&url.target, &plain, 1)),
            };
        }
        let base = format!("{scheme}://{}", self.authority);
        if let Some(rest) = reference.strip_prefix("//") {
            if rest.is_empty() || rest.starts_with('/') {
                return self.join(rest);
            }
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let path = self.path();
        let joined = match reference.bytes().next() {
            None => self.target.clone(),
            Some(b'/') => remove_dots(reference),
            Some(b'?') => format!("{path}{reference}"),
            Some(b'#') => format!("{}{reference}", self.target),
            Some(_) => remove_dots(&format!(
                "{}{reference}",
                &path[..=path.rfind('/').unwrap_or(0)]
            )),
        };
        Self::parse(&format!("{base}{joined}"))
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("/")
    }

    /// The text without user name and password, for tags and logs.
    pub fn clean(&self) -> String {
        self.clean_of(&self.text)
    }

    /// The same for the original text.
    pub fn clean_of(&self, written: &str) -> String {
        let Some(userinfo) = &self.userinfo else {
            return written.to_owned();
        };
        let masked = if userinfo.contains(':') {
            "****:****@"
        } else {
            "****@"
        };
        written.replacen(&format!("{userinfo}@"), masked, 1)
    }

    /// The text without user name and password.
    pub fn without_userinfo(&self) -> String {
        match &self.userinfo {
            Some(userinfo) => self.text.replacen(&format!("{userinfo}@"), "", 1),
            None => self.text.clone(),
        }
    }

    /// Removes user name and password.
    pub fn drop_userinfo(&mut self) {
        if self.userinfo.is_some() {
            let text = self.without_userinfo();
            let parts = Rc::make_mut(&mut self.0);
            (parts.text, parts.userinfo) = (text, None);
        }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// User name and password, decoded.
    pub fn credentials(&self) -> Option<(String, String)> {
        let userinfo = self.userinfo.as_ref()?;
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        Some((decode(user), decode(password)))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_scheme(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && text.bytes().all(inside)
}

/// The error of a URL that does not begin with `scheme://`.
fn without_authority(text: &str) -> UrlError {
    let before = text.split_once(':').map(|(before, _)| before);
    let scheme = before.filter(|scheme| is_scheme(scheme));
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https") => UrlError::NoHost,
        Some(other) => UrlError::Scheme(other.to_owned()),
        None if before.is_some_and(|segment| !segment.is_empty() && !segment.contains('/')) => {
            UrlError::Colon
        }
        None => {
            let path = text.split(['?', '#']).next().unwrap_or_default();
            let escapes = check_escapes(path);
            escapes.err().unwrap_or(UrlError::Scheme(String::new()))
        }
    }
}

/// A text in quotes, as Go's `%q`.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn check_host(host: &str) -> Result<(), UrlError> {
    if host.starts_with('[') && !host.contains(']') {
        return Err(UrlError::Bracket);
    }
    check_escapes(host)?;
    check_host_escapes(host)?;
    let bad = |c: &char| c.is_ascii() && !c.is_ascii_graphic() || "\"<>\\^`{}|/?#".contains(*c);
    match host.chars().find(bad) {
        Some(c) => Err(UrlError::Character(c.to_string())),
        None => Ok(()),
    }
}

/// In a name only non-ASCII characters may be escaped, in an address only the `%` before its zone.
fn check_host_escapes(host: &str) -> Result<(), UrlError> {
    if host.starts_with('[') {
        return Ok(());
    }
    let bad = host.match_indices('%').find(|(at, _)| {
        host.as_bytes()
            .get(at + 1)
            .is_some_and(|digit| *digit < b'8')
    });
    match bad {
        Some((at, _)) => Err(UrlError::Escape(host[at..at + 3].to_owned())),
        None => Ok(()),
    }
}

fn check_escapes(text: &str) -> Result<(), UrlError> {
    for (at, _) in text.match_indices('%') {
        let bytes = text.as_bytes();
        let is_fine = bytes
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if !is_fine {
            let end = text.len().min(at + 3);
            let piece = String::from_utf8_lossy(&bytes[at..end]).into_owned();
            return Err(UrlError::Escape(piece));
        }
    }
    Ok(())
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.filter(|port| !port.is_empty());
    let number = port.map(|port| {
        port.parse().map_err(|_| {
            if port.bytes().all(|b| b.is_ascii_digit()) {
                UrlError::PortNumber(port.to_owned())
            } else {
                UrlError::Port(format!(":{port}"))
            }
        })
    });
    Ok((host, number.transpose()?))
}

/// Path, and query with its question mark.
fn split_query(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// The path as Go writes it: unchanged when all its characters are allowed, else decoded and encoded again. The
/// query is left unchanged.
fn encode_path(path: &str) -> std::borrow::Cow<'_, str> {
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]%".contains(&b);
    if path.bytes().all(is_valid) {
        return path.into();
    }
    let mut out = String::with_capacity(path.len() + 8);
    for byte in decode_bytes(path) {
        match byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            true => out.push(byte as char),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out.into()
}

/// The path without `.` and `..` segments; query and fragment stay.
fn remove_dots(reference: &str) -> String {
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let (path, rest) = reference.split_at(end);
    let mut segments: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        match *part {
            "." | ".." => {
                if *part == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            other => segments.push(other),
        }
    }
    format!("/{}{rest}", segments.join("/"))
}

/// Percent-decoding; an invalid escape stays.
pub fn decode(text: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(text)).into_owned()
}

fn decode_bytes(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Encodes a key or value of a form, as Go's `url.QueryEscape`.
pub fn encode_form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char);
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_join(base: &str, reference: &str, expected: &str) {
        let joined = Url::parse(base)
            .and_then(|base| base.join(reference))
            .map(|url| url.to_string());
        assert_eq!(joined.as_deref(), Ok(expected), "{base} + {reference}");
    }

    #[test]
    fn a_reference_is_resolved_against_its_document() {
        let base = "http://h:8080/a/b/c?q=1";
        check_join(base, "d", "http://h:8080/a/b/d");
        check_join(base, "/d?x", "http://h:8080/d?x");
        check_join(base, "../d/./e", "http://h:8080/a/d/e");
        check_join(base, "?z=2", "http://h:8080/a/b/c?z=2");
        check_join(base, "//o/p", "http://o/p");
        check_join(base, "https://o/p?u=http://x", "https://o/p?u=http://x");
        check_join(base, "/r?u=http://x", "http://h:8080/r?u=http://x");
        check_join("http://h", "d", "http://h/d");
        check_join("http://h", "http://h/a//b/../c", "http://h/a//c");
        check_join("http://h", "http://o", "http://o");
        check_join(base, "//", "http://h:8080/a/b/c?q=1");
        check_join(base, "///d", "http://h:8080/d");
    }

    #[test]
    fn a_url_is_parsed_into_its_parts() {
        let url = Url::parse("https://us%40er:pw@[::1]:8443/p a/?q=ä#f").expect("a URL");
        assert_eq!(
            (url.host.as_str(), url.port, url.is_tls),
            ("::1", 8443, true)
        );
        assert_eq!(url.target, "/p%20a/?q=ä");
        assert_eq!(
            url.credentials(),
            Some(("us@er".to_owned(), "pw".to_owned()))
        );
        assert_eq!(url.clean(), "https://****:****@[::1]:8443/p%20a/?q=ä#f");
    }

    #[test]
    fn a_repeated_url_is_the_same_instance() {
        let parse = |text: &str| Url::parse_again(text).expect("a URL");
        let mut first = parse("http://u:p@h/a b");
        assert!(first.is(&parse("http://u:p@h/a b")));
        assert_eq!(first, Url::parse("http://u:p@h/a b").expect("a URL"));
        // A change of one copy does not affect the next.
        first.drop_userinfo();
        assert_eq!(parse("http://u:p@h/a b").userinfo.as_deref(), Some("u:p"));
        // Each text has its own URL, whatever else is cached.
        for number in 0..10 * KNOWN {
            let text = format!("http://h/{number}");
            assert_eq!(parse(&text).as_str(), text);
        }
        assert!(Url::parse_again("http://").is_err());
    }

    #[test]
    fn an_invalid_url_is_refused() {
        for bad in [
            "",
            "h/p",
            "ftp://h/",
            "http://",
            "http:///p",
            "http://h:x/",
            "http://h/\n",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
    }
}
