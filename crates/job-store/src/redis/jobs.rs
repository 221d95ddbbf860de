//! Jobs that any replica may run: Redis Streams with one consumer group, a stream per urgency.
//!
//! A worker that vanishes stops renewing; after its lease another replica claims the job with a higher epoch.
//! While Redis is unavailable, new jobs go to this replica's own file, and outcomes are sent when it is back.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Component, Maybe, Redis, scripts};
use crate::job::{Job, JobId, JobState, NewJob, Outcome, Return, States, Status};
use crate::seal::{Place, SealError};
use crate::{Config, Embedded, StoreError, embedded};

/// How often an idle worker looks for jobs of other replicas.
const POLL: Duration = Duration::from_millis(100);
/// Maximum size in bytes of the known jobs for times without Redis.
const KNOWN_BYTES: u64 = 64 << 20;
const HIGHEST_URGENCY: u8 = 3;

/// The jobs of all replicas. Clones share it.
#[derive(Clone)]
pub struct SharedJobs {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    local: Embedded,
    config: Config,
    /// This replica's name in the consumer group.
    consumer: String,
    /// Whether `local` survives the process.
    local_survives: bool,
    /// The last state of jobs in Redis that this replica has seen.
    known: Cache<JobId, Status, ByBytes>,
    submitted: Notify,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<JobId, Status> for ByBytes {
    fn weight(&self, _: &JobId, status: &Status) -> u64 {
        512 + status.outcome.as_ref().map_or(0, Bytes::len) as u64
    }
}

/// A job from Redis in the hands of a worker. Dropped without an outcome, it becomes pending again.
pub struct Claim {
    pub job: Job,
    /// The job's payload, unless it cannot be opened.
    pub payload: Result<Bytes, SealError>,
    jobs: SharedJobs,
    held: bool,
}

/// The fields of a job in the order of the scripts' `view`.
type Fields = Vec<Option<Bytes>>;

impl SharedJobs {
    /// `config` is the one of `local`; its limits and times count for Redis too.
    pub fn new(redis: Redis, local: Embedded, config: Config) -> Self {
        let inner = Inner {
            redis,
            local,
            config,
            consumer: Uuid::new_v4().to_string(),
            local_survives: true,
            known: Cache::with_weighter(10_000, KNOWN_BYTES, ByBytes),
            submitted: Notify::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same with `local` only in memory: it accepts no jobs.
    pub fn without_file(mut self) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.local_survives = false;
        }
        self
    }

    /// This replica's own jobs, accepted while Redis was unavailable.
    pub fn local(&self) -> &Embedded {
        &self.inner.local
    }

    /// Adds a job: to Redis, or else to this replica's own file.
    ///
    /// # Errors
    /// [`StoreError::Full`], or an error of the disk.
    pub async fn submit(&self, new: NewJob) -> Result<Job, StoreError> {
        let Inner { redis, config, .. } = &*self.inner;
        if !redis.is_durable() {
            redis.fell_back(Component::Jobs);
            return self.submit_here(new).await;
        }
        let id = JobId::new();
        let limits = &config.limits;
        let arguments = [
            id.to_string().into(),
            Bytes::from(new.request_id.clone()),
            Bytes::from(new.tenant.clone()),
            new.urgency.min(HIGHEST_URGENCY).to_string().into(),
            redis
                .inner
                .seal
                .seal(Place::Payload(id), &new.payload)
                .into(),
            limits.open_jobs.to_string().into(),
            limits.jobs.to_string().into(),
            self.keep_ms().into(),
        ];
        let told: Option<(String, u64)> = redis
            .ask(Component::Jobs, &scripts::SUBMIT, &arguments)
            .await;
        let (what, limit) = match told {
            Some((word, now_ms)) if word == "ok" => {
                let job = Job::new(id, &new, now_ms);
                self.know(job.clone(), None);
                self.inner.submitted.notify_one();
                return Ok(job);
            }
            Some((word, _)) if word == "open" => ("unfinished jobs", limits.open_jobs),
            Some(_) => ("jobs, finished ones included", limits.jobs),
            None => {
                // It may have arrived before the connection broke, but this id was not returned.
                let orphan = vec![id.to_string().into(), Vec::new(), self.keep_ms().into()];
                redis.later(Component::Jobs, &scripts::CANCEL, orphan);
                return self.submit_here(new).await;
            }
        };
        Err(StoreError::Full {
            what,
            limit: limit as u64,
        })
    }

