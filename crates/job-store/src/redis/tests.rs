//! Replicas that share one real Redis, and lose it.

mod keys;
mod load;
mod marks;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prometheus::Registry;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::cache::{About, Found, Scope, SharedCache};
use super::jobs::SharedJobs;
use super::{Component, Redis, SharedLimiter};
use crate::idempotency::{Begun, Idempotency, StoredResponse};
use crate::rate_limit::{self, Limiter, Quota};
use crate::testing::redis_server::Server;
use crate::{Claim, Config, Embedded, JobId, JobState, JobStore, Key, NewJob, Outcome, StoreError};

const LEASE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);

/// One replica with everything that can be shared.
struct Replica {
    redis: Redis,
    jobs: JobStore,
    keys: Idempotency,
    cache: SharedCache,
    limiter: SharedLimiter,
    link: JoinHandle<()>,
    _folder: TempDir,
}

impl Replica {
    async fn start(server: &Server) -> Self {
        Self::start_with(server, |_| {}).await
    }

    async fn start_with(server: &Server, change: impl FnOnce(&mut Config)) -> Self {
        let replica = Self::start_unconnected(server, &[1], change);
        until("connected", || replica.redis.is_connected()).await;
        replica
    }

    /// With keys made of these bytes.
    fn start_unconnected(server: &Server, keys: &[u8], change: impl FnOnce(&mut Config)) -> Self {
        let mut redis = super::Config::new(server.url());
        redis.keys = keys.iter().map(|byte| Key::new([*byte; 32])).collect();
        // Long enough for a busy machine.
        redis.response_timeout = Duration::from_secs(3);
        let redis = Redis::new(redis, &Registry::new()).expect("a good URL");
        let link = tokio::spawn(redis.clone().keep_connected());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("jobs.redb"));
        change(&mut config);
        let local = Embedded::open(config.clone()).expect("a new file");
        let quota = rate_limit::Config {
            default: Some(Quota {
                rate_per_s: 0.001,
                burst: 10,
            }),
            endpoints: BTreeMap::new(),
            tenants: BTreeMap::new(),
            max_keys: 100,
        };
        let limiter = Limiter::new(quota, Instant::now());
        Self {
            jobs: JobStore::Shared(SharedJobs::new(redis.clone(), local.clone(), config)),
            keys: Idempotency::new(local, Some(redis.clone())),
            cache: SharedCache::new(redis.clone(), Duration::from_secs(60)),
            limiter: SharedLimiter::new(limiter, Some(redis.clone())),
            redis,
            link,
            _folder: folder,
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.link.abort();
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    until_async(what, || std::future::ready(condition())).await;
}

async fn until_async<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn job(name: &str) -> NewJob {
    NewJob {
        request_id: name.to_owned(),
        tenant: "t".to_owned(),
        urgency: 1,
        payload: Bytes::copy_from_slice(name.as_bytes()),
    }
}

fn done(text: &str) -> Outcome {
    Outcome::Completed(Bytes::copy_from_slice(text.as_bytes()))
}

async fn next(replica: &Replica, lease: Duration) -> Claim {
    replica.jobs.next(lease).await.expect("the disk works")
}

async fn check(replica: &Replica, id: JobId, state: JobState, outcome: Option<&str>) {
    let status = replica
        .jobs
        .status(id, Some("t"))
        .await
        .expect("it is known");
    let found = status.outcome.as_deref().map(String::from_utf8_lossy);
    assert_eq!((status.job.state, found.as_deref()), (state, outcome));
}

#[tokio::test]
async fn replicas_count_a_tenants_requests_together() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let mut remaining = Vec::new();
    for turn in 0..14 {
        let replica = if turn % 2 == 0 { &one } else { &two };
        let decision = replica.limiter.check("/orchestrate", "t").await;
        let decision = decision.expect("there is a quota");
        assert_eq!(decision.allowed, turn < 10, "request {turn}");
        assert_eq!(decision.retry_after.is_zero(), decision.allowed);
        remaining.push(decision.remaining);
    }
    assert_eq!(remaining, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0]);
    assert!(
        one.limiter
            .check("/orchestrate", "u")
            .await
            .is_some_and(|it| it.allowed),
        "another tenant"
    );
}

