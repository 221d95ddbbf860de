//! Certificates as `k6/crypto/x509` reads them.

use std::net::{Ipv4Addr, Ipv6Addr};

use x509_cert::Certificate as Parsed;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, pem};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name as ParsedName;

use super::hash::Algorithm;

/// Errors of reading a certificate; the texts are k6's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("failed to decode certificate PEM file")]
    NoPem,
    #[error("failed to parse certificate: x509: malformed certificate")]
    Malformed,
}

/// Subject or issuer. Absent fields are empty. Scripts see `postal_code`, `street_address` and
/// `organizational_units` only of the subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    pub common_name: String,
    pub country: String,
    pub postal_code: String,
    pub state_or_province: String,
    pub locality: String,
    pub street_address: String,
    pub organization: String,
    pub organizational_units: Vec<String>,
    /// All attributes in their order: object identifier and value.
    pub names: Vec<(String, String)>,
}

/// A public key; numbers are big-endian bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ecdsa { x: Vec<u8>, y: Vec<u8> },
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub subject: Name,
    pub issuer: Name,
    /// RFC 3339, UTC.
    pub not_before: String,
    pub not_after: String,
    /// Host names, then mail addresses, IP addresses, URIs.
    pub alt_names: Vec<String>,
    pub signature_algorithm: &'static str,
    /// SHA-1 of the whole certificate.
    pub finger_print: Vec<u8>,
    pub public_key: PublicKey,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// The text is not PEM, or does not contain a certificate.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let (_, bytes) =
            pem::decode_vec(text.trim_start().as_bytes()).map_err(|_| CertificateError::NoPem)?;
        Self::from_der(&bytes).map_err(|_| CertificateError::Malformed)
    }

    fn from_der(bytes: &[u8]) -> der::Result<Self> {
        let parsed = Parsed::from_der(bytes)?;
        let content = parsed.tbs_certificate();
        let key_info = content.subject_public_key_info().to_der()?;
        Ok(Self {
            subject: name(content.subject()),
            issuer: name(content.issuer()),
            not_before: content.validity().not_before.to_date_time().to_string(),
            not_after: content.validity().not_after.to_date_time().to_string(),
            alt_names: alt_names(&parsed)?,
            signature_algorithm: signature_name(&parsed.signature_algorithm().oid.to_string()),
            finger_print: Algorithm::Sha1.hash(bytes),
            public_key: public_key(&key_info)?,
        })
    }
}

fn name(parsed: &ParsedName) -> Name {
    let mut name = Name::default();
    for attribute in parsed.iter() {
        let kind = attribute.oid.to_string();
        let value = String::from_utf8_lossy(attribute.value.value()).into_owned();
        let slot = match kind.as_str() {
            "2.5.4.3" => Some(&mut name.common_name),
            "2.5.4.6" => Some(&mut name.country),
            "2.5.4.17" => Some(&mut name.postal_code),
            "2.5.4.8" => Some(&mut name.state_or_province),
            "2.5.4.7" => Some(&mut name.locality),
            "2.5.4.9" => Some(&mut name.street_address),
            "2.5.4.10" => Some(&mut name.organization),
            "2.5.4.11" => {
                name.organizational_units.push(value.clone());
                None
            }
            _ => None,
        };
        if let Some(slot) = slot.filter(|slot| slot.is_empty()) {
            slot.clone_from(&value);
        }
        name.names.push((kind, value));
    }
    name
}

fn alt_names(parsed: &Parsed) -> der::Result<Vec<String>> {
    let Some((_, all)) = parsed.tbs_certificate().get_extension::<SubjectAltName>()? else {
        return Ok(Vec::new());
    };
    let (mut hosts, mut mails, mut addresses, mut uris) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for general in all.0 {
        match general {
            GeneralName::DnsName(text) => hosts.push(text.to_string()),
            GeneralName::Rfc822Name(text) => mails.push(text.to_string()),
            GeneralName::UniformResourceIdentifier(text) => uris.push(text.to_string()),
            GeneralName::IpAddress(bytes) => addresses.extend(address(bytes.as_bytes())),
            _ => {}
        }
    }
    Ok([hosts, mails, addresses, uris].concat())
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|sixteen| Ipv6Addr::from(sixteen).to_string())
}

