//! The key that seals a store: created once, required at every start, changed without loss.

use std::path::Path;

use super::*;
use crate::{Key, SealError};

fn open(folder: &Path, keys: &[u8]) -> Result<Embedded, StoreError> {
    let mut config = Config::new(folder.join("jobs.redb"));
    config.keys = keys.iter().map(|byte| Key::new([*byte; 32])).collect();
    Embedded::open(config)
}

async fn close(store: Embedded) {
    store.close().await;
}

fn check_refused(opened: Result<Embedded, StoreError>, key: u8) {
    let name = Key::new([key; 32]).name();
    match opened {
        Err(StoreError::Sealed(SealError::Unknown(found))) => assert_eq!(found, name),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_key_is_changed_without_losing_a_job() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let store = open(folder, &[1]).expect("a new file");
    let first = store.submit(job("one")).await.expect("room").id;
    close(store).await;
    check_refused(open(folder, &[2]), 1);
    check_refused(open(folder, &[2, 3]), 1);

    let store = open(folder, &[2, 1]).expect("both keys are there");
    let second = store.submit(job("two")).await.expect("room").id;
    close(store).await;
    // The store has the proof of the new key, and still contains a job under the old one.
    check_refused(open(folder, &[2]), 1);
    check_refused(open(folder, &[1]), 2);

    let store = open(folder, &[2, 1]).expect("both keys are there");
    for (id, payload) in [(first, "one"), (second, "two")] {
        let claim = store.next(LEASE).await.expect("one is pending");
        assert_eq!(claim.job.id, id);
        assert_eq!(claim.payload.as_deref(), Ok(payload.as_bytes()));
        claim.finish(done("{}")).await.expect("held");
    }
    close(store).await;
    let store = open(folder, &[2]).expect("no job needs the old key");
    check_state(&store, first, JobState::Completed, Some("{}")).await;
}

#[tokio::test]
async fn a_store_creates_its_own_key_and_does_not_start_without_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (folder, file) = (folder.path(), folder.path().join("jobs.redb.key"));
    let store = open(folder, &[]).expect("a new file");
    let id = store.submit(job("one")).await.expect("room").id;
    close(store).await;
    let kept = std::fs::read(&file).expect("the key is beside the store");
    std::fs::remove_file(&file).expect("it is ours");
    for keys in [&[][..], &[1]] {
        let opened = open(folder, keys);
        assert!(matches!(opened, Err(StoreError::Sealed(_))), "{opened:?}");
        assert!(!file.exists(), "a new key would open nothing");
    }
    std::fs::write(&file, kept).expect("it is ours");
    // A configured key takes over; the file opens what it sealed.
    let store = open(folder, &[1]).expect("the file is back");
    let claim = store.next(LEASE).await.expect("one is pending");
    assert_eq!((claim.job.id, claim.payload.is_ok()), (id, true));
    claim.finish(done("{}")).await.expect("held");
    close(store).await;
    std::fs::remove_file(&file).expect("it is ours");
    open(folder, &[1]).expect("the configured key alone will do");
}

#[tokio::test]
async fn rows_from_before_sealing_are_still_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("jobs.redb");
    let (job, id) = (job("{}"), JobId::new());
    {
        let database = Database::create(&path).expect("a new file");
        let transaction = database.begin_write().expect("it writes");
        let mut tables = crate::disk::Tables::open(&transaction).expect("it writes");
        tables.put_job(&Job::new(id, &job, 1)).expect("it writes");
        tables.put_payload(id, b"{}").expect("it writes");
        drop(tables);
        transaction.commit().expect("it writes");
    }
    let store = open(folder.path(), &[]).expect("an older file");
    let claim = store.next(LEASE).await.expect("one is pending");
    assert_eq!(
        (claim.job.id, claim.payload.as_deref()),
        (id, Ok(b"{}".as_slice()))
    );
}

#[tokio::test]
async fn an_answer_under_a_lost_key_is_an_error_and_not_a_new_request() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let record = Record {
        fingerprint: [7; 32],
        answer: crate::idempotency::StoredResponse {
            status: 200,
            body: "{}".into(),
        },
    };
    let store = open(folder, &[1]).expect("a new file");
    store.remember([5; 32], &record).await.expect("it writes");
    assert_eq!(store.answer([5; 32]).await.expect("it reads"), Some(record));
    close(store).await;
    close(open(folder, &[2, 1]).expect("both keys are there")).await;
    let store = open(folder, &[2]).expect("no job needs the old key");
    let answer = store.answer([5; 32]).await;
    assert!(matches!(answer, Err(StoreError::Sealed(_))), "{answer:?}");
}
