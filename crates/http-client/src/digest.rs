//! HTTP digest access authentication, RFC 7616 and RFC 2617: from a server's challenge to the
//! `Authorization` header of the second request.

use web_crypto::Algorithm;

/// The reason why a challenge cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("the server's challenge is not a digest challenge")]
    NotDigest,
    #[error("the server's digest challenge has no {0}")]
    Missing(&'static str),
    #[error("the server requires the digest algorithm {0}, which is not supported")]
    Algorithm(String),
    #[error("the server requires digest protection (qop) {0}, which is not supported")]
    Protection(String),
}

/// A parsed `WWW-Authenticate: Digest …` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    protects: bool,
}

/// The request that is authorized.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    pub method: &'r str,
    /// Path and query as on the request line.
    pub target: &'r str,
    pub user: &'r str,
    pub password: &'r str,
    /// A fresh random text.
    pub client_nonce: &'r str,
    /// The number of uses of the server's nonce, including this one.
    pub count: u32,
}

impl Challenge {
    /// # Errors
    /// The header is not a digest challenge, or one for `auth-int` only.
    pub fn parse(header: &str) -> Result<Self, DigestError> {
        let (scheme, rest) = header
            .trim()
            .split_once(' ')
            .ok_or(DigestError::NotDigest)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(DigestError::NotDigest);
        }
        let parameters = parameters(rest);
        let find = |name: &str| {
            let found = parameters
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let qop = find("qop");
        let offers_auth = |qop: &String| {
            qop.split(',')
                .any(|offer| offer.trim().eq_ignore_ascii_case("auth"))
        };
        if let Some(qop) = qop.as_ref().filter(|qop| !offers_auth(qop)) {
            return Err(DigestError::Protection(qop.clone()));
        }
        Ok(Self {
            realm: find("realm").ok_or(DigestError::Missing("realm"))?,
            nonce: find("nonce").ok_or(DigestError::Missing("nonce"))?,
            opaque: find("opaque"),
            algorithm: find("algorithm"),
            protects: qop.is_some(),
        })
    }

