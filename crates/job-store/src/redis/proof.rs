//! The check that this service has the key of Redis's contents. Without it, Redis is not used at all: a job
//! that cannot be opened must not be taken from a replica that can open it.

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError};

use super::{Redis, scripts};
use crate::seal::{Place, SealError};

/// The result of checking the proof.
const PROOF: &[u8] = b"sparring";

impl Redis {
    /// Stores a proof of this service's newest key, unless there is one that it cannot open.
    pub(super) async fn prove(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let seal = &self.inner.seal;
        let mut own = Vec::new();
        if seal.is_on() {
            own = seal.seal(Place::Proof, PROOF);
        }
        let mut known = Vec::new();
        loop {
            let mut call = scripts::PROVE.prepare_invoke();
            call.key(&self.inner.config.prefix).arg(&own).arg(&known);
            let found: Vec<u8> = call.invoke_async(connection).await?;
            if found.is_empty() || found == own {
                return Ok(());
            }
            seal.open(Place::Proof, &found).map_err(refused)?;
            if !seal.is_outdated(&found) {
                return Ok(());
            }
            // Now replaced, unless another replica was faster.
            known = found;
        }
    }

    /// Contents may be sealed with a newer key than this service has: it needs that key.
    pub(super) fn is_behind(&self, error: &SealError) {
        if matches!(error, SealError::Unknown(_)) {
            tracing::error!(%error, "Redis contains an entry that cannot be decrypted; Redis is no longer used");
            self.lose(None);
        }
    }
}

fn refused(error: SealError) -> RedisError {
    let what = "an entry in Redis cannot be decrypted";
    RedisError::from((ErrorKind::Client, what, error.to_string()))
}