    async fn submit_here(&self, new: NewJob) -> Result<Job, StoreError> {
        if !self.inner.local_survives {
            return Err(StoreError::Away);
        }
        self.inner.local.submit(new).await
    }

    /// Claims a job of any replica, if one waits in Redis.
    pub async fn claim(&self, lease: Duration) -> Option<Claim> {
        let redis = &self.inner.redis;
        if !redis.is_connected() {
            return None;
        }
        let arguments = [
            self.inner.consumer.clone(),
            lease.as_millis().to_string(),
            self.inner.config.max_lost.to_string(),
            self.keep_ms(),
        ];
        let found = redis
            .ask(Component::Jobs, &scripts::CLAIM, &arguments)
            .await;
        let Maybe(found): Maybe<(String, Option<Bytes>, Fields)> = found?;
        let (id, payload, fields) = found?;
        let (job, _) = parse(id.parse().ok()?, &fields)?;
        self.know(job.clone(), None);
        let payload = payload.unwrap_or_default();
        let payload = redis.inner.seal.open(Place::Payload(job.id), &payload);
        let claim = Claim {
            job,
            payload,
            jobs: self.clone(),
            held: true,
        };
        let unknown = claim.payload.as_ref().err().cloned();
        if let Some(error @ SealError::Unknown(_)) = unknown {
            // Returned for a replica that can open it, before the connection is closed.
            claim.give_back(Return::Parked).await;
            redis.is_behind(&error);
            return None;
        }
        Some(claim)
    }

    /// Waits for a job, of this replica's file or of Redis, and claims it. While the file cannot be written,
    /// only jobs from Redis are claimed.
    ///
    /// # Errors
    /// The store is closed.
    pub async fn next(&self, lease: Duration) -> Result<Either, StoreError> {
        loop {
            match self.inner.local.claim(lease).await {
                Ok(Some(claim)) => return Ok(Either::Local(claim)),
                Ok(None) | Err(StoreError::Disk(_)) => {}
                Err(error) => return Err(error),
            }
            if let Some(claim) = self.claim(lease).await {
                return Ok(Either::Shared(claim));
            }
            // After the pause it checks again in any case.
            let _ = timeout(POLL, async {
                tokio::select! {
                    () = self.inner.submitted.notified() => {}
                    _ = self.inner.local.pending() => {}
                }
            })
            .await;
        }
    }

    /// A job of this tenant; `None` stands for every tenant. While Redis is unavailable, as this replica last
    /// saw it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Away`] while Redis is unavailable and this replica has not seen
    /// the job; or an error of the disk.
    pub async fn status(&self, id: JobId, tenant: Option<&str>) -> Result<Status, StoreError> {
        let unread = match self.inner.local.status(id, tenant).await {
            Err(StoreError::NotFound) => None,
            // It may be in Redis nevertheless.
            Err(error @ StoreError::Disk(_)) => Some(error),
            found => return found,
        };
        let missing = || unread.clone().unwrap_or(StoreError::NotFound);
        let name = [id.to_string()];
        let asked = self.inner.redis.ask(Component::Jobs, &scripts::VIEW, &name);
        let status = match asked.await {
            Some(fields) => {
                let fields: Fields = fields;
                let (job, sealed) = parse(id, &fields).ok_or_else(missing)?;
                let seal = &self.inner.redis.inner.seal;
                let open = |sealed: Bytes| seal.open(Place::Outcome(id), &sealed);
                let outcome = sealed.map(open).transpose()?;
                // An outcome that Redis has not received yet is authoritative.
                match self.inner.known.get(&id) {
                    Some(known) if known.job.state.has_ended() && !job.state.has_ended() => known,
                    _ => self.know(job, outcome),
                }
            }
            None => self.inner.known.get(&id).ok_or(StoreError::Away)?,
        };
        Some(status)
            .filter(|status| tenant.is_none_or(|tenant| tenant == status.job.tenant))
            .ok_or(StoreError::NotFound)
    }

