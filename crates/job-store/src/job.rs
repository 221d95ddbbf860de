//! A job and its transitions: pending, running, ended; pure, given `now`.
//!
//! A claim gives a job to one worker for a while and raises its epoch. A worker with an older epoch is fenced:
//! the job was given to another one in the meantime.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;

/// A job's name, in the order of submission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// The work and its tenant.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub request_id: String,
    pub tenant: String,
    /// The higher, the sooner it is run.
    pub urgency: u8,
    /// The input of the job; deleted when it ends.
    pub payload: Bytes,
}

/// A job without its payload and its outcome. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub request_id: String,
    pub tenant: String,
    pub urgency: u8,
    pub state: JobState,
    /// 0 to 1; never falls while one worker has the job.
    pub progress: f32,
    /// The number of claims.
    pub epoch: u32,
    /// The number of workers that took it and vanished.
    pub lost: u32,
    pub created_at_ms: u64,
    pub started_at_ms: Option<u64>,
    pub ended_at_ms: Option<u64>,
    /// The end of the lease of a running job.
    pub lease_until_ms: Option<u64>,
    /// Payload, later outcome.
    pub stored_bytes: u64,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The result as JSON.
    Completed(Bytes),
    /// The error as JSON.
    Failed(Bytes),
}

/// A job as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub job: Job,
    /// The result or the error as JSON. A failed job without one was given up because too many workers were
    /// lost.
    pub outcome: Option<Bytes>,
}

/// The reason why a claim ends without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// The worker parks it, for example because the process drains.
    Parked,
    /// The worker vanished: lease over, process killed, task panicked.
    Lost,
}

/// How many jobs are in each state, in the order of [`JobState::ALL`].
pub type States = [(JobState, usize); JobState::ALL.len()];

impl JobState {
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Its name in responses and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl Outcome {
    pub fn state(&self) -> JobState {
        match self {
            Self::Completed(_) => JobState::Completed,
            Self::Failed(_) => JobState::Failed,
        }
    }

    pub fn body(&self) -> &Bytes {
        match self {
            Self::Completed(body) | Self::Failed(body) => body,
        }
    }
}

impl Job {
    pub fn new(id: JobId, new: &NewJob, now_ms: u64) -> Self {
        Self {
            id,
            request_id: new.request_id.clone(),
            tenant: new.tenant.clone(),
            urgency: new.urgency,
            state: JobState::Pending,
            progress: 0.0,
            epoch: 0,
            lost: 0,
            created_at_ms: now_ms,
            started_at_ms: None,
            ended_at_ms: None,
            lease_until_ms: None,
            stored_bytes: new.payload.len() as u64,
        }
    }

    /// Gives a pending job to a worker.
    ///
    /// # Errors
    /// It is not pending.
    pub fn claim(&mut self, now_ms: u64, lease: Duration) -> Result<(), StoreError> {
        match self.state {
            JobState::Pending => {}
            JobState::Running => return Err(StoreError::Fenced),
            ended => return Err(StoreError::Ended(ended)),
        }
        self.state = JobState::Running;
        self.epoch += 1;
        self.progress = 0.0;
        self.started_at_ms.get_or_insert(now_ms);
        self.lease_until_ms = Some(end_of(now_ms, lease));
        Ok(())
    }

    /// The worker is alive: it keeps the job for another lease.
    ///
    /// # Errors
    /// The job has ended or belongs to another worker.
    pub fn renew(
        &mut self,
        epoch: u32,
        now_ms: u64,
        lease: Duration,
        progress: f32,
    ) -> Result<(), StoreError> {
        self.held_by(epoch)?;
        self.progress = self.progress.max(progress.clamp(0.0, 1.0));
        self.lease_until_ms = Some(end_of(now_ms, lease));
        Ok(())
    }

    /// Ends it, once.
    ///
    /// # Errors
    /// The job has ended or belongs to another worker.
    pub fn finish(&mut self, epoch: u32, now_ms: u64, outcome: &Outcome) -> Result<(), StoreError> {
        self.held_by(epoch)?;
        self.end(outcome.state(), now_ms);
        self.progress = 1.0;
        self.stored_bytes = outcome.body().len() as u64;
        Ok(())
    }

    /// Ends it without a result.
    ///
    /// # Errors
    /// The job has ended already.
    pub fn cancel(&mut self, now_ms: u64) -> Result<(), StoreError> {
        if self.state.has_ended() {
            return Err(StoreError::Ended(self.state));
        }
        self.end(JobState::Cancelled, now_ms);
        Ok(())
    }

    /// Takes a running job from its worker: pending again, or failed after `max_lost` workers.
    ///
    /// # Errors
    /// The job has ended or belongs to another worker.
    pub fn give_back(
        &mut self,
        epoch: u32,
        now_ms: u64,
        why: Return,
        max_lost: u32,
    ) -> Result<(), StoreError> {
        self.held_by(epoch)?;
        self.lost += u32::from(why == Return::Lost);
        if self.lost >= max_lost {
            self.end(JobState::Failed, now_ms);
        } else {
            self.state = JobState::Pending;
            self.lease_until_ms = None;
        }
        Ok(())
    }

