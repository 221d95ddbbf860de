//! Secret settings, which are shown without their secret parts.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize, Serializer};

/// A URL whose user and password are never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password, to connect with.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The URL as it may be shown.
    pub fn redacted(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return "***".to_owned();
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // The last `@`, since a password may contain one.
        match authority.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}{path}"),
            None => self.0.clone(),
        }
    }
}

/// A text that should be a URL, without its secrets, for messages.
pub fn shown_url(text: &str) -> String {
    if text.contains('@') {
        SecretUrl::new(text).redacted()
    } else {
        text.to_owned()
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.redacted(), f)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

/// Keys of 32 bytes in base64, separated by commas; never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreKeys(String);

impl StoreKeys {
    pub fn new(keys: impl Into<String>) -> Self {
        Self(keys.into())
    }

    /// The keys, at least one; `None` if the text is malformed.
    pub fn keys(&self) -> Option<Vec<[u8; 32]>> {
        let key = |text: &str| {
            let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
            bytes.try_into().ok()
        };
        self.0.split(',').map(key).collect()
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

impl Serialize for StoreKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_keys_are_32_bytes_each_and_shown_nowhere() {
        let (one, two) = (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "HxscHRobGBkWFxQVEhMQEQ4PDA0KCwgJBgcEBQIDAAE=",
        );
        let both = StoreKeys::new(format!("{one}, {two}"));
        let keys = both.keys().expect("both are right");
        assert_eq!((keys.len(), keys[0][31], keys[1][0]), (2, 31, 31));
        for wrong in ["", "AAEC", "no base64", &format!("{one},")] {
            assert_eq!(StoreKeys::new(wrong).keys(), None, "{wrong}");
        }
        let shown = format!("{both:?} {}", serde_json::json!(both));
        assert!(
            !shown.contains("AAEC") && !shown.contains("Hxsc"),
            "{shown}"
        );
    }

    #[test]
    fn a_message_shows_a_url_without_its_user() {
        for (text, shown) in [
            ("localhost:8001", "localhost:8001"),
            ("ftp://u:p@h/x", "ftp://***@h/x"),
            ("u:p@h", "***"),
        ] {
            assert_eq!(shown_url(text), shown);
        }
    }

    #[test]
    fn a_password_is_neither_printed_nor_written() {
        for (url, shown) in [
            ("redis://h:1/0", "redis://h:1/0"),
            ("redis://user:p@ss@h:1/0", "redis://***@h:1/0"),
            ("redis://:secret@h", "redis://***@h"),
            ("user:secret@h", "***"),
        ] {
            let url = SecretUrl::new(url);
            assert_eq!(format!("{url:?}"), format!("{shown:?}"));
            assert_eq!(serde_json::json!(url), shown);
        }
    }
}
