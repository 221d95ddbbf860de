//! Certificates of a mock's own authority, valid and invalid ones.

use std::sync::Arc;

use fault_profile::Listener;
use fault_profile::connection::Certificate;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::stream::Stream;

/// The reason why a listener's certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("a certificate could not be created; is tls_host a host name?")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS could not be set up")]
    Setup(#[from] rustls::Error),
}

/// TLS for one listener, with each certificate that a profile can ask for.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) authority_pem: String,
    valid: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    wrong_host: Arc<ServerConfig>,
    self_signed: Arc<ServerConfig>,
}

impl Tls {
    /// `None` for a listener without TLS.
    pub(crate) fn of(listener: &Listener) -> Result<Option<Self>, TlsError> {
        let Some(host) = &listener.tls_host else {
            return Ok(None);
        };
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "sparring mock authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let config = |names: &[&str], expired: bool, signed: bool| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names)?;
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, host.as_str());
            if expired {
                params.not_before = date_time_ymd(2019, 1, 1);
                params.not_after = date_time_ymd(2020, 1, 1);
            }
            let key = KeyPair::generate()?;
            let certificate = if signed {
                params.signed_by(&key, &authority)?
            } else {
                params.self_signed(&key)?
            };
            server_config(certificate.der().clone(), &key, listener.http2)
        };
        let hosts = [host.as_str(), "localhost", "127.0.0.1"];
        Ok(Some(Self {
            authority_pem: authority.pem(),
            valid: config(&hosts, false, true)?,
            expired: config(&hosts, true, true)?,
            wrong_host: config(&["another-host.invalid"], false, true)?,
            self_signed: config(&hosts, false, false)?,
        }))
    }

    /// Completes a handshake with this certificate. The `bool` tells whether HTTP/2 was negotiated.
    pub(crate) async fn accept(
        &self,
        tcp: TcpStream,
        certificate: Certificate,
    ) -> Option<(Stream, bool)> {
        let config = match certificate {
            Certificate::Valid => &self.valid,
            Certificate::Expired => &self.expired,
            Certificate::WrongHost => &self.wrong_host,
            Certificate::SelfSigned => &self.self_signed,
        };
        match TlsAcceptor::from(config.clone()).accept(tcp).await {
            Ok(tls) => {
                let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                Some((Stream::Tls(Box::new(tls)), http2))
            }
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake was not completed");
                None
            }
        }
    }
}

fn server_config(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    http2: bool,
) -> Result<Arc<ServerConfig>, TlsError> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    let versions: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    config.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
    Ok(Arc::new(config))
}
