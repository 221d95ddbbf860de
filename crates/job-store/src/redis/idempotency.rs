//! Idempotency keys that all replicas share.

use std::time::Duration;

use bytes::Bytes;
use redis::{ParsingError, Value};

use super::{Component, Redis, hex, scripts};
use crate::record::{Hash, Record, StoredResponse};
use crate::seal::{Place, SealError};

/// Redis's reply to a request with a key.
#[derive(Debug)]
pub(crate) enum Told {
    Run,
    Conflict,
    Running,
    Replay(StoredResponse),
}

impl Redis {
    /// Registers a request whose answer is due within `lease`, after which a killed replica no longer holds its
    /// keys. `None` while Redis is unavailable.
    ///
    /// # Errors
    /// It was answered, and the answer cannot be opened.
    pub(crate) async fn begin(
        &self,
        key: &Hash,
        fingerprint: &Hash,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<Told>, SealError> {
        let lease_ms = lease.as_millis().to_string();
        let arguments = [hex(key), hex(fingerprint), owner.to_owned(), lease_ms];
        let mut told = self
            .ask(Component::Idempotency, &scripts::BEGIN, &arguments)
            .await;
        if let Some(Told::Replay(answer)) = &mut told {
            let opened = self.inner.seal.open(Place::Answer(key), &answer.body);
            answer.body = opened.inspect_err(|error| self.is_behind(error))?;
        }
        Ok(told)
    }

    /// Stores an answer, later if Redis is unavailable. Returns whether it is stored now.
    pub(crate) async fn answer(
        &self,
        key: &Hash,
        record: &Record,
        owner: &str,
        keep: Duration,
    ) -> bool {
        let arguments = vec![
            hex(key).into_bytes(),
            hex(&record.fingerprint).into_bytes(),
            owner.as_bytes().to_vec(),
            record.answer.status.to_string().into_bytes(),
            self.inner
                .seal
                .seal(Place::Answer(key), &record.answer.body),
            keep.as_millis().to_string().into_bytes(),
        ];
        let kept = self
            .ask::<u8>(Component::Idempotency, &scripts::ANSWER, &arguments)
            .await;
        if kept.is_none() {
            self.later(Component::Idempotency, &scripts::ANSWER, arguments);
        }
        kept.is_some()
    }

    /// The request ends without an answer: the next may run it.
    pub(crate) fn abandon(&self, key: &Hash, owner: &str) {
        let arguments = vec![hex(key).into_bytes(), owner.as_bytes().to_vec()];
        self.later(Component::Idempotency, &scripts::ABANDON, arguments);
    }
}

impl redis::FromRedisValue for Told {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let parts: Vec<Bytes> = redis::from_redis_value(value)?;
        let status = |text: &Bytes| std::str::from_utf8(text).ok()?.parse::<u16>().ok();
        match parts.as_slice() {
            [word] if *word == "run" => Ok(Self::Run),
            [word] if *word == "conflict" => Ok(Self::Conflict),
            [word] if *word == "running" => Ok(Self::Running),
            [word, code, body] if *word == "replay" => {
                let status = status(code).ok_or("a status is a number")?;
                Ok(Self::Replay(StoredResponse {
                    status,
                    body: body.clone(),
                }))
            }
            _ => Err("no answer to an idempotency key".into()),
        }
    }
}