#[tokio::test]
async fn replicas_share_idempotency_keys() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let wait = PATIENCE;
    let first = one
        .keys
        .begin("t", "k", [1; 32], wait)
        .await
        .expect("the disk works");
    let Begun::Run(mut ticket) = first else {
        panic!("it is new: {first:?}")
    };
    let conflict = two.keys.begin("t", "k", [2; 32], wait).await;
    assert!(matches!(conflict, Ok(Begun::Conflict)), "{conflict:?}");
    let short = two.keys.begin("t", "k", [1; 32], Duration::ZERO).await;
    assert!(matches!(short, Ok(Begun::StillRunning)), "{short:?}");
    let waiting = tokio::spawn({
        let keys = two.keys.clone();
        async move { keys.begin("t", "k", [1; 32], wait).await }
    });
    let answer = StoredResponse {
        status: 200,
        body: "once".into(),
    };
    ticket.keep(&answer).await.expect("the disk works");
    drop(ticket);
    let replayed = waiting.await.expect("no panic").expect("the disk works");
    assert!(
        matches!(&replayed, Begun::Replay(found) if *found == answer),
        "{replayed:?}"
    );
}

#[tokio::test]
async fn an_abandoned_key_is_free_for_the_other_replica() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let ticket = one
        .keys
        .begin("t", "k", [1; 32], PATIENCE)
        .await
        .expect("the disk works");
    assert!(matches!(ticket, Begun::Run(_)));
    drop(ticket);
    let next = two.keys.begin("t", "k", [1; 32], PATIENCE).await;
    assert!(matches!(next, Ok(Begun::Run(_))), "{next:?}");
}

/// A killed replica sends nothing, so its key is held until a little after the request's time limit.
#[tokio::test]
async fn a_killed_replicas_key_is_free_soon() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let time = Duration::from_millis(200);
    let begun = one.keys.begin("t", "k", [1; 32], time).await;
    let Ok(Begun::Run(killed)) = begun else {
        panic!("it is new: {begun:?}")
    };
    std::mem::forget(killed);
    let short = two.keys.begin("t", "k", [1; 32], time).await;
    assert!(matches!(short, Ok(Begun::StillRunning)), "{short:?}");
    let soon = Duration::from_secs(30);
    let next = two.keys.begin("t", "k", [1; 32], soon).await;
    assert!(matches!(next, Ok(Begun::Run(_))), "{next:?}");
}

async fn asked(replica: &Replica, about: About<'_>) -> Found {
    let found = replica.cache.get(&[7; 32], about).await;
    found.expect("Redis is there")
}

/// The entry, if there is one; `None` without Redis, too.
async fn body(replica: &Replica, about: About<'_>) -> Option<Bytes> {
    let found = replica.cache.get(&[7; 32], about).await;
    Some(found?.entry?.0)
}

#[tokio::test]
async fn replicas_share_cache_entries_and_their_invalidation() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let detectors = ["pii", "toxicity"].map(Arc::from);
    let about = About {
        tenant: "t",
        policy: "default",
        detectors: &detectors,
    };
    let scope = Scope::default;
    for (scope, voids) in [
        (
            Scope {
                tenant: Some("t"),
                ..scope()
            },
            true,
        ),
        (
            Scope {
                tenant: Some("u"),
                ..scope()
            },
            false,
        ),
        (
            Scope {
                policy: Some("default"),
                ..scope()
            },
            true,
        ),
        (
            Scope {
                detector: Some("toxicity"),
                ..scope()
            },
            true,
        ),
        (
            Scope {
                detector: Some("other"),
                ..scope()
            },
            false,
        ),
        (
            Scope {
                tenant: Some("t"),
                detector: Some("other"),
                ..scope()
            },
            false,
        ),
        (
            Scope {
                tenant: Some("t"),
                policy: Some("default"),
                detector: Some("pii"),
            },
            true,
        ),
        (scope(), true),
    ] {
        let before = asked(&one, about).await.marks;
        one.cache.put(&[7; 32], &before, b"entry").await;
        assert_eq!(
            body(&two, about).await.as_deref(),
            Some(b"entry".as_slice())
        );
        two.cache.invalidate(scope).await;
        let after = asked(&one, about).await;
        assert!(after.changed, "{scope:?}");
        assert_eq!(after.entry.is_none(), voids, "{scope:?}");
        assert_eq!(after.marks.all() != before.all(), voids, "{scope:?}");
        // An answer to a question from before the invalidation.
        one.cache.put(&[7; 32], &after.marks, b"later").await;
        one.cache.put(&[7; 32], &before, b"late").await;
        let kept = body(&two, about).await.expect("one of them");
        assert_eq!(kept, if voids { "later" } else { "late" }, "{scope:?}");
    }
}

