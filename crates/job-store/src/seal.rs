//! Requests and answers at rest are sealed: a database keeps deleted rows in its free pages and a log keeps
//! commands, so deleting content does not remove it from the disk.
//!
//! XChaCha20-Poly1305, because its nonces are long enough to be random for the lifetime of a key. The purpose
//! of a row is authenticated with it: a row in another one's place does not open.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chacha20poly1305::aead::common::Generate;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use super::job::JobId;
use super::record::Hash;

/// The first byte of a row: what follows is the content itself, or a key's name, a nonce and the sealed
/// content. JSON never begins with it.
const CLEAR: u8 = 0;
const SEALED: u8 = 1;
const NONCE_BYTES: usize = 24;

/// 32 random bytes that seal and open.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// The public name of a key: the beginning of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyName([u8; 4]);

/// The purpose of a sealed row.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A job's payload.
    Payload(JobId),
    /// A job's outcome.
    Outcome(JobId),
    /// The answer to an idempotency key.
    Answer(&'a Hash),
    /// A cache entry.
    Cached(&'a Hash),
    /// The proof that a store and a service have the same key.
    Proof,
}

/// Seals and opens with the keys of one service; without a key everything stays in clear.
#[derive(Clone, Default)]
pub struct Seal {
    /// The first one seals, all open.
    keys: Arc<[(KeyName, XChaCha20Poly1305)]>,
}

/// The reason why a row cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error(
        "it was sealed with key {0}, which this service does not have: add it to \
         orchestration.store_key, or bring back the key file beside the job store"
    )]
    Unknown(KeyName),
    #[error("its seal is not valid: it was modified, or belongs to another entry")]
    Broken,
}

impl Key {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new one, from the system's randomness.
    pub fn generate() -> Self {
        Self(<[u8; 32]>::generate())
    }

    pub fn name(&self) -> KeyName {
        let hash = Sha256::new()
            .chain_update(b"sparring store key")
            .chain_update(self.0);
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        KeyName([a, b, c, d])
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Seal {
    pub fn new(keys: &[Key]) -> Self {
        let cipher = |key: &Key| (key.name(), XChaCha20Poly1305::new((&key.0).into()));
        Self {
            keys: keys.iter().map(cipher).collect(),
        }
    }

    /// Whether it has a key.
    pub fn is_on(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The row for `content`.
    pub fn seal(&self, place: Place, content: &[u8]) -> Vec<u8> {
        let Some((KeyName(name), cipher)) = self.keys.first() else {
            return [&[CLEAR], content].concat();
        };
        let nonce = XNonce::generate();
        let message = Payload {
            msg: content,
            aad: &place.bytes(),
        };
        let sealed = cipher.encrypt(&nonce, message);
        let sealed = sealed.expect("no content is as long as 256 GiB");
        [&[SEALED], name.as_slice(), &nonce, &sealed].concat()
    }

    /// The content of a row. Rows in clear, from before sealing, are read unchanged.
    ///
    /// # Errors
    /// Another key sealed it, or it was modified.
    pub fn open(&self, place: Place, row: &[u8]) -> Result<Bytes, SealError> {
        let sealed = match row.split_first() {
            Some((&CLEAR, content)) => return Ok(Bytes::copy_from_slice(content)),
            Some((&SEALED, sealed)) => sealed,
            _ => return Ok(Bytes::copy_from_slice(row)),
        };
        let (name, sealed) = sealed.split_first_chunk().ok_or(SealError::Broken)?;
        let cipher = self.cipher(KeyName(*name))?;
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Broken)?;
        let message = Payload {
            msg: sealed,
            aad: &place.bytes(),
        };
        let opened = cipher.decrypt(&(*nonce).into(), message);
        opened.map(Bytes::from).map_err(|_| SealError::Broken)
    }

    /// Whether there is a key for a row, without opening it.
    ///
    /// # Errors
    /// There is no key for it.
    pub fn knows(&self, row: &[u8]) -> Result<(), SealError> {
        match row.split_first() {
            Some((&SEALED, sealed)) => {
                let (name, _) = sealed.split_first_chunk().ok_or(SealError::Broken)?;
                self.cipher(KeyName(*name)).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Whether it would seal this row with another key than it was sealed with.
    pub fn is_outdated(&self, row: &[u8]) -> bool {
        let newest = self.keys.first().map(|(KeyName(name), _)| name.as_slice());
        row.get(1..5) != newest
    }

    fn cipher(&self, name: KeyName) -> Result<&XChaCha20Poly1305, SealError> {
        let found = self.keys.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, cipher)| cipher)
            .ok_or(SealError::Unknown(name))
    }
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        let (word, name): (&str, &[u8]) = match &self {
            Self::Payload(id) => ("payload", &id.number().to_be_bytes()),
            Self::Outcome(id) => ("outcome", &id.number().to_be_bytes()),
            Self::Answer(key) => ("answer", key.as_slice()),
            Self::Cached(key) => ("cached", key.as_slice()),
            Self::Proof => ("proof", &[]),
        };
        [word.as_bytes(), b":", name].concat()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.keys.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; 32])
    }

