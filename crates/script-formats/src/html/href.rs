//! The parts of a link as Go's `net/url` parses them.

use url::Url;

/// A reference as written in a page. A text that Go rejects has only empty parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Href {
    pub(super) scheme: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) fragment: String,
}

impl Href {
    pub(super) fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_default()
    }

    fn try_parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_ascii_control()) {
            return None;
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut href = Self {
            scheme: scheme.to_ascii_lowercase(),
            query: query.to_owned(),
            fragment: decode(fragment)?,
            ..Self::default()
        };
        if !scheme.is_empty() && !rest.starts_with('/') {
            return Some(href);
        }
        let first_segment = rest.split('/').next().unwrap_or_default();
        if scheme.is_empty() && first_segment.contains(':') {
            return None;
        }
        let path = match rest.strip_prefix("//") {
            Some(rest) => href.take_authority(rest)?,
            None => rest,
        };
        href.path = decode(path)?;
        Some(href)
    }

    fn take_authority<'t>(&mut self, rest: &'t str) -> Option<&'t str> {
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        if host.contains([' ', '"', '<', '>']) {
            return None;
        }
        (self.user, self.password, self.authority) =
            (decode(user)?, decode(password)?, decode(host)?);
        Some(path)
    }

    /// The path of a link, which begins at the root even where it is written without a page.
    pub(super) fn full_path(&self) -> String {
        let mut url = Url::parse("http://h/").expect("a URL");
        url.set_path(&self.path);
        match self.path.is_empty() {
            true => String::new(),
            false => decode(url.path()).unwrap_or_default(),
        }
    }

    pub(super) fn host_name(&self) -> &str {
        match self.authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.authority.split(':').next().unwrap_or_default(),
        }
    }

    pub(super) fn port(&self) -> &str {
        let behind = self
            .authority
            .rfind(']')
            .map_or(self.authority.as_str(), |end| &self.authority[end..]);
        behind.rsplit_once(':').map_or("", |(_, port)| port)
    }

    /// Host and port, the port only if it is not the scheme's own.
    pub(super) fn host(&self) -> &str {
        match (self.scheme.as_str(), self.port()) {
            ("http", "80") | ("https", "443") => self.host_name(),
            _ => &self.authority,
        }
    }

    pub(super) fn origin(&self) -> String {
        if self.scheme.is_empty() {
            String::new()
        } else {
            format!("{}://{}", self.scheme, self.authority)
        }
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (index, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return None,
            ':' => return Some((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

/// Percent-decodes; a broken escape is an error.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            if !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*byte);
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
