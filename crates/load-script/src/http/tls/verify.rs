//! Whether a server's certificate is believed, in Go's order: dates, name, issuer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// What a server has stapled to its certificate: an OCSP response, if anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Staple(Arc<Mutex<Option<Arc<[u8]>>>>);

impl Staple {
    /// What was stapled.
    pub(super) fn take(&self) -> Option<Arc<[u8]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, response: &[u8]) {
        let response = (!response.is_empty()).then(|| Arc::from(response));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = response;
    }
}

/// Verifies certificates, or believes all of them.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `insecureSkipTLSVerify`
    believes_all: bool,
    staple: Staple,
}

/// The certificates that the system trusts, and who checks against them.
struct System {
    roots: Vec<CertificateDer<'static>>,
    /// `None` when the system trusts nobody.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

/// Read once: it takes milliseconds.
fn system(provider: &Arc<CryptoProvider>) -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let roots = rustls_native_certs::load_native_certs().certs;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        System {
            roots,
            verifier: builder.build().ok(),
        }
    })
}

impl Verifier {
    pub(super) fn new(provider: Arc<CryptoProvider>, believes_all: bool) -> Self {
        Self {
            provider,
            believes_all,
            staple: Staple::default(),
        }
    }

    /// The same, noting what the server staples.
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
        let system = system(&self.provider);
        let verified = match &system.verifier {
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
        // A root that serves itself: Go believes it, and many a private host works like that.
        if system.roots.iter().any(|root| root == end_entity) {
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

/// Nobody known has issued it, or it is an issuer itself, which Go does not mind.
fn is_about_the_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            cause.to_string().contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}
