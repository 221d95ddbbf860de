//! Certificates for the server's TLS endpoints, made anew for each run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{KeyLog, RootCertStore, ServerConfig};

/// An authority and its certificates, in a folder that scripts can open.
pub struct Keys {
    folder: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A certificate with its key.
pub struct Pair {
    pub certificate: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

/// The versions and protocols of an endpoint.
#[derive(Default)]
pub struct Wishes {
    pub alpn: &'static [&'static [u8]],
    pub only_tls12: bool,
    pub asks_for_certificate: bool,
    /// The OCSP response for the certificate, as sent with the handshake.
    pub staple: &'static [u8],
    /// The destination of connections' secrets.
    pub log: Option<Arc<dyn KeyLog>>,
}

impl Keys {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "sparring test authority");
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("root.pem"), root.pem()).expect("written");
        let keys = Self {
            folder,
            root: root.der().clone(),
            authority: Issuer::new(params, key),
        };
        keys.write_client();
        keys
    }

    /// The file with the authority's certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The folder of `client.pem` and `client.key`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A certificate for the loopback, signed by the authority.
    pub fn trusted(&self) -> Pair {
        self.issue(names())
    }

    /// The same, long expired.
    pub fn expired(&self) -> Pair {
        let mut params = names();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.issue(params)
    }

    /// A certificate without an authority's signature.
    pub fn unknown() -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = names().self_signed(&key).expect("a certificate");
        pair(certificate.der(), &key)
    }

    fn issue(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.authority).expect("signed");
        pair(certificate.der(), &key)
    }

    fn write_client(&self) {
        let key = KeyPair::generate().expect("a key");
        let certificate = names().signed_by(&key, &self.authority).expect("signed");
        let write = |name: &str, text: String| {
            std::fs::write(self.folder.path().join(name), text).expect("written");
        };
        write("client.pem", certificate.pem());
        write("client.key", key.serialize_pem());
        write("locked.key", locked(&key.serialize_der(), b"open sesame"));
    }

    /// The TLS settings of a server.
    pub fn server(&self, pair: Pair, wishes: &Wishes) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = if wishes.only_tls12 {
            &[&rustls::version::TLS12]
        } else {
            rustls::ALL_VERSIONS
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions that the provider has");
        let builder = if wishes.asks_for_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).expect("a root");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder
            .with_single_cert_with_ocsp(vec![pair.certificate], pair.key, wishes.staple.to_vec())
            .expect("certificate and key fit");
        if let Some(log) = &wishes.log {
            config.key_log = Arc::clone(log);
        }
        config.alpn_protocols = wishes.alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// An encrypted key, in the old PEM format.
fn locked(key: &[u8], password: &[u8]) -> String {
    use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
    use base64::Engine;
    use md5::Digest;
    let vector: [u8; 16] = *b"0123456789abcdef";
    let digest = |before: &[u8]| {
        let parts = [before, password, &vector[..8]].concat();
        md5::Md5::digest(&parts).to_vec()
    };
    let first = digest(&[]);
    let secret = [first.clone(), digest(&first)].concat();
    let encryptor = cbc::Encryptor::<aes::Aes256>::new_from_slices(&secret, &vector);
    let encryptor = encryptor.expect("the lengths are those of AES-256");
    let text = base64::engine::general_purpose::STANDARD
        .encode(encryptor.encrypt_padded_vec::<Pkcs7>(key));
    let hex: String = vector.iter().map(|b| format!("{b:02X}")).collect();
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{hex}\n\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

fn names() -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    CertificateParams::new(names).expect("names")
}

fn pair(certificate: &CertificateDer<'static>, key: &KeyPair) -> Pair {
    Pair {
        certificate: certificate.clone(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    }
}
