//! The keys of a store, determined when it is opened and before anything is changed.

use redb::Database;

use crate::seal::{Place, Seal};
use crate::{Config, StoreError, disk, key_file};

/// The result of checking the proof.
const PROOF: &[u8] = b"sparring";

/// The configured keys and the one in the store's key file, which is created if there is no key at all; storage
/// other than a file and without a key stays in clear.
///
/// # Errors
/// [`StoreError::Sealed`]: the store, or a job in it that has not ended, was sealed with a key that
/// is not among them. Nothing was changed then.
pub(super) fn settle(database: &Database, config: &Config) -> Result<Seal, StoreError> {
    let file = Some(&*config.path).filter(|path| !path.as_os_str().is_empty());
    let mut keys = config.keys.clone();
    if let Some(file) = file {
        keys.extend(key_file::read(file)?);
    }
    let proof = disk::proof(database)?;
    if let Some(file) = file
        && keys.is_empty()
        && proof.is_none()
    {
        keys.push(key_file::make(file)?);
    }
    let seal = Seal::new(&keys);
    if let Some(proof) = &proof {
        seal.open(Place::Proof, proof)?;
    }
    for row in disk::payload_heads(database)? {
        seal.knows(&row)?;
    }
    if seal.is_on() && proof.is_none_or(|proof| seal.is_outdated(&proof)) {
        disk::put_proof(database, &seal.seal(Place::Proof, PROOF))?;
    }
    Ok(seal)
}