    proptest! {
        #[test]
        fn a_sealed_row_opens_only_unchanged_and_in_its_place(
            content in proptest::collection::vec(any::<u8>(), 0..200),
            change in any::<prop::sample::Index>(),
        ) {
            let (seal, id) = (Seal::new(&[key(1)]), JobId::new());
            let row = seal.seal(Place::Payload(id), &content);
            prop_assert_eq!(&seal.open(Place::Payload(id), &row), &Ok(content.clone().into()));
            let elsewhere = [Place::Outcome(id), Place::Payload(JobId::new()), Place::Proof];
            for place in elsewhere {
                prop_assert_eq!(seal.open(place, &row), Err(SealError::Broken));
            }
            let mut changed = row.clone();
            // All but the first byte, which tells whether it is sealed at all.
            changed[1 + change.index(row.len() - 1)] ^= 1;
            prop_assert!(seal.open(Place::Payload(id), &changed).is_err());
            prop_assert!(seal.open(Place::Payload(id), &row[..row.len() - 1]).is_err());
            if content.len() > 8 {
                prop_assert!(!row.windows(content.len()).any(|part| part == content));
            }
        }
    }

    #[test]
    fn a_new_key_seals_while_the_old_one_still_opens() {
        let old = Seal::new(&[key(1)]);
        let (both, new) = (Seal::new(&[key(2), key(1)]), Seal::new(&[key(2)]));
        let row = old.seal(Place::Proof, b"x");
        assert_eq!(both.open(Place::Proof, &row), Ok("x".into()));
        assert!(both.is_outdated(&row) && !old.is_outdated(&row));
        let unknown = Err(SealError::Unknown(key(1).name()));
        assert_eq!(new.open(Place::Proof, &row), unknown);
        assert_eq!(new.knows(&row), Err(SealError::Unknown(key(1).name())));
        let row = both.seal(Place::Proof, b"y");
        assert_eq!(new.open(Place::Proof, &row), Ok("y".into()));
        assert_ne!(row, both.seal(Place::Proof, b"y"), "each has its own nonce");
    }

    #[test]
    fn without_a_key_rows_are_in_clear_and_can_be_read_with_one() {
        let row = Seal::default().seal(Place::Proof, b"{}");
        for seal in [Seal::default(), Seal::new(&[key(1)])] {
            assert_eq!(seal.open(Place::Proof, &row), Ok("{}".into()));
            assert_eq!(
                seal.open(Place::Proof, b"{}"),
                Ok("{}".into()),
                "an old row"
            );
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = Key::generate();
        let shown = format!("{key:?} {:?}", Seal::new(std::slice::from_ref(&key)));
        assert_eq!(shown, format!("Key({0}) [{0}]", key.name()));
    }
}