    /// The value of the `Authorization` header.
    ///
    /// # Errors
    /// The algorithm is not MD5, SHA-256, SHA-512-256 or one of their `-sess` forms.
    pub fn answer(&self, request: &Request<'_>) -> Result<String, DigestError> {
        let name = self.algorithm.as_deref().unwrap_or("MD5");
        let upper = name.to_ascii_uppercase();
        let (base, session) = upper
            .strip_suffix("-SESS")
            .map_or((upper.as_str(), false), |base| (base, true));
        let algorithm = match base {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            "SHA-512-256" => Algorithm::Sha512_256,
            _ => return Err(DigestError::Algorithm(name.to_owned())),
        };
        let hash = |text: &str| -> String {
            algorithm
                .hash(text.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        let Request {
            method,
            target,
            user,
            password,
            client_nonce,
            count,
        } = *request;
        let (realm, nonce) = (&self.realm, &self.nonce);
        let mut secret = hash(&format!("{user}:{realm}:{password}"));
        if session {
            secret = hash(&format!("{secret}:{nonce}:{client_nonce}"));
        }
        let what = hash(&format!("{method}:{target}"));
        let response = if self.protects {
            hash(&format!(
                "{secret}:{nonce}:{count:08x}:{client_nonce}:auth:{what}"
            ))
        } else {
            hash(&format!("{secret}:{nonce}:{what}"))
        };
        let mut header = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(user),
            quoted(realm),
            quoted(nonce),
            quoted(target)
        );
        if let Some(algorithm) = &self.algorithm {
            header.push_str(&format!(", algorithm={algorithm}"));
        }
        if let Some(opaque) = &self.opaque {
            header.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        if self.protects {
            header.push_str(&format!(
                ", qop=auth, nc={count:08x}, cnonce={}",
                quoted(client_nonce)
            ));
        } else if session {
            header.push_str(&format!(", cnonce={}", quoted(client_nonce)));
        }
        Ok(header)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `name=value` and `name="value"`, separated by commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let mut rest = text;
    while let Some((name, tail)) = rest.split_once('=') {
        let name = name
            .trim_matches(|c: char| c == ',' || c.is_whitespace())
            .to_owned();
        let tail = tail.trim_start();
        let (value, tail) = match tail.strip_prefix('"') {
            Some(tail) => quoted_value(tail),
            None => {
                let (value, tail) = tail.split_once(',').unwrap_or((tail, ""));
                (value.trim().to_owned(), tail)
            }
        };
        list.push((name, value));
        rest = tail;
    }
    list
}

/// The text up to the closing quote, and what follows it.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return (value, &text[index + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::{Challenge, DigestError, Request};

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

    fn rfc_7616() -> Request<'static> {
        Request {
            method: "GET",
            target: "/dir/index.html",
            user: "Mufasa",
            password: "Circle of Life",
            client_nonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            count: 1,
        }
    }

    #[track_caller]
    fn check(challenge: &str, request: &Request<'_>, response: &str) {
        let header = Challenge::parse(challenge)
            .and_then(|challenge| challenge.answer(request))
            .expect("answered");
        assert!(
            header.contains(&format!("response=\"{response}\"")),
            "{header}"
        );
    }

    #[test]
    fn the_examples_of_the_standards_are_answered() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{NONCE}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        check(
            &challenge("MD5"),
            &rfc_7616(),
            "8ca523f5e9506fed4657c9700eebdbec",
        );
        check(
            &challenge("SHA-256"),
            &rfc_7616(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        );
        let rfc_2617 = Request {
            password: "Circle Of Life",
            client_nonce: "0a4f113b",
            ..rfc_7616()
        };
        check(
            "Digest realm=\"testrealm@host.com\",qop=\"auth,auth-int\",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
            &rfc_2617,
            "6629fae49393a05397450978507c4ef1",
        );
    }

    #[test]
    fn a_challenge_without_qop_is_answered_as_in_rfc_2069() {
        let request = Request {
            password: "Circle Of Life",
            ..rfc_7616()
        };
        let challenge = Challenge::parse(
            "digest realm=\"testrealm@host.com\", nonce=dcd98b7102dd2f0e8b11d0f600bfb0c093",
        )
        .expect("a challenge");
        let header = challenge.answer(&request).expect("answered");
        assert!(
            header.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""),
            "{header}"
        );
        assert!(!header.contains("qop") && !header.contains("cnonce"));
    }

    #[test]
    fn a_session_algorithm_mixes_in_the_nonces() {
        let challenge = "Digest realm=\"r\", nonce=\"n\", qop=auth, algorithm=MD5-sess";
        let header = Challenge::parse(challenge)
            .and_then(|c| c.answer(&rfc_7616()))
            .expect("answered");
        let plain =
            Challenge::parse(&challenge.replace("-sess", "")).and_then(|c| c.answer(&rfc_7616()));
        assert!(
            header.contains("algorithm=MD5-sess, qop=auth, nc=00000001, cnonce=\"f2/"),
            "{header}"
        );
        assert_ne!(Ok(header), plain);
    }

    #[test]
    fn quotes_and_commas_in_values_are_understood() {
        let challenge = Challenge::parse(r#"Digest realm="a, \"b\"" , nonce="x=y",qop=auth"#)
            .expect("a challenge");
        let header = challenge.answer(&rfc_7616()).expect("answered");
        assert!(
            header.contains(r#"realm="a, \"b\"", nonce="x=y""#),
            "{header}"
        );
    }

    #[test]
    fn an_unsupported_challenge_reports_the_reason() {
        for (challenge, error) in [
            ("Basic realm=x", DigestError::NotDigest),
            ("Digest", DigestError::NotDigest),
            ("Digest nonce=x", DigestError::Missing("realm")),
            ("Digest realm=x", DigestError::Missing("nonce")),
            (
                "Digest realm=x, nonce=y, qop=auth-int",
                DigestError::Protection("auth-int".to_owned()),
            ),
            (
                "Digest realm=x, nonce=y, algorithm=FOO",
                DigestError::Algorithm("FOO".to_owned()),
            ),
        ] {
            let result =
                Challenge::parse(challenge).and_then(|challenge| challenge.answer(&rfc_7616()));
            assert_eq!(result, Err(error), "{challenge}");
        }
    }
}
