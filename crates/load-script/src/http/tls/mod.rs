//! TLS: settings of a run, and the handshake.

mod client_certificate;
mod failure;
mod pem;
mod verify;

use std::sync::Arc;

use load_engine::options::Options;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::Counted;
use super::failure::Failure;
use super::network::Network;
use super::reply::TlsInfo;
use client_certificate::ClientCertificates;
use verify::{Staple, Verifier};

/// The protocols that a client offers, as ALPN names them.
const HTTP_2_OR_1: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS as the options of a run want it.
pub(super) struct Settings {
    config: ClientConfig,
    verifier: Verifier,
    /// `GODEBUG=http2client=0` forbids HTTP/2, as for k6.
    offers_http2: bool,
}

/// A stream after the handshake, and what was agreed.
pub(super) struct Secured {
    pub(super) stream: TlsStream<Counted>,
    pub(super) info: TlsInfo,
    pub(super) speaks_http2: bool,
}

/// What k6 refuses before a run: client certificates that cannot be used.
///
/// # Errors
/// Why one of them cannot.
pub(crate) fn check(options: &Options) -> Result<(), String> {
    let Some(certificates) = &options.tls_auth else {
        return Ok(());
    };
    let checked = ClientCertificates::new(certificates, &ring::default_provider());
    checked.map(drop).map_err(|failure| failure.detail)
}

/// Performs the handshake with `host`; HTTP/2 is on offer if `may_http2` and the settings want it.
pub(super) async fn handshake(
    host: &str,
    stream: Counted,
    network: &Network,
    may_http2: bool,
) -> Result<Secured, Failure> {
    let settings = network.tls()?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::new(1311, "x509: certificate doesn't match hostname"))?;
    let (config, staple) = settings.for_one_connection(may_http2);
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| Failure::handshake(&error))?;
    let session = stream.get_ref().1;
    let info = TlsInfo {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "tls1.2",
            _ => "tls1.3",
        },
        cipher: session
            .negotiated_cipher_suite()
            .map(|suite| iana_name(&format!("{:?}", suite.suite())))
            .unwrap_or_default(),
        ocsp: staple.take(),
    };
    let speaks_http2 = session.alpn_protocol() == Some(b"h2");
    Ok(Secured {
        stream,
        info,
        speaks_http2,
    })
}

fn iana_name(name: &str) -> String {
    name.replacen("TLS13_", "TLS_", 1)
}

impl Settings {
    /// The settings that the options ask for.
    ///
    /// # Errors
    /// When nothing of what they allow is supported here, or a client certificate cannot be read.
    pub(super) fn new(options: &Options) -> Result<Self, Failure> {
        let provider = Arc::new(provider(options)?);
        let verifier = Verifier::new(
            Arc::clone(&provider),
            options.insecure_skip_tls_verify.unwrap_or(false),
        );
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(options)?)
            .map_err(|error| Failure::new(1300, format!("tls: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.clone()));
        let mut config = match options.tls_auth.as_deref() {
            None | Some([]) => builder.with_no_client_auth(),
            Some(certificates) => builder.with_client_cert_resolver(Arc::new(
                ClientCertificates::new(certificates, &provider)?,
            )),
        };
        config.resumption = rustls::client::Resumption::disabled();
        if std::env::var_os("SSLKEYLOGFILE").is_some() {
            config.key_log = Arc::new(rustls::KeyLogFile::new());
        }
        Ok(Self {
            config,
            verifier,
            offers_http2: !is_http2_off(&std::env::var("GODEBUG").unwrap_or_default()),
        })
    }

    /// A copy whose verifier notes what this one server says of its certificate.
    fn for_one_connection(&self, may_http2: bool) -> (ClientConfig, Staple) {
        let mut config = self.config.clone();
        let staple = Staple::default();
        let verifier = self.verifier.noting(&staple);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        if may_http2 && self.offers_http2 {
            config.alpn_protocols = HTTP_2_OR_1.map(<[u8]>::to_vec).to_vec();
        }
        (config, staple)
    }
}

/// Go's own switch; k6 scripts' pipelines use it.
fn is_http2_off(debug: &str) -> bool {
    debug
        .split(',')
        .any(|setting| setting.trim() == "http2client=0")
}

/// Go's order of ciphers, within a version.
const PREFERRED: [&str; 3] = ["AES_128_GCM", "AES_256_GCM", "CHACHA20"];

fn provider(options: &Options) -> Result<CryptoProvider, Failure> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        let name = format!("{:?}", suite.suite());
        let place = PREFERRED.iter().position(|part| name.contains(part));
        (suite.tls13().is_none(), place)
    });
    if let Some(names) = &options.tls_cipher_suites {
        let wanted = |suite: &rustls::SupportedCipherSuite| {
            let name = iana_name(&format!("{:?}", suite.suite()));
            // TLS 1.3 suites are not for choice, as in Go.
            suite.tls13().is_some() || names.contains(&name)
        };
        provider.cipher_suites.retain(wanted);
        let allows_newest = range(options).1 >= 13;
        let has_older = provider
            .cipher_suites
            .iter()
            .any(|suite| suite.tls13().is_none());
        if !allows_newest && !has_older {
            return Err(Failure::new(
                1300,
                "tls: none of the option tlsCipherSuites is supported: only AEAD suites with an ephemeral key exchange are",
            ));
        }
    }
    Ok(provider)
}

