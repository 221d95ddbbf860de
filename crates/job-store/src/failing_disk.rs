//! A disk that fails now and then: every write, sync and growth may end with ENOSPC or EIO. An accepted job
//! still has to end exactly once, a refused one must not run, and the store has to know its own state.
//!
//! `SPARRING_STORE_RUNS` sets the number of runs; a failed one prints its seed, and `SPARRING_STORE_SEED`
//! repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::embedded::Claim;
use super::idempotency::{Begun, Idempotency, StoredResponse};
use super::testing::disk::{Disk, open};
use super::{Embedded, Job, JobId, JobState, NewJob, Outcome, StoreError};

const LEASE: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker that ends its job.
type Finishing = JoinHandle<Result<Job, StoreError>>;

/// One run and its expected result.
struct Run {
    chance: StdRng,
    disk: Disk,
    store: Embedded,
    keys: Idempotency,
    /// Whether the disk works and the store has noticed it: then nothing may fail.
    calm: bool,
    submitted: u32,
    accepted: BTreeMap<JobId, String>,
    refused: BTreeSet<String>,
    cancelled: BTreeSet<JobId>,
    claims: Vec<Claim>,
    /// Claimed jobs.
    busy: BTreeSet<JobId>,
    finishing: Vec<(JobId, String, Finishing)>,
    finished: BTreeMap<JobId, String>,
    /// The number of times the work was done, by key.
    worked: BTreeMap<u8, u32>,
    keeping: Vec<JoinHandle<()>>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = Disk::new(seed);
        let store = open(&disk);
        Self {
            chance: StdRng::seed_from_u64(!seed),
            keys: Idempotency::new(store.clone(), None),
            disk,
            store,
            calm: true,
            submitted: 0,
            accepted: BTreeMap::new(),
            refused: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            claims: Vec::new(),
            busy: BTreeSet::new(),
            finishing: Vec::new(),
            finished: BTreeMap::new(),
            worked: BTreeMap::new(),
            keeping: Vec::new(),
        }
    }

    async fn step(&mut self) {
        match self.chance.random_range(0..100) {
            0..35 => self.submit().await,
            35..55 => self.claim().await,
            55..70 => self.finish(),
            70..75 => self.give_back(),
            75..80 => self.cancel().await,
            80..90 => self.ask_once().await,
            _ => self.change_disk().await,
        }
    }

    async fn change_disk(&mut self) {
        let rates = [0.0, 0.02, 0.1, 0.5, 1.0];
        let rate = rates[self.chance.random_range(0..rates.len())];
        self.disk.fail(rate);
        self.calm = rate == 0.0 && !self.writes_in_background();
        if rate == 0.0 {
            self.recovers().await;
        }
    }

    /// Whether a write that began on the broken disk may still fail after the store was seen well.
    fn writes_in_background(&self) -> bool {
        let finishing = self.finishing.iter().any(|(_, _, f)| !f.is_finished());
        finishing || self.keeping.iter().any(|keeping| !keeping.is_finished())
    }

    async fn recovers(&self) {
        let recovered = timeout(PATIENCE, self.store.well()).await;
        recovered.expect("it recovers by itself").expect("open");
    }

    /// A failure has to be that of the disk, and the store has to know it.
    fn check_failure(&self, error: &StoreError) {
        assert!(matches!(error, StoreError::Disk(_)), "{error}");
        assert!(!self.calm, "the disk works");
        if self.disk.rate() == 1.0 {
            assert!(!self.store.is_well(), "it says that it can write");
        }
    }

    async fn submit(&mut self) {
        let count = self.chance.random_range(1..4);
        let payloads: Vec<_> = (0..count)
            .map(|_| {
                self.submitted += 1;
                let size = self.chance.random_range(1..3_000);
                format!("{}:{}", self.submitted, "x".repeat(size))
            })
            .collect();
        let submits = payloads.iter().map(|payload| {
            self.store.submit(NewJob {
                request_id: "r".to_owned(),
                tenant: "t".to_owned(),
                urgency: 1,
                payload: Bytes::from(payload.clone()),
            })
        });
        let taken = join_all(submits).await;
        for (payload, taken) in payloads.into_iter().zip(taken) {
            match taken {
                Ok(job) => drop(self.accepted.insert(job.id, payload)),
                Err(error) => {
                    self.check_failure(&error);
                    self.refused.insert(payload);
                }
            }
        }
    }

    async fn claim(&mut self) {
        match self.store.claim(LEASE).await {
            Ok(None) => {}
            Ok(Some(claim)) => {
                let payload = claim.payload.as_deref().expect("it is not sealed");
                let expected = self.accepted.get(&claim.job.id);
                let found = std::str::from_utf8(payload).expect("text");
                assert_eq!(
                    Some(found),
                    expected.map(String::as_str),
                    "what was refused"
                );
                assert!(self.busy.insert(claim.job.id), "another worker has it");
                self.claims.push(claim);
            }
            Err(error) => self.check_failure(&error),
        }
    }

    fn any_claim(&mut self) -> Option<Claim> {
        let count = self.claims.len();
        (count > 0).then(|| self.claims.swap_remove(self.chance.random_range(0..count)))
    }

    fn finish(&mut self) {
        let Some(claim) = self.any_claim() else {
            return;
        };
        let text = format!("result {} of {}", claim.job.epoch, claim.job.id);
        let outcome = Outcome::Completed(Bytes::from(text.clone()));
        let id = claim.job.id;
        let finishing = tokio::spawn(claim.finish(outcome));
        self.finishing.push((id, text, finishing));
    }

    fn give_back(&mut self) {
        if let Some(claim) = self.any_claim() {
            self.busy.remove(&claim.job.id);
        }
    }

    async fn cancel(&mut self) {
        let count = self.accepted.len();
        if count == 0 {
            return;
        }
        let place = self.chance.random_range(0..count);
        let id = *self.accepted.keys().nth(place).expect("that many");
        self.cancelled.insert(id);
        match self.store.cancel(id, None).await {
            Ok(_) | Err(StoreError::Ended(_)) => {}
            Err(error) => self.check_failure(&error),
        }
    }

    /// A request under a key: its work is done once, whatever happens to the answer.
    async fn ask_once(&mut self) {
        let key = self.chance.random_range(0..6_u8);
        let answer = answer(key);
        match self
            .keys
            .begin("t", &key.to_string(), [key; 32], Duration::ZERO)
            .await
        {
            Ok(Begun::Run(mut ticket)) => {
                let worked = self.worked.entry(key).or_default();
                *worked += 1;
                assert_eq!(*worked, 1, "key {key}: it was done before");
                if let Err(error) = ticket.keep(&answer).await {
                    self.check_failure(&error);
                    self.keeping.push(tokio::spawn(ticket.keep_at_last(answer)));
                }
            }
            Ok(Begun::Replay(found)) => assert_eq!(found, answer),
            Ok(Begun::StillRunning) => assert!(self.worked.contains_key(&key)),
            Ok(Begun::Conflict) => panic!("the body is the same"),
            Err(error) => self.check_failure(&error),
        }
    }

    /// The disk works again: everything ends.
    async fn end(mut self) {
        self.disk.fail(0.0);
        self.recovers().await;
        self.calm = true;
        self.settle().await;
        for keeping in std::mem::take(&mut self.keeping) {
            timeout(PATIENCE, keeping)
                .await
                .expect("it is kept")
                .expect("no panic");
        }
        for key in self.worked.keys() {
            let begun = self
                .keys
                .begin("t", &key.to_string(), [*key; 32], Duration::ZERO)
                .await;
            assert!(
                matches!(begun, Ok(Begun::Replay(_))),
                "key {key}: {begun:?}"
            );
        }
        self.submit().await;
        self.drain().await;
        self.check_ends().await;
    }

    /// The power fails while the disk fails at random; earlier replies still hold afterwards.
    async fn end_in_the_dark(mut self, seed: u64) {
        let unsure = !self.store.is_well();
        let disk = self.disk.after_power_cut(seed);
        self.claims.clear();
        for (_, _, finishing) in &self.finishing {
            finishing.abort();
        }
        for keeping in &self.keeping {
            keeping.abort();
        }
        let told = std::mem::take(&mut self.finished);
        self.disk.fail(0.0);
        self.busy.clear();
        self.finishing.clear();
        self.store = open(&disk);
        self.disk = disk;
        self.calm = true;
        for (id, text) in &told {
            let status = self.store.status(*id, None).await.expect("it was accepted");
            assert_eq!(status.outcome.as_deref(), Some(text.as_bytes()), "{id}");
        }
        self.finished = told;
        if unsure {
            // These were not reported as accepted, and no refusal could be written.
            for job in self.store.list(None, None).await.expect("it works") {
                if !self.accepted.contains_key(&job.id) {
                    self.store
                        .cancel(job.id, None)
                        .await
                        .expect("it has not begun");
                    self.cancelled.insert(job.id);
                    self.accepted.insert(job.id, String::new());
                }
            }
        }
        self.drain().await;
        for id in self.accepted.keys() {
            let status = self.store.status(*id, None).await.expect("it was accepted");
            assert!(status.job.state.has_ended(), "{:?}", status.job);
        }
    }

    async fn settle(&mut self) {
        for (id, text, finishing) in std::mem::take(&mut self.finishing) {
            let finished = timeout(PATIENCE, finishing).await;
            match finished.expect("it waits no longer").expect("no panic") {
                Ok(_) => {
                    let before = self.finished.insert(id, text);
                    assert_eq!(before, None, "{id} ended twice");
                }
                Err(StoreError::Ended(JobState::Cancelled)) => {
                    assert!(self.cancelled.contains(&id), "{id}");
                }
                Err(error) => panic!("{id}: {error}"),
            }
            self.busy.remove(&id);
        }
    }

    async fn drain(&mut self) {
        loop {
            self.claim().await;
            if self.claims.is_empty() {
                return;
            }
            while !self.claims.is_empty() {
                self.finish();
            }
            self.settle().await;
        }
    }

    async fn check_ends(&self) {
        for id in self.accepted.keys() {
            let status = self.store.status(*id, None).await.expect("it was accepted");
            let outcome = status.outcome.as_deref().map(String::from_utf8_lossy);
            match status.job.state {
                JobState::Completed => {
                    assert_eq!(
                        outcome.as_deref(),
                        self.finished.get(id).map(String::as_str)
                    );
                }
                JobState::Cancelled => assert!(self.cancelled.contains(id), "{id}"),
                state => panic!("{id} is {state}"),
            }
        }
        let listed = self.store.list(None, None).await.expect("it works");
        let listed: BTreeSet<_> = listed.iter().map(|job| job.id).collect();
        assert_eq!(listed, self.accepted.keys().copied().collect());
    }
}

fn answer(key: u8) -> StoredResponse {
    StoredResponse {
        status: 200,
        body: Bytes::from(format!("answer {key}")),
    }
}

async fn run(seed: u64) -> u64 {
    let mut run = Run::new(seed);
    for _ in 0..run.chance.random_range(5..40) {
        run.step().await;
    }
    let disk = run.disk.clone();
    if run.chance.random_bool(0.25) {
        run.end_in_the_dark(seed).await;
    } else {
        run.end().await;
    }
    disk.failed()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn accepted_jobs_end_once_and_the_store_recovers_whichever_write_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let seeds = match setting("SPARRING_STORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("SPARRING_STORE_RUNS").unwrap_or(200),
    };
    let mut failed = 0;
    for seed in seeds {
        let told = Told(seed);
        failed += runtime.block_on(run(seed));
        drop(told);
    }
    assert!(failed > 0, "no write failed");
}

/// Prints the run's seed when it fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SPARRING_STORE_SEED={} repeats it", self.0);
        }
    }
}
