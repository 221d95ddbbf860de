//! TLS: settings of a run, and the handshake.

mod client_certificate;
mod failure;
mod pem;
mod verify;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::config::TlsConfig;
use super::counted::Counted;
use super::environment::Environment;
use super::failure::Failure;
use super::reply::TlsInfo;
use client_certificate::ClientCertificates;
use verify::{Staple, Verifier};

/// The protocols that a client offers, as ALPN names them.
const HTTP_2_OR_1: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS settings of a run.
pub(super) struct Settings {
    config: ClientConfig,
    verifier: Verifier,
    /// `GODEBUG=http2client=0` disables HTTP/2, as in k6.
    offers_http2: bool,
}

/// A stream after the handshake, and the negotiated parameters.
pub(super) struct Secured {
    pub(super) stream: TlsStream<Counted>,
    pub(super) info: TlsInfo,
    pub(super) speaks_http2: bool,
}

/// The protocols that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    /// HTTP/2, or HTTP/1.1 if the server or the settings exclude HTTP/2.
    Any,
    Http2,
}

/// Checks the client certificates, which k6 does before a run.
///
/// # Errors
/// The reason why one of them cannot be used.
pub fn check(config: &TlsConfig) -> Result<(), String> {
    let certificates = &config.client_certificates;
    let checked = ClientCertificates::new(certificates, &ring::default_provider());
    checked.map(drop).map_err(|failure| failure.detail)
}

/// Performs the handshake with `host`.
pub(super) async fn handshake(
    host: &str,
    stream: Counted,
    settings: &Settings,
    offer: Offer,
) -> Result<Secured, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::new(1311, "x509: certificate doesn't match hostname"))?;
    let (config, staple) = settings.for_one_connection(offer);
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
    /// The settings for a configuration.
    ///
    /// # Errors
    /// Nothing that the configuration allows is supported, or a client certificate cannot be read.
    pub(super) fn new(wanted: &TlsConfig, environment: &Environment) -> Result<Self, Failure> {
        let provider = Arc::new(provider(wanted)?);
        let own = verify::roots(&wanted.roots)?;
        let verifier = Verifier::new(Arc::clone(&provider), wanted.accepts_any_server);
        let verifier = match own {
            Some(own) => verifier.believing(own),
            None => verifier,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(wanted)?)
            .map_err(|error| Failure::new(1300, format!("tls: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.clone()));
        let mut config = match wanted.client_certificates.as_slice() {
            [] => builder.with_no_client_auth(),
            certificates => builder.with_client_cert_resolver(Arc::new(ClientCertificates::new(
                certificates,
                &provider,
            )?)),
        };
        config.resumption = rustls::client::Resumption::disabled();
        if environment.logs_keys {
            config.key_log = Arc::new(rustls::KeyLogFile::new());
        }
        Ok(Self {
            config,
            verifier,
            offers_http2: !environment.is_http2_off,
        })
    }

    /// A copy whose verifier records the staple of one server.
    fn for_one_connection(&self, offer: Offer) -> (ClientConfig, Staple) {
        let mut config = self.config.clone();
        let staple = Staple::default();
        let verifier = self.verifier.noting(&staple);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        let offered: &[&[u8]] = match offer {
            Offer::Any if self.offers_http2 => &HTTP_2_OR_1,
            Offer::Http2 => &HTTP_2_OR_1[..1],
            Offer::Any | Offer::Http1 => &[],
        };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        (config, staple)
    }
}

/// Go's order of ciphers, within a version.
const PREFERRED: [&str; 3] = ["AES_128_GCM", "AES_256_GCM", "CHACHA20"];

fn provider(config: &TlsConfig) -> Result<CryptoProvider, Failure> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        let name = format!("{:?}", suite.suite());
        let place = PREFERRED.iter().position(|part| name.contains(part));
        (suite.tls13().is_none(), place)
    });
    if let Some(names) = &config.cipher_suites {
        let wanted = |suite: &rustls::SupportedCipherSuite| {
            let name = iana_name(&format!("{:?}", suite.suite()));
            // TLS 1.3 suites cannot be chosen, as in Go.
            suite.tls13().is_some() || names.contains(&name)
        };
        provider.cipher_suites.retain(wanted);
        let allows_newest = range(config).1 >= 13;
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

/// The lowest and the highest version that are allowed; 12 is TLS 1.2.
fn range(config: &TlsConfig) -> (u8, u8) {
    let number = |text: &str, default: u8| match text {
        "tls1.0" => 10,
        "tls1.1" => 11,
        "tls1.2" => 12,
        "tls1.3" => 13,
        _ => default,
    };
    (
        number(&config.min_version, 10),
        number(&config.max_version, 13),
    )
}

fn versions(config: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, Failure> {
    let (min, max) = range(config);
    let no_older_suites = config.cipher_suites.as_ref().is_some_and(|_| {
        provider(config).is_ok_and(|p| p.cipher_suites.iter().all(|s| s.tls13().is_some()))
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

    fn check(min: &str, max: &str, suites: Option<&[&str]>, expected: Option<usize>) {
        let config = TlsConfig {
            min_version: min.to_owned(),
            max_version: max.to_owned(),
            cipher_suites: suites.map(|all| all.iter().map(|&one| one.to_owned()).collect()),
            ..TlsConfig::default()
        };
        let found = provider(&config).and_then(|_| versions(&config));
        assert_eq!(
            found.ok().map(|all| all.len()),
            expected,
            "{min} {max} {suites:?}"
        );
    }

    #[test]
    fn the_configured_versions_and_suites_are_used_or_an_error() {
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
}
