//! Certificates that a client presents when a server asks for one: the option `tlsAuth`.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use super::pem;
use crate::config::ClientCertificate;
use crate::failure::Failure;

/// The certificates of a run, in the order of the option. The domains do not select among them: k6 gives all of
/// them to Go's client, which considers only what the server accepts.
#[derive(Debug)]
pub(super) struct ClientCertificates(Vec<Candidate>);

#[derive(Debug)]
struct Candidate {
    key: Arc<CertifiedKey>,
    /// The issuers of the chain's certificates, as DER names.
    issuers: Vec<Vec<u8>>,
}

impl ClientCertificates {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// A certificate or key is malformed, or the password is wrong.
    pub(super) fn new(
        all: &[ClientCertificate],
        provider: &CryptoProvider,
    ) -> Result<Self, Failure> {
        let candidates: Result<_, String> = all
            .iter()
            .map(|auth| Candidate::read(auth, provider))
            .collect();
        candidates
            .map(Self)
            .map_err(|why| Failure::new(1300, format!("tls: the option tlsAuth: {why}")))
    }
}

impl Candidate {
    fn read(auth: &ClientCertificate, provider: &CryptoProvider) -> Result<Self, String> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(auth.chain.as_bytes()).collect();
        let chain = chain.map_err(|error| format!("the certificate cannot be read: {error}"))?;
        if chain.is_empty() {
            return Err("there is no certificate in the PEM text".to_owned());
        }
        let issuers = chain.iter().filter_map(issuer).collect();
        let key = pem::private_key(&auth.key, auth.password.as_deref())?;
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| format!("certificate and key do not fit: {error}"))?;
        Ok(Self {
            key: Arc::new(key),
            issuers,
        })
    }

    fn suits(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> bool {
        let can_sign = self.key.key.choose_scheme(schemes).is_some();
        let is_accepted = issuers.is_empty()
            || self
                .issuers
                .iter()
                .any(|one| issuers.contains(&one.as_slice()));
        can_sign && is_accepted
    }
}

fn issuer(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    parsed.tbs_certificate().issuer().to_der().ok()
}

impl ResolvesClientCert for ClientCertificates {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let fit = self
            .0
            .iter()
            .find(|one| one.suits(root_hint_subjects, sigschemes));
        fit.map(|one| Arc::clone(&one.key))
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}