#[tokio::test]
async fn entries_invalidated_while_redis_was_lost_do_not_come_back() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let one = Replica::start(&server).await;
    let about = About {
        tenant: "t",
        policy: "default",
        detectors: &[],
    };
    let before = asked(&one, about).await.marks;
    one.cache.put(&[7; 32], &before, b"entry").await;
    server.stop();
    one.cache
        .invalidate(Scope {
            tenant: Some("t"),
            ..Scope::default()
        })
        .await;
    assert_eq!(body(&one, about).await, None);
    server.start_again();
    until("connected again", || one.redis.is_connected()).await;
    let after = asked(&one, about).await;
    assert!(after.entry.is_none(), "the invalidation came first");
    one.cache.put(&[7; 32], &after.marks, b"new").await;
    assert!(body(&one, about).await.is_some());
}

#[tokio::test]
async fn any_replica_runs_a_job_and_any_returns_its_result() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let id = one.jobs.submit(job("work")).await.expect("room").id;
    assert_eq!(one.jobs.local().states()[0].1, 0, "it is in Redis");
    check(&two, id, JobState::Pending, None).await;
    let claim = next(&two, LEASE).await;
    assert_eq!(
        (claim.job().id, claim.payload().map(AsRef::as_ref)),
        (id, Ok(b"work".as_ref()))
    );
    claim.renew(0.5).await.expect("held");
    let status = one.jobs.status(id, None).await.expect("it is known");
    assert_eq!(
        (status.job.state, status.job.progress),
        (JobState::Running, 0.5)
    );
    claim.finish(done("{}")).await.expect("held");
    check(&one, id, JobState::Completed, Some("{}")).await;
    let other = one.jobs.status(id, Some("other")).await;
    assert!(matches!(other, Err(StoreError::NotFound)), "{other:?}");
    let listed = two
        .jobs
        .list(Some("t"), Some(JobState::Completed))
        .await
        .expect("it reads");
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn urgent_jobs_go_first_in_redis_too() {
    let Some(server) = Server::start() else {
        return;
    };
    let one = Replica::start(&server).await;
    for (name, urgency) in [("a", 1), ("b", 1), ("c", 3), ("d", 0)] {
        one.jobs
            .submit(NewJob {
                urgency,
                ..job(name)
            })
            .await
            .expect("room");
    }
    let mut order = String::new();
    for _ in 0..4 {
        let claim = next(&one, LEASE).await;
        order.push_str(std::str::from_utf8(claim.payload().expect("it opens")).expect("a letter"));
        claim.finish(done("")).await.expect("held");
    }
    assert_eq!(order, "cabd");
}

#[tokio::test]
async fn the_job_of_a_dead_replica_is_finished_by_another_and_only_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    // More than one scan of the pending list returns, most of them alive.
    let mut alive = Vec::new();
    for number in 0..30 {
        one.jobs
            .submit(job(&format!("alive {number}")))
            .await
            .expect("room");
        alive.push(next(&one, LEASE).await);
    }
    let id = one.jobs.submit(job("x")).await.expect("room").id;
    let dead = next(&one, LEASE).await;
    for claim in &alive {
        claim.renew(0.1).await.expect("held");
    }
    let taken = next(&two, Duration::from_secs(2));
    let keep_alive = async {
        loop {
            for claim in &alive {
                claim.renew(0.1).await.expect("held");
            }
        }
    };
    let taken = tokio::select! {
        taken = taken => taken,
        () = keep_alive => unreachable!("it never ends"),
    };
    let job = taken.job().clone();
    assert_eq!((job.id, job.epoch, job.lost), (id, 2, 1));
    assert!(matches!(dead.renew(0.9).await, Err(StoreError::Fenced)));
    assert!(matches!(
        dead.finish(done("dead")).await,
        Err(StoreError::Fenced)
    ));
    taken.finish(done("alive")).await.expect("held");
    check(&one, id, JobState::Completed, Some("alive")).await;
}

