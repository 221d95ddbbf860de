//! TLS: settings of a run, and the handshake.

use std::sync::Arc;

use load_engine::options::Options;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::Counted;
use super::failure::Failure;
use super::network::Network;
use super::reply::TlsInfo;

/// Performs the handshake with `host`.
pub(super) async fn handshake(
    host: &str,
    stream: Counted,
    network: &Network,
) -> Result<TlsStream<Counted>, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::new(1311, "x509: invalid host name"))?;
    let connector = TlsConnector::from(network.tls());
    connector
        .connect(name, stream)
        .await
        .map_err(|error| Failure::handshake(&error))
}

/// What was agreed.
pub(super) fn describe(stream: &TlsStream<Counted>) -> TlsInfo {
    let session = stream.get_ref().1;
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "tls1.2",
        _ => "tls1.3",
    };
    let cipher = session
        .negotiated_cipher_suite()
        .map(|suite| iana_name(&format!("{:?}", suite.suite())));
    TlsInfo {
        version,
        cipher: cipher.unwrap_or_default(),
    }
}

fn iana_name(name: &str) -> String {
    name.replacen("TLS13_", "TLS_", 1)
}

/// The client settings that the options ask for.
pub(super) fn config(options: &Options) -> ClientConfig {
    let provider = Arc::new(provider(options));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder
        .with_protocol_versions(&versions(options))
        .or_else(|_| {
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
        })
        .expect("the default versions suit the default ciphers");
    let mut config = if options.insecure_skip_tls_verify.unwrap_or(false) {
        let verifier = Arc::new(TrustsAll(provider));
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth()
    } else {
        builder
            .with_root_certificates(roots())
            .with_no_client_auth()
    };
    config.resumption = rustls::client::Resumption::disabled();
    if std::env::var_os("SSLKEYLOGFILE").is_some() {
        config.key_log = Arc::new(rustls::KeyLogFile::new());
    }
    config
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn provider(options: &Options) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(names) = &options.tls_cipher_suites {
        let wanted = |suite: &rustls::SupportedCipherSuite| {
            let name = iana_name(&format!("{:?}", suite.suite()));
            // TLS 1.3 suites are not for choice, as in Go.
            suite.tls13().is_some() || names.contains(&name)
        };
        provider.cipher_suites.retain(wanted);
    }
    provider
}

fn versions(options: &Options) -> Vec<&'static SupportedProtocolVersion> {
    let number = |text: &str| match text {
        "tls1.0" => 10,
        "tls1.1" => 11,
        "tls1.2" => 12,
        _ => 13,
    };
    let (min, max) = match &options.tls_version {
        Some(versions) => (
            if versions.min.is_empty() {
                10
            } else {
                number(&versions.min)
            },
            if versions.max.is_empty() {
                13
            } else {
                number(&versions.max)
            },
        ),
        None => (10, 13),
    };
    let known = [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)];
    known
        .into_iter()
        .filter(|(number, _)| (min..=max).contains(number))
        .map(|(_, version)| version)
        .collect()
}

/// `insecureSkipTLSVerify`
#[derive(Debug)]
struct TrustsAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