    /// Ends a job of this tenant; its worker is told at the next renewal.
    ///
    /// # Errors
    /// As [`Self::status`], and [`StoreError::Ended`].
    pub async fn cancel(&self, id: JobId, tenant: Option<&str>) -> Result<Job, StoreError> {
        let unread = match self.inner.local.cancel(id, tenant).await {
            Err(StoreError::NotFound) => None,
            Err(error @ StoreError::Disk(_)) => Some(error),
            cancelled => return cancelled,
        };
        let arguments = [
            id.to_string(),
            tenant.unwrap_or("").to_owned(),
            self.keep_ms(),
        ];
        let told: Option<(String, Fields)> = self
            .inner
            .redis
            .ask(Component::Jobs, &scripts::CANCEL, &arguments)
            .await;
        let Some((word, fields)) = told else {
            return self.cancel_later(id, tenant);
        };
        refused(&word).map_err(|error| match (error, unread) {
            (StoreError::NotFound, Some(unread)) => unread,
            (error, _) => error,
        })?;
        let (job, _) = parse(id, &fields).ok_or(StoreError::NotFound)?;
        Ok(self.know(job, None).job)
    }

    fn cancel_later(&self, id: JobId, tenant: Option<&str>) -> Result<Job, StoreError> {
        let known = self.inner.known.get(&id).ok_or(StoreError::Away)?;
        let mut job = known.job;
        if tenant.is_some_and(|tenant| tenant != job.tenant) {
            return Err(StoreError::NotFound);
        }
        job.cancel(self.inner.local.now_ms())?;
        let arguments = vec![id.to_string().into(), Vec::new(), self.keep_ms().into()];
        self.inner
            .redis
            .later(Component::Jobs, &scripts::CANCEL, arguments);
        Ok(self.know(job, None).job)
    }

    /// The newest jobs, of a tenant and in a state if these are given; while Redis is unavailable, without
    /// the jobs in Redis.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn list(
        &self,
        tenant: Option<&str>,
        state: Option<JobState>,
    ) -> Result<Vec<Job>, StoreError> {
        let mut found = self.inner.local.list(tenant, state).await?;
        let limit = embedded::MAX_LIST.to_string();
        let arguments = [
            tenant.unwrap_or(""),
            state.map_or("", JobState::name),
            &limit,
        ];
        let shared: Option<Vec<(String, Fields)>> = self
            .inner
            .redis
            .ask(Component::Jobs, &scripts::LIST, &arguments)
            .await;
        let read = |(id, fields): (String, Fields)| parse(id.parse().ok()?, &fields);
        found.extend(
            shared
                .into_iter()
                .flatten()
                .filter_map(read)
                .map(|(job, _)| job),
        );
        found.sort_by_key(|job| Reverse(job.id));
        found.truncate(embedded::MAX_LIST);
        Ok(found)
    }

    /// Jobs by state: this replica's own, and while Redis is connected those of all replicas.
    pub async fn states(&self) -> States {
        let mut states = self.inner.local.states();
        let redis = &self.inner.redis;
        if redis.is_connected() {
            let keep = [self.keep_ms()];
            let told: Option<[usize; JobState::ALL.len()]> =
                redis.ask(Component::Jobs, &scripts::STATES, &keep).await;
            for ((_, count), more) in states.iter_mut().zip(told.unwrap_or_default()) {
                *count += more;
            }
        }
        states
    }

    /// Ends this replica: its name is removed when its last commands are sent.
    pub fn leave(&self) {
        let name = vec![self.inner.consumer.clone().into_bytes()];
        self.inner
            .redis
            .later(Component::Jobs, &scripts::LEAVE, name);
    }

    fn know(&self, job: Job, outcome: Option<Bytes>) -> Status {
        let status = Status { job, outcome };
        self.inner.known.insert(status.job.id, status.clone());
        status
    }

    fn keep_ms(&self) -> String {
        self.inner.config.keep.as_millis().to_string()
    }
}

/// A claim from either place.
#[derive(Debug)]
pub enum Either {
    Local(embedded::Claim),
    Shared(Claim),
}

impl Claim {
    /// Keeps the job for another lease and sets its progress, 0 to 1. While Redis is unavailable the worker
    /// continues: if the job is given away meanwhile, its outcome will not count.
    ///
    /// # Errors
    /// [`StoreError::Ended`]: it was cancelled and has to stop; [`StoreError::Fenced`].
    pub async fn renew(&self, progress: f32) -> Result<(), StoreError> {
        let inner = &self.jobs.inner;
        let [id, epoch] = self.name();
        let arguments = [
            id,
            epoch,
            inner.consumer.clone(),
            progress.clamp(0.0, 1.0).to_string(),
        ];
        let told: Option<String> = inner
            .redis
            .ask(Component::Jobs, &scripts::RENEW, &arguments)
            .await;
        told.map_or(Ok(()), |word| refused(&word))
    }

