//! The stored record of an idempotency key.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// SHA-256 of tenant and key, or of a body.
pub type Hash = [u8; 32];

/// An answer as it is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    pub status: u16,
    pub body: Bytes,
}

/// An answer with the fingerprint of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub fingerprint: Hash,
    pub answer: StoredResponse,
}

/// The name of a tenant's key, with the tenant's length first so that no two pairs have the same encoding.
pub fn key_hash(tenant: &str, key: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update((tenant.len() as u64).to_le_bytes());
    hash.update(tenant);
    hash.update(key);
    hash.finalize().into()
}

impl Record {
    /// Fingerprint, status, body.
    pub fn to_row(&self) -> Vec<u8> {
        let status = self.answer.status.to_le_bytes();
        [self.fingerprint.as_slice(), &status, &self.answer.body].concat()
    }

    /// `None` when the row is not of this version.
    pub fn from_row(row: &[u8]) -> Option<Self> {
        let (fingerprint, rest) = row.split_first_chunk::<32>()?;
        let (status, body) = rest.split_first_chunk::<2>()?;
        let status = u16::from_le_bytes(*status);
        let answer = StoredResponse {
            status,
            body: Bytes::copy_from_slice(body),
        };
        Some(Self {
            fingerprint: *fingerprint,
            answer,
        })
    }
}