/// The lowest and the highest version that the options allow; 12 is TLS 1.2.
fn range(options: &Options) -> (u8, u8) {
    let number = |text: &str, default: u8| match text {
        "tls1.0" => 10,
        "tls1.1" => 11,
        "tls1.2" => 12,
        "tls1.3" => 13,
        _ => default,
    };
    let wanted = options.tls_version.as_ref();
    wanted.map_or((10, 13), |wanted| {
        (number(&wanted.min, 10), number(&wanted.max, 13))
    })
}

fn versions(options: &Options) -> Result<Vec<&'static SupportedProtocolVersion>, Failure> {
    let (min, max) = range(options);
    let no_older_suites = options.tls_cipher_suites.as_ref().is_some_and(|_| {
        provider(options).is_ok_and(|p| p.cipher_suites.iter().all(|s| s.tls13().is_some()))
    });
    let known = [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)];
    let allowed: Vec<_> = known
        .into_iter()
        .filter(|(number, _)| (min..=max).contains(number))
        .filter(|(number, _)| *number != 12 || !no_older_suites)
        .map(|(_, version)| version)
        .collect();
    if allowed.is_empty() {
        return Err(Failure::new(
            1300,
            "tls: the option tlsVersion allows neither TLS 1.2 nor TLS 1.3; older versions are not supported",
        ));
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_engine::options::TlsVersions;

    fn check(min: &str, max: &str, suites: Option<&[&str]>, expected: Option<usize>) {
        let options = Options {
            tls_version: Some(TlsVersions {
                min: min.to_owned(),
                max: max.to_owned(),
            }),
            tls_cipher_suites: suites.map(|all| all.iter().map(|&one| one.to_owned()).collect()),
            ..Options::default()
        };
        let found = provider(&options).and_then(|_| versions(&options));
        assert_eq!(
            found.ok().map(|all| all.len()),
            expected,
            "{min} {max} {suites:?}"
        );
    }

    #[test]
    fn versions_and_suites_are_those_of_the_options_or_an_error() {
        check("", "", None, Some(2));
        check("tls1.3", "", None, Some(1));
        check("tls1.0", "tls1.2", None, Some(1));
        check("", "tls1.1", None, None);
        let weak = ["TLS_RSA_WITH_RC4_128_SHA"];
        check("", "tls1.2", Some(&weak), None);
        check("", "", Some(&weak), Some(1));
        let fine = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
        check("", "tls1.2", Some(&fine), Some(1));
    }

    #[test]
    fn gos_switch_forbids_http2() {
        assert!(is_http2_off("x=1,http2client=0"));
        assert!(!is_http2_off("http2client=1") && !is_http2_off(""));
    }
}
