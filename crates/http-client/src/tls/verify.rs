//! Verification of a server's certificate in Go's order: dates, name, issuer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::failure::Failure;

/// The OCSP response that a server has stapled to its certificate, if any.
#[derive(Debug, Clone, Default)]
pub(super) struct Staple(Arc<Mutex<Option<Arc<[u8]>>>>);

impl Staple {
    /// The stapled response.
    pub(super) fn take(&self) -> Option<Arc<[u8]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, response: &[u8]) {
        let response = (!response.is_empty()).then(|| Arc::from(response));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = response;
    }
}

/// Verifies certificates, or accepts all of them.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `insecureSkipTLSVerify`
    believes_all: bool,
    staple: Staple,
    /// Trusted certificates, instead of those that the system trusts.
    own: Option<Arc<Trusted>>,
}

/// Certificates that are trusted, and the verifier that uses them.
#[derive(Debug)]
struct Trusted {
    roots: Vec<CertificateDer<'static>>,
    /// `None` when no certificates are trusted.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Trusted {
    fn new(roots: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        Self {
            roots,
            verifier: builder.build().ok(),
        }
    }
}

/// The certificates of authorities in PEM texts; `None` when there are no texts.
///
/// # Errors
/// When a text has no certificate.
pub(super) fn roots(texts: &[String]) -> Result<Option<Vec<CertificateDer<'static>>>, Failure> {
    let mut all = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let before = all.len();
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
        all.extend(certificates.filter_map(Result::ok));
        if all.len() == before {
            let why = format!("failed to append ca certificate [{number}] from PEM");
            return Err(Failure::new(Failure::EXCEPTION, why));
        }
    }
    Ok((!texts.is_empty()).then_some(all))
}

/// Read once, since reading takes milliseconds.
fn system(provider: &Arc<CryptoProvider>) -> &'static Trusted {
    static SYSTEM: OnceLock<Trusted> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let roots = rustls_native_certs::load_native_certs().certs;
        Trusted::new(roots, provider)
    })
}

impl Verifier {
    pub(super) fn new(provider: Arc<CryptoProvider>, believes_all: bool) -> Self {
        Self {
            provider,
            believes_all,
            staple: Staple::default(),
            own: None,
        }
    }

    /// The same, trusting these authorities instead of those of the system.
    pub(super) fn believing(self, roots: Vec<CertificateDer<'static>>) -> Self {
        let own = Some(Arc::new(Trusted::new(roots, &self.provider)));
        Self { own, ..self }
    }

    /// The same verifier, which also records the stapled response.
    pub(super) fn noting(&self, staple: &Staple) -> Self {
        Self {
            staple: staple.clone(),
            ..self.clone()
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.staple.put(ocsp_response);
        if self.believes_all {
            return Ok(ServerCertVerified::assertion());
        }
        let trusted = match &self.own {
            Some(own) => own,
            None => system(&self.provider),
        };
        let verified = match &trusted.verifier {
            Some(verifier) => verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let Err(error) = verified else {
            return verified;
        };
        if !is_about_the_issuer(&error) {
            return Err(error);
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        // A trusted root that is used as a server certificate: Go accepts it, and many private hosts work like
        // this.
        if trusted.roots.iter().any(|root| root == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The issuer is unknown, or the certificate is a CA's own, which Go accepts.
fn is_about_the_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            cause.to_string().contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}
