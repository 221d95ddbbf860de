//! A client that checks certificates.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::probe::{Probe, request};

/// Connects with ALPN; the error is that of the handshake.
pub(crate) async fn connect(
    probe: &Probe,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let pem = probe.authority_pem();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(probe.address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// `POST /detect` over TLS; the bytes and how the connection ended.
pub(crate) async fn detect(probe: &Probe) -> (Vec<u8>, std::io::Result<usize>) {
    let mut stream = connect(probe, &[b"http/1.1"]).await.expect("a handshake");
    let body = serde_json::json!({ "content": "ada@example.org" });
    stream
        .write_all(&request("/detect", &body))
        .await
        .expect("sent");
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (bytes, end)
}
