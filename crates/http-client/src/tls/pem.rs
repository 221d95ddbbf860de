//! Private keys as PEM text, including openssl's old format with a password.

use aes::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use base64::Engine;
use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

/// Reads a private key.
///
/// # Errors
/// There is no key, or the password is wrong.
pub(super) fn private_key(
    text: &str,
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, String> {
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return Err("encrypted pkcs8 formatted key is not supported".to_owned());
    }
    match Protected::find(text)? {
        None => PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
            match text.contains("BEGIN CERTIFICATE") {
                true => "tls: found a certificate rather than a key in the PEM for the private key"
                    .to_owned(),
                false => format!("the key cannot be read: {error}"),
            }
        }),
        // Without a password k6 reads the encrypted bytes as a key.
        Some(_) if password.is_none_or(str::is_empty) => {
            Err("tls: failed to parse private key".to_owned())
        }
        Some(protected) => protected.open(password.unwrap_or_default()),
    }
}

/// A key with `Proc-Type: 4,ENCRYPTED`.
struct Protected {
    cipher: String,
    vector: Vec<u8>,
    bytes: Vec<u8>,
    label: Label,
}

/// The label of the PEM block.
#[derive(Clone, Copy)]
enum Label {
    Rsa,
    Elliptic,
    Any,
}

impl Protected {
    fn find(text: &str) -> Result<Option<Self>, String> {
        let Some((_, info)) = text.split_once("DEK-Info:") else {
            return Ok(None);
        };
        let bad = |what: &str| format!("the protected key cannot be read: {what}");
        let (info, rest) = info
            .split_once('\n')
            .ok_or_else(|| bad("it ends after its headers"))?;
        let (cipher, vector) = info
            .trim()
            .split_once(',')
            .ok_or_else(|| bad("DEK-Info has no vector"))?;
        let body = rest.split("-----END").next().unwrap_or_default();
        let body: String = body.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(body)
            .map_err(|error| bad(&error.to_string()))?;
        Ok(Some(Self {
            cipher: cipher.to_owned(),
            vector: unhex(vector).ok_or_else(|| bad("the vector is not hexadecimal"))?,
            bytes,
            label: match text {
                _ if text.contains("BEGIN EC PRIVATE KEY") => Label::Elliptic,
                _ if text.contains("BEGIN PRIVATE KEY") => Label::Any,
                _ => Label::Rsa,
            },
        }))
    }

    fn open(self, password: &str) -> Result<PrivateKeyDer<'static>, String> {
        let wrong = || "x509: decryption password incorrect".to_owned();
        let key = |bytes| derive(password.as_bytes(), &self.vector, bytes);
        let opened = match self.cipher.as_str() {
            "AES-128-CBC" => decrypt::<cbc::Decryptor<aes::Aes128>>(&key(16), &self),
            "AES-192-CBC" => decrypt::<cbc::Decryptor<aes::Aes192>>(&key(24), &self),
            "AES-256-CBC" => decrypt::<cbc::Decryptor<aes::Aes256>>(&key(32), &self),
            other => return Err(format!("a key protected by {other} is not supported")),
        };
        // One in 256 wrong passwords leaves a valid padding, and then something that is no key: errors of Go's.
        let opened = opened.ok_or_else(wrong)?;
        if opened.first() != Some(&0x30) {
            return Err("tls: failed to parse private key".to_owned());
        }
        Ok(match self.label {
            Label::Elliptic => PrivateSec1KeyDer::from(opened).into(),
            Label::Any => PrivatePkcs8KeyDer::from(opened).into(),
            Label::Rsa => PrivatePkcs1KeyDer::from(opened).into(),
        })
    }
}

fn decrypt<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], protected: &Protected) -> Option<Vec<u8>> {
    let cipher = C::new_from_slices(key, &protected.vector).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(&protected.bytes).ok()
}

/// openssl's derivation of a key from a password: repeated MD5 with the first 8 bytes of the vector as salt.
fn derive(password: &[u8], vector: &[u8], length: usize) -> Vec<u8> {
    let salt = &vector[..vector.len().min(8)];
    let mut key: Vec<u8> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&last);
        hash.update(password);
        hash.update(salt);
        last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::private_key;

    /// Made for this test by `openssl ec -aes128`; the password is `secret`.
    const PROTECTED: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,3F214AA7390761B5051C1B09F75D5487

ZrdUXiG3bcq0XcO7eDKy9ki2xEZncpbLxtRYC3+70yvWs4QmOPptIauYSxzdViUq
Q1o/K/vEZb6SoCbperS6uyD1C46It29eLTCTMrupnrjN4n97fj+Vt/yeOtdXlvuJ
kMdLEYZRKVTWPSJu+MmH4tDQIKZ6zmLHKsJyDJCzBlw=
-----END EC PRIVATE KEY-----";

    #[test]
    fn a_protected_key_opens_with_its_password_only() {
        let key = private_key(PROTECTED, Some("secret")).expect("it opens");
        assert!(matches!(key, rustls::pki_types::PrivateKeyDer::Sec1(_)));
        assert!(rustls::crypto::ring::sign::any_supported_type(&key).is_ok());
        for wrong in [None, Some("wrong")] {
            assert!(private_key(PROTECTED, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_unreadable_key_reports_the_reason() {
        for (text, why) in [
            ("", "cannot be read"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "pkcs8"),
            (
                "DEK-Info: DES-EDE3-CBC,00\n\nAA==\n-----END",
                "DES-EDE3-CBC",
            ),
            ("DEK-Info: x", "ends after its headers"),
        ] {
            let error = private_key(text, Some("secret")).expect_err("refused");
            assert!(error.contains(why), "{error}");
        }
    }
}