    fn held_by(&self, epoch: u32) -> Result<(), StoreError> {
        match self.state {
            JobState::Running if self.epoch == epoch => Ok(()),
            JobState::Running | JobState::Pending => Err(StoreError::Fenced),
            ended => Err(StoreError::Ended(ended)),
        }
    }

    fn end(&mut self, state: JobState, now_ms: u64) {
        self.state = state;
        self.ended_at_ms = Some(now_ms);
        self.lease_until_ms = None;
        self.stored_bytes = 0;
    }
}

fn end_of(now_ms: u64, lease: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
}

impl JobId {
    /// A new one, greater than those made before in this process.
    #[expect(
        clippy::new_without_default,
        reason = "a default that differs each time surprises"
    )]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub(super) fn number(self) -> u128 {
        self.0.as_u128()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = StoreError;

    /// An invalid id names no job.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| StoreError::NotFound)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX_LOST: u32 = 3;
    const LEASE: Duration = Duration::from_millis(10);

    /// The steps, in any order; `worker` is one of three that remember their last claim.
    #[derive(Debug, Clone)]
    enum Step {
        Claim { worker: usize },
        Renew { worker: usize, progress: f32 },
        Finish { worker: usize },
        Park { worker: usize },
        LeaseEnds,
        Cancel,
    }

    fn step() -> impl Strategy<Value = Step> {
        let worker = 0..3_usize;
        prop_oneof![
            4 => worker.clone().prop_map(|worker| Step::Claim { worker }),
            3 => (worker.clone(), -1.0_f32..2.0)
                .prop_map(|(worker, progress)| Step::Renew { worker, progress }),
            2 => worker.clone().prop_map(|worker| Step::Finish { worker }),
            2 => worker.prop_map(|worker| Step::Park { worker }),
            3 => Just(Step::LeaseEnds),
            1 => Just(Step::Cancel),
        ]
    }

    /// The holder of the job and whether it has ended, without epochs.
    #[derive(Debug, Default, PartialEq)]
    struct Model {
        holder: Option<usize>,
        lost: u32,
        ended: Option<JobState>,
    }

    impl Model {
        /// Whether the step is allowed; if so it is done.
        fn take(&mut self, step: &Step) -> bool {
            if self.ended.is_some() {
                return false;
            }
            match *step {
                Step::Claim { worker } if self.holder.is_none() => self.holder = Some(worker),
                Step::Renew { worker, .. } if self.holder == Some(worker) => {}
                Step::Finish { worker } if self.holder == Some(worker) => {
                    (self.holder, self.ended) = (None, Some(JobState::Completed));
                }
                Step::Park { worker } if self.holder == Some(worker) => self.holder = None,
                Step::LeaseEnds if self.holder.is_some() => {
                    self.holder = None;
                    self.lost += 1;
                    self.ended = (self.lost == MAX_LOST).then_some(JobState::Failed);
                }
                Step::Cancel => (self.holder, self.ended) = (None, Some(JobState::Cancelled)),
                _ => return false,
            }
            true
        }

        fn state(&self) -> JobState {
            match (self.ended, self.holder) {
                (Some(ended), _) => ended,
                (None, Some(_)) => JobState::Running,
                (None, None) => JobState::Pending,
            }
        }
    }

    proptest! {
        #[test]
        fn a_job_behaves_like_its_model(steps in proptest::collection::vec(step(), 1..60)) {
            let new = NewJob {
                request_id: "r".to_owned(),
                tenant: "t".to_owned(),
                urgency: 0,
                payload: Bytes::from_static(b"content"),
            };
            let (mut job, mut model) = (Job::new(JobId::new(), &new, 0), Model::default());
            // Epoch 0 belongs to no worker.
            let mut epochs = [0; 3];
            for (now_ms, step) in (1..).zip(&steps) {
                let before = job.clone();
                let done = match *step {
                    Step::Claim { worker } => {
                        let claimed = job.claim(now_ms, LEASE);
                        if claimed.is_ok() { epochs[worker] = job.epoch; }
                        claimed
                    }
                    Step::Renew { worker, progress } => {
                        job.renew(epochs[worker], now_ms, LEASE, progress)
                    }
                    Step::Finish { worker } => {
                        job.finish(epochs[worker], now_ms, &Outcome::Completed(Bytes::new()))
                    }
                    Step::Park { worker } => {
                        job.give_back(epochs[worker], now_ms, Return::Parked, MAX_LOST)
                    }
                    Step::LeaseEnds => {
                        job.give_back(job.epoch, now_ms, Return::Lost, MAX_LOST)
                    }
                    Step::Cancel => job.cancel(now_ms),
                };
                prop_assert_eq!(done.is_ok(), model.take(step), "{:?}", step);
                prop_assert_eq!((job.state, job.lost), (model.state(), model.lost));
                if done.is_err() {
                    prop_assert_eq!(&job, &before, "what is refused changes nothing");
                }
                prop_assert!((0.0..=1.0).contains(&job.progress));
                prop_assert_eq!(job.lease_until_ms.is_some(), job.state == JobState::Running);
                prop_assert_eq!(job.ended_at_ms.is_some(), job.state.has_ended());
            }
        }
    }
}
