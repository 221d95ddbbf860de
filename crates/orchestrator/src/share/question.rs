//! The question of a fan-out, as far as answers depend on it.

use std::sync::Arc;

use job_store::redis::cache::Marks;
use sha2::{Digest, Sha256};

use crate::share::invalidations::InvalidationPoint;
use crate::share::key::Key;

/// The time of a question.
#[derive(Debug, Clone, Default)]
pub struct QuestionTime {
    /// Its position among the invalidations of this replica.
    pub since: InvalidationPoint,
    /// The invalidations of other replicas; `None` without Redis.
    pub marks: Option<Marks>,
}

/// The question of one fan-out: everything that an answer depends on except the detector.
#[derive(Debug, Clone)]
pub struct Question {
    pub tenant: Arc<str>,
    pub bundle: Arc<str>,
    /// The hash of tenant, policy and its version, content type and content.
    pub hash: Key,
    pub asked_at: QuestionTime,
}

impl Question {
    /// The key of one detector's answer; `place` is its place in the plan, and `instance` changes
    /// with every change of the detector.
    pub fn key(&self, place: usize, instance: u64) -> Key {
        let mut hash = Sha256::new().chain_update(self.hash);
        hash.update(instance.to_le_bytes());
        if let Some(marks) = &self.asked_at.marks {
            hash.update(marks.of(place));
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_question_and_instance() {
        let asked = |byte| Question {
            tenant: "t".into(),
            bundle: "b".into(),
            hash: [byte; 32],
            asked_at: QuestionTime::default(),
        };
        let keys = [asked(1).key(0, 1), asked(1).key(0, 2), asked(2).key(0, 1)];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
    }
}
