//! The in-memory index of the embedded store: every job without its payload, in the orders of queries. Rebuilt
//! from disk at the start; the disk is authoritative.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::job::{Job, JobId, JobState};
use super::record::Hash;
use super::{Limits, StoreError};

#[derive(Debug, Default)]
pub(super) struct Index {
    jobs: HashMap<JobId, Job>,
    /// The most urgent first, then the oldest.
    pending: BTreeSet<(Reverse<u8>, JobId)>,
    leases: BTreeSet<(u64, JobId)>,
    ended: BTreeSet<(u64, JobId)>,
    states: [usize; JobState::ALL.len()],
    bytes: u64,
    /// Answers by age, with their size.
    answers: BTreeMap<(u64, Hash), u64>,
    answer_bytes: u64,
}

impl Index {
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Adds or replaces a job.
    pub fn put(&mut self, job: Job) {
        self.remove(job.id);
        match job.state {
            JobState::Pending => {
                self.pending.insert((Reverse(job.urgency), job.id));
            }
            JobState::Running => {
                self.leases
                    .insert((job.lease_until_ms.unwrap_or(0), job.id));
            }
            _ => {
                self.ended.insert((job.ended_at_ms.unwrap_or(0), job.id));
            }
        }
        self.states[job.state as usize] += 1;
        self.bytes += job.stored_bytes;
        self.jobs.insert(job.id, job);
    }

    pub fn remove(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        self.pending.remove(&(Reverse(job.urgency), id));
        self.leases.remove(&(job.lease_until_ms.unwrap_or(0), id));
        self.ended.remove(&(job.ended_at_ms.unwrap_or(0), id));
        self.states[job.state as usize] -= 1;
        self.bytes -= job.stored_bytes;
    }

    /// Jobs in each state, in the order of [`JobState::ALL`].
    pub fn states(&self) -> [usize; JobState::ALL.len()] {
        self.states
    }

    pub fn next_pending(&self) -> Option<&Job> {
        let (_, id) = self.pending.first()?;
        self.jobs.get(id)
    }

    /// A running job with an expired lease.
    pub fn overdue(&self, now_ms: u64) -> Option<&Job> {
        let (until, id) = self.leases.first()?;
        (*until <= now_ms).then(|| self.jobs.get(id))?
    }

    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.leases.iter().filter_map(|(_, id)| self.jobs.get(id))
    }

    /// An ended job whose retention is over.
    pub fn expired(&self, now_ms: u64, keep: Duration) -> Option<JobId> {
        let (ended, id) = self.ended.first()?;
        (ended.saturating_add(keep.as_millis() as u64) <= now_ms).then_some(*id)
    }

    /// The time at which [`Self::overdue`], [`Self::expired`] or [`Self::outdated`] returns something next.
    pub fn next_due_ms(&self, keep: Duration) -> Option<u64> {
        let lease = self.leases.first().map(|(until, _)| *until);
        let ended = self.ended.first().map(|(at, _)| *at);
        let answered = self.answers.first_key_value().map(|((at, _), _)| *at);
        let kept = ended.into_iter().chain(answered);
        let expiry = kept.map(|at| at.saturating_add(keep.as_millis() as u64));
        lease.into_iter().chain(expiry).min()
    }

    pub fn put_answer(&mut self, at_ms: u64, key: Hash, bytes: u64) {
        self.remove_answer(at_ms, key);
        self.answers.insert((at_ms, key), bytes);
        self.answer_bytes += bytes;
    }

    pub fn remove_answer(&mut self, at_ms: u64, key: Hash) {
        self.answer_bytes -= self.answers.remove(&(at_ms, key)).unwrap_or(0);
    }

    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// An answer whose retention is over.
    pub fn outdated(&self, now_ms: u64, keep: Duration) -> Option<(u64, Hash)> {
        let ((at_ms, key), _) = self.answers.first_key_value()?;
        (at_ms.saturating_add(keep.as_millis() as u64) <= now_ms).then_some((*at_ms, *key))
    }

    /// The oldest answer if there are too many.
    pub fn surplus(&self, limits: &Limits) -> Option<(u64, Hash)> {
        let full = self.answers.len() > limits.answers || self.answer_bytes > limits.answer_bytes;
        self.answers
            .first_key_value()
            .filter(|_| full)
            .map(|(oldest, _)| *oldest)
    }

    /// Whether there is room for one more job with a payload of this size.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn has_room(&self, limits: &Limits, payload_bytes: u64) -> Result<(), StoreError> {
        let open = self.pending.len() + self.leases.len();
        let full = |what, limit: u64| Err(StoreError::Full { what, limit });
        if open >= limits.open_jobs {
            return full("unfinished jobs", limits.open_jobs as u64);
        }
        if self.jobs.len() >= limits.jobs {
            return full("jobs, finished ones included", limits.jobs as u64);
        }
        if self.bytes.saturating_add(payload_bytes) > limits.bytes {
            return full("bytes of requests and results", limits.bytes);
        }
        Ok(())
    }
}