#[tokio::test]
async fn jobs_in_redis_are_cancelled_parked_given_up_and_bounded() {
    let Some(server) = Server::start() else {
        return;
    };
    let one = Replica::start_with(&server, |config| {
        config.max_lost = 2;
        config.limits.open_jobs = 1;
    })
    .await;
    let id = one.jobs.submit(job("x")).await.expect("room").id;
    let full = one.jobs.submit(job("y")).await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    drop(next(&one, LEASE).await);
    let claim = next(&one, LEASE).await;
    assert_eq!(
        (claim.job().epoch, claim.job().lost),
        (2, 0),
        "parked, not lost"
    );
    let other = one.jobs.cancel(id, Some("other")).await;
    assert!(matches!(other, Err(StoreError::NotFound)), "{other:?}");
    one.jobs.cancel(id, Some("t")).await.expect("it runs");
    let told = claim.renew(0.5).await;
    assert!(
        matches!(told, Err(StoreError::Ended(JobState::Cancelled))),
        "{told:?}"
    );
    drop(claim);
    check(&one, id, JobState::Cancelled, None).await;

    let poison = one.jobs.submit(job("poison")).await.expect("room again").id;
    let mut lost = vec![next(&one, Duration::from_millis(1)).await];
    lost.push(next(&one, Duration::from_millis(1)).await);
    let JobStore::Shared(shared) = &one.jobs else {
        unreachable!("it was made so")
    };
    until_async("given up", || async {
        assert!(shared.claim(Duration::from_millis(1)).await.is_none());
        one.jobs
            .status(poison, None)
            .await
            .expect("known")
            .job
            .state
            == JobState::Failed
    })
    .await;
}

#[tokio::test]
async fn a_redis_without_persistence_gets_no_jobs() {
    let Some(server) = Server::start_as(false) else {
        return;
    };
    let one = Replica::start(&server).await;
    one.jobs.submit(job("x")).await.expect("room");
    assert_eq!(one.jobs.local().states()[0].1, 1, "it is in the file");
    assert!(!one.redis.is_up(Component::Jobs) && one.redis.is_up(Component::Cache));
    assert_eq!(one.redis.fallbacks(Component::Jobs), 1);
}

#[tokio::test]
async fn an_outcome_from_while_redis_was_lost_is_sent_when_it_is_back() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let (one, two) = (Replica::start(&server).await, Replica::start(&server).await);
    let id = one.jobs.submit(job("x")).await.expect("room").id;
    let claim = next(&one, LEASE).await;
    server.stop();
    claim.renew(0.5).await.expect("it goes on");
    claim.finish(done("{}")).await.expect("it waits here");
    check(&one, id, JobState::Completed, Some("{}")).await;
    let unseen = two.jobs.status(JobId::new(), None).await;
    assert!(
        matches!(unseen, Err(StoreError::Away)),
        "not a lie: {unseen:?}"
    );
    server.start_again();
    until_async("the other replica knows", || async {
        let status = two.jobs.status(id, None).await;
        status.is_ok_and(|status| status.job.state == JobState::Completed)
    })
    .await;
    check(&two, id, JobState::Completed, Some("{}")).await;
}

#[tokio::test]
async fn a_stuck_redis_is_given_up_and_used_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let one = Replica::start(&server).await;
    server.signal("STOP");
    assert!(
        one.limiter
            .check("/", "t")
            .await
            .is_some_and(|it| it.allowed)
    );
    assert!(
        !one.redis.is_connected(),
        "after one time-out nobody waits again"
    );
    assert_eq!(one.redis.fallbacks(Component::RateLimit), 1);
    server.signal("CONT");
    until("connected again", || one.redis.is_connected()).await;
    one.limiter.check("/", "t").await;
    assert!(one.redis.is_up(Component::RateLimit));
    assert_eq!(one.redis.fallbacks(Component::RateLimit), 1);
}