fn public_key(key_info: &[u8]) -> der::Result<PublicKey> {
    let parsed = x509_cert::SubjectPublicKeyInfo::from_der(key_info)?;
    let bytes = parsed.subject_public_key.raw_bytes();
    Ok(match parsed.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => {
            let mut reader = SliceReader::new(bytes)?;
            let (n, e) = reader.sequence(|inner| {
                let (n, e) = (UintRef::decode(inner)?, UintRef::decode(inner)?);
                der::Result::Ok((n.as_bytes().to_vec(), e.as_bytes().to_vec()))
            })?;
            PublicKey::Rsa { n, e }
        }
        "1.2.840.10045.2.1" => match bytes.split_first() {
            Some((4, point)) => {
                let (x, y) = point.split_at(point.len() / 2);
                PublicKey::Ecdsa {
                    x: x.to_vec(),
                    y: y.to_vec(),
                }
            }
            _ => PublicKey::Other,
        },
        _ => PublicKey::Other,
    })
}

fn signature_name(identifier: &str) -> &'static str {
    match identifier {
        "1.2.840.113549.1.1.4" => "MD5-RSA",
        "1.2.840.113549.1.1.5" => "SHA1-RSA",
        "1.2.840.113549.1.1.11" => "SHA256-RSA",
        "1.2.840.113549.1.1.12" => "SHA384-RSA",
        "1.2.840.113549.1.1.13" => "SHA512-RSA",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256",
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512",
        "1.3.101.112" => "Ed25519",
        _ => "UnknownSignatureAlgorithm",
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, CertificateError, PublicKey};

    const RSA: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIDOzCCAqSgAwIBAgIUCFZVf4ReIWhgPlnpjEkLfPLIuzkwDQYJKoZIhvcNAQEL\n\
        BQAwgZcxCzAJBgNVBAYTAkRFMQswCQYDVQQIDAJCWTEMMAoGA1UEBwwDTXVjMQww\n\
        CgYDVQQKDANPcmcxCzAJBgNVBAsMAlUxMQswCQYDVQQLDAJVMjETMBEGA1UEAwwK\n\
        Y24uZXhhbXBsZTEMMAoGA1UECQwDUyAxMQwwCgYDVQQRDAMxMjMxFDASBgkqhkiG\n\
        9w0BCQEWBWFAYi5jMB4XDTI2MTEyMTAyMTEyNFoXDTI2MTIwMTAyMTEyNFowgZcx\n\
        CzAJBgNVBAYTAkRFMQswCQYDVQQIDAJCWTEMMAoGA1UEBwwDTXVjMQwwCgYDVQQK\n\
        DANPcmcxCzAJBgNVBAsMAlUxMQswCQYDVQQLDAJVMjETMBEGA1UEAwwKY24uZXhh\n\
        bXBsZTEMMAoGA1UECQwDUyAxMQwwCgYDVQQRDAMxMjMxFDASBgkqhkiG9w0BCQEW\n\
        BWFAYi5jMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC8biHZS8KDHibteQ9L\n\
        PoIIhlt21sz9rprbQzIL9T4+q8MOsXD69L0r/AGzwxwOcI0o/YHn8HBjrBU+XsGI\n\
        9ZatznZ7DPxesVcypmkpV7voKLzSjJaapalgeKBWZcRJ3LhtSY/CphlZ+WTfA3pV\n\
        O8EhShbWVDXmc1JINhAU3Q3jDwIDAQABo4GBMH8wHQYDVR0OBBYEFH5TuGlCrl3M\n\
        rt+qg/JVypkwGryyMB8GA1UdIwQYMBaAFH5TuGlCrl3Mrt+qg/JVypkwGryyMA8G\n\
        A1UdEwEB/wQFMAMBAf8wLAYDVR0RBCUwI4IDYS5iggMqLmOHBAECAwSBBXhAeS56\n\
        hgpodHRwOi8vdS92MA0GCSqGSIb3DQEBCwUAA4GBAHTDXG4Rd1lTFB2rf1sYfCoq\n\
        9zYO0Gl0YxI6HksqxgU0cTWL0ahbunvwAHF1bp/KULdEleAdnXWDDCu9GY4V+rYA\n\
        nZRyPcYPfnIwSgX7Kvd+gXAVoOvVh1XDiFtoQKiJY5txYdA3q0Vcnx3dwGJApU0W\n\
        kpEuZmVpCN9oI7QLCs2f\n\
        -----END CERTIFICATE-----";
    const ECDSA: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBbjCCAROgAwIBAgIUOd+qMtAt5h3ACbgoHk9+6CcSdC0wCgYIKoZIzj0EAwIw\n\
        DDEKMAgGA1UEAwwBZTAeFw0yNjExMjEwMjExMjRaFw0yNjEyMDEwMjExMjRaMAwx\n\
        CjAIBgNVBAMMAWUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQlBa1rLHAP8oDk\n\
        QNH2bX7zJE2lOXC96izOQknpnsj6qwX05EM4G1EV1aVqJsaexPBHuTicp0myT0TR\n\
        bHMmYX57o1MwUTAdBgNVHQ4EFgQUyVqMK/zFAfVz5XlW3Qewku3Wn0owHwYDVR0j\n\
        BBgwFoAUyVqMK/zFAfVz5XlW3Qewku3Wn0owDwYDVR0TAQH/BAUwAwEB/zAKBggq\n\
        hkjOPQQDAgNJADBGAiEA0TOPSIYT7tC9GAQs5cO5mXaLoddKqDQxHsotRGuR8akC\n\
        IQCaTp6S7pQsozb4OW/Bs3/53B93C8t3bzBZfVqhq6AIUA==\n\
        -----END CERTIFICATE-----";

    #[test]
    fn a_certificate_is_read_as_k6_reads_it() {
        let certificate = Certificate::parse(RSA).expect("a certificate");
        let subject = &certificate.subject;
        let parts = [
            &subject.common_name,
            &subject.country,
            &subject.postal_code,
            &subject.state_or_province,
        ];
        assert_eq!(parts, ["cn.example", "DE", "123", "BY"]);
        let parts = [
            &subject.locality,
            &subject.street_address,
            &subject.organization,
        ];
        assert_eq!(parts, ["Muc", "S 1", "Org"]);
        assert_eq!(subject.organizational_units, ["U1", "U2"]);
        assert_eq!(subject.names.len(), 10);
        assert_eq!(
            subject.names[9],
            ("1.2.840.113549.1.9.1".to_owned(), "a@b.c".to_owned())
        );
        assert_eq!(certificate.issuer, certificate.subject);
        assert_eq!(
            certificate.alt_names,
            ["a.b", "*.c", "x@y.z", "1.2.3.4", "http://u/v"]
        );
        assert_eq!(certificate.not_before, "2026-11-21T02:11:24Z");
        assert_eq!(certificate.not_after, "2026-12-01T02:11:24Z");
        assert_eq!(certificate.signature_algorithm, "SHA256-RSA");
        assert_eq!(certificate.finger_print[..4], [152, 139, 67, 243]);
        let PublicKey::Rsa { n, e } = certificate.public_key else {
            panic!("an RSA key")
        };
        assert_eq!((n.len(), e), (128, vec![1, 0, 1]));
    }

    #[test]
    fn an_elliptic_key_is_its_point() {
        let certificate = Certificate::parse(ECDSA).expect("a certificate");
        assert_eq!(certificate.signature_algorithm, "ECDSA-SHA256");
        assert!(certificate.alt_names.is_empty());
        let PublicKey::Ecdsa { x, y } = certificate.public_key else {
            panic!("an elliptic key")
        };
        assert_eq!((x.len(), y.len()), (32, 32));
    }

    #[test]
    fn a_malformed_certificate_is_an_error() {
        assert_eq!(Certificate::parse("x"), Err(CertificateError::NoPem));
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Certificate::parse(empty), Err(CertificateError::Malformed));
        let cut = RSA.replace("MII", "MIA");
        assert!(Certificate::parse(&cut).is_err());
    }
}