    /// Ends the job. While Redis is unavailable the outcome waits here, unless another replica was faster.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Fenced`]: this outcome does not count.
    pub async fn finish(mut self, outcome: Outcome) -> Result<Job, StoreError> {
        let (jobs, [id, epoch]) = (self.jobs.clone(), self.name());
        let redis = &jobs.inner.redis;
        let place = Place::Outcome(self.job.id);
        let arguments = vec![
            id.into_bytes(),
            epoch.into_bytes(),
            outcome.state().name().as_bytes().to_vec(),
            redis.inner.seal.seal(place, outcome.body()),
            jobs.keep_ms().into_bytes(),
        ];
        let told: Option<String> = redis
            .ask(Component::Jobs, &scripts::FINISH, &arguments)
            .await;
        self.held = false;
        match told {
            Some(word) => refused(&word)?,
            None => redis.later(Component::Jobs, &scripts::FINISH, arguments),
        }
        let mut job = self.job.clone();
        job.finish(job.epoch, jobs.inner.local.now_ms(), &outcome)?;
        Ok(jobs.know(job, Some(outcome.body().clone())).job)
    }

    /// Returns it at once, or later if Redis is unavailable.
    async fn give_back(mut self, why: Return) {
        let arguments = self.giving_back(why);
        let redis = &self.jobs.inner.redis;
        let told: Option<String> = redis
            .ask(Component::Jobs, &scripts::GIVE_BACK, &arguments)
            .await;
        self.held = told.is_none();
    }

    fn giving_back(&self, why: Return) -> Vec<Vec<u8>> {
        let [id, epoch] = self.name();
        let lost = u8::from(why == Return::Lost).to_string();
        let max_lost = self.jobs.inner.config.max_lost.to_string();
        let arguments = [id, epoch, lost, max_lost, self.jobs.keep_ms()];
        arguments.map(String::into_bytes).to_vec()
    }

    fn name(&self) -> [String; 2] {
        [self.job.id.to_string(), self.job.epoch.to_string()]
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let why = if std::thread::panicking() {
            Return::Lost
        } else {
            Return::Parked
        };
        let arguments = self.giving_back(why);
        self.jobs
            .inner
            .redis
            .later(Component::Jobs, &scripts::GIVE_BACK, arguments);
    }
}

/// Parses a script's result.
fn refused(word: &str) -> Result<(), StoreError> {
    match word {
        "ok" => Ok(()),
        "missing" => Err(StoreError::NotFound),
        "fenced" => Err(StoreError::Fenced),
        ended => Err(state(ended).map_or(StoreError::NotFound, StoreError::Ended)),
    }
}

fn state(name: &str) -> Option<JobState> {
    JobState::ALL.into_iter().find(|state| state.name() == name)
}

/// A job and its outcome; `None` if there is no such job.
fn parse(id: JobId, fields: &Fields) -> Option<(Job, Option<Bytes>)> {
    let text = |place: usize| std::str::from_utf8(fields.get(place)?.as_deref()?).ok();
    let number = |place: usize| text(place)?.parse::<u64>().ok();
    let outcome = fields.get(10).cloned().flatten();
    let job = Job {
        id,
        request_id: text(0)?.to_owned(),
        tenant: text(1)?.to_owned(),
        urgency: text(2)?.parse().ok()?,
        state: state(text(3)?)?,
        progress: text(4)?.parse().ok()?,
        epoch: text(5)?.parse().ok()?,
        lost: text(6)?.parse().ok()?,
        created_at_ms: number(7)?,
        started_at_ms: number(8),
        ended_at_ms: number(9),
        lease_until_ms: None,
        stored_bytes: outcome.as_ref().map_or(0, Bytes::len) as u64,
    };
    Some((job, outcome))
}

impl fmt::Debug for SharedJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedJobs")
            .field("local", &self.inner.local)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    /// Without the payload: it holds content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("job", &self.job)
            .finish_non_exhaustive()
    }
}
