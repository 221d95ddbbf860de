//! The embedded store from the outside.

mod keys;

use tempfile::TempDir;

use bytes::Bytes;

use super::*;
use crate::Outcome;

const LEASE: Duration = Duration::from_secs(60);

fn store(change: impl FnOnce(&mut Config)) -> (TempDir, Embedded) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = Config::new(folder.path().join("jobs.redb"));
    change(&mut config);
    let store = Embedded::open(config).expect("a new file");
    (folder, store)
}

fn job(payload: &str) -> NewJob {
    NewJob {
        request_id: "r".to_owned(),
        tenant: "t".to_owned(),
        urgency: 1,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

fn done(text: &str) -> Outcome {
    Outcome::Completed(Bytes::copy_from_slice(text.as_bytes()))
}

async fn check_state(store: &Embedded, id: JobId, expected: JobState, outcome: Option<&str>) {
    let status = store.status(id, Some("t")).await.expect("it is known");
    let found = status.outcome.as_deref().map(String::from_utf8_lossy);
    assert_eq!((status.job.state, found.as_deref()), (expected, outcome));
}

#[tokio::test]
async fn a_job_is_submitted_claimed_and_finished_once() {
    let (_folder, store) = store(|_| {});
    let submitted = store.submit(job("work")).await.expect("room");
    check_state(&store, submitted.id, JobState::Pending, None).await;
    let claim = store.next(LEASE).await.expect("one is pending");
    assert_eq!(
        (claim.job.id, claim.payload.as_deref()),
        (submitted.id, Ok(b"work".as_ref()))
    );
    claim.renew(0.5).await.expect("held");
    check_state(&store, submitted.id, JobState::Running, None).await;
    assert!(
        store.claim(LEASE).await.expect("it reads").is_none(),
        "given away once"
    );
    claim.finish(done("{}")).await.expect("held");
    check_state(&store, submitted.id, JobState::Completed, Some("{}")).await;
    assert_eq!(
        store.payloads().await.expect("it reads"),
        0,
        "content is kept no longer"
    );
}

#[tokio::test]
async fn urgent_jobs_go_first_then_older_ones() {
    let (_folder, store) = store(|_| {});
    for (name, urgency) in [("a", 1), ("b", 1), ("c", 3), ("d", 0)] {
        store
            .submit(NewJob {
                urgency,
                ..job(name)
            })
            .await
            .expect("room");
    }
    let mut order = String::new();
    while let Some(claim) = store.claim(LEASE).await.expect("it reads") {
        order.push_str(
            std::str::from_utf8(claim.payload.as_deref().expect("it opens")).expect("a letter"),
        );
        claim.finish(done("")).await.expect("held");
    }
    assert_eq!(order, "cabd");
}

#[tokio::test]
async fn a_job_with_an_expired_lease_goes_to_another_worker_and_the_first_is_fenced() {
    let (_folder, store) = store(|_| {});
    let id = store.submit(job("x")).await.expect("room").id;
    let slow = store
        .next(Duration::from_millis(1))
        .await
        .expect("one is pending");
    let second = store.next(LEASE).await.expect("the lease ends by itself");
    assert_eq!((second.job.epoch, second.job.lost), (2, 1));
    assert!(matches!(slow.renew(0.9).await, Err(StoreError::Fenced)));
    assert!(matches!(
        slow.finish(done("slow")).await,
        Err(StoreError::Fenced)
    ));
    second.finish(done("second")).await.expect("held");
    check_state(&store, id, JobState::Completed, Some("second")).await;
}

#[tokio::test]
async fn a_dropped_claim_is_parked_and_does_not_count_as_lost() {
    let (_folder, store) = store(|config| config.max_lost = 1);
    let id = store.submit(job("x")).await.expect("room").id;
    for _ in 0..3 {
        drop(store.next(LEASE).await.expect("pending again"));
    }
    let claim = store.next(LEASE).await.expect("pending again");
    assert_eq!((claim.job.id, claim.job.epoch, claim.job.lost), (id, 4, 0));
}

#[tokio::test]
async fn a_job_that_loses_too_many_workers_is_given_up() {
    let (folder, first) = store(|config| config.max_lost = 2);
    let id = first.submit(job("poison")).await.expect("room").id;
    first.close().await;
    drop(first);
    for _ in 0..2 {
        let mut config = Config::new(folder.path().join("jobs.redb"));
        config.max_lost = 2;
        let store = Embedded::open(config).expect("the file is free again");
        let claim = store.next(LEASE).await.expect("pending");
        // The store closes before the claim is dropped, as if the process had been killed.
        store.close().await;
        drop(claim);
    }
    let mut config = Config::new(folder.path().join("jobs.redb"));
    config.max_lost = 2;
    let store = Embedded::open(config).expect("the file is free again");
    check_state(&store, id, JobState::Failed, None).await;
    assert_eq!(store.payloads().await.expect("it reads"), 0);
}

#[tokio::test]
async fn a_cancelled_job_stays_cancelled() {
    let (_folder, store) = store(|_| {});
    let id = store.submit(job("x")).await.expect("room").id;
    let claim = store.next(LEASE).await.expect("one is pending");
    assert!(matches!(
        store.cancel(id, Some("other")).await,
        Err(StoreError::NotFound)
    ));
    store.cancel(id, Some("t")).await.expect("it runs");
    let told = claim.renew(0.1).await;
    assert!(
        matches!(told, Err(StoreError::Ended(JobState::Cancelled))),
        "{told:?}"
    );
    assert!(claim.finish(done("late")).await.is_err());
    check_state(&store, id, JobState::Cancelled, None).await;
    let again = store.cancel(id, None).await;
    assert!(
        matches!(again, Err(StoreError::Ended(JobState::Cancelled))),
        "{again:?}"
    );
}

#[tokio::test]
async fn another_tenants_job_does_not_exist() {
    let (_folder, store) = store(|_| {});
    let id = store.submit(job("x")).await.expect("room").id;
    assert!(matches!(
        store.status(id, Some("other")).await,
        Err(StoreError::NotFound)
    ));
    assert_eq!(
        store.list(Some("other"), None).await.expect("it reads"),
        Vec::new()
    );
    assert_eq!(
        store
            .list(Some("t"), Some(JobState::Pending))
            .await
            .expect("it reads")
            .len(),
        1
    );
    assert_eq!(
        store
            .list(None, Some(JobState::Running))
            .await
            .expect("it reads")
            .len(),
        0
    );
}

#[tokio::test]
async fn a_full_store_refuses_and_names_the_limit() {
    let full = |result: Result<Job, StoreError>| match result {
        Err(StoreError::Full { what, .. }) => what,
        other => panic!("not refused: {other:?}"),
    };
    let (_folder, store) = store(|config| {
        config.limits.open_jobs = 2;
        config.limits.jobs = 3;
        config.limits.bytes = 10;
    });
    assert_eq!(
        full(store.submit(job("12345678901")).await),
        "bytes of requests and results"
    );
    store.submit(job("1")).await.expect("room");
    store.submit(job("2")).await.expect("room");
    assert_eq!(full(store.submit(job("3")).await), "unfinished jobs");
    for _ in 0..2 {
        let claim = store.next(LEASE).await.expect("one is pending");
        claim.finish(done("")).await.expect("held");
    }
    store.submit(job("3")).await.expect("room again");
    assert_eq!(
        full(store.submit(job("4")).await),
        "jobs, finished ones included"
    );
}

#[tokio::test]
async fn an_ended_job_is_deleted_after_its_time() {
    let (_folder, store) = store(|config| config.keep = Duration::from_millis(1));
    let id = store.submit(job("x")).await.expect("room").id;
    let kept = store.submit(job("y")).await.expect("room").id;
    store
        .next(LEASE)
        .await
        .expect("one is pending")
        .finish(done(""))
        .await
        .expect("held");
    while store.status(id, None).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    check_state(&store, kept, JobState::Pending, None).await;
    assert_eq!(store.states()[JobState::Completed as usize].1, 0);
}

#[tokio::test]
async fn a_closed_store_reports_it() {
    let (_folder, store) = store(|_| {});
    store.close().await;
    assert!(matches!(
        store.submit(job("x")).await,
        Err(StoreError::Closed)
    ));
}

#[tokio::test]
async fn a_second_process_cannot_open_the_file() {
    let (folder, _store) = store(|_| {});
    let second = Embedded::open(Config::new(folder.path().join("jobs.redb")));
    assert!(matches!(second, Err(StoreError::Disk(_))), "{second:?}");
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_accepts_nothing_and_is_unhealthy() {
    let quick = |config: &mut Config| {
        config.reopen_pause = (Duration::from_millis(5), Duration::from_millis(20));
    };
    let (folder, store) = store(quick);
    let path = folder.path().join("jobs.redb");
    let away = folder.path().join("away");
    let kept = store.submit(job("kept")).await.expect("room").id;
    assert!(store.is_well());
    std::fs::rename(&path, &away).expect("its own file");
    assert!(!store.is_well(), "before anything is written");
    store
        .submit(job("lost"))
        .await
        .expect_err("nobody would find it");
    std::fs::write(&path, "another file").expect("writable");
    assert!(!store.is_well());
    store
        .submit(job("lost"))
        .await
        .expect_err("it is not the store");
    std::fs::rename(&away, &path).expect("its own file");
    store.well().await.expect("it recovers by itself");
    assert!(store.is_well());
    let status = store.status(kept, Some("t")).await;
    assert_eq!(status.expect("it is there").job.state, JobState::Pending);
    store.submit(job("new")).await.expect("room");
}
