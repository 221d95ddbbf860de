//! Replicas whose keys are changed while they share jobs.

use super::*;

#[tokio::test]
async fn a_job_under_a_newer_key_is_left_to_a_replica_that_has_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let old = Replica::start(&server).await;
    let first = old.jobs.submit(job("old")).await.expect("room").id;
    let both = Replica::start_unconnected(&server, &[2, 1], |_| {});
    until("connected with the older key", || both.redis.is_connected()).await;
    let second = both.jobs.submit(job("new")).await.expect("room").id;

    // The old one can read its own job, and stops using Redis when it finds the other.
    let claim = next(&old, LEASE).await;
    assert_eq!(claim.job().id, first);
    claim.finish(done("by the old one")).await.expect("held");
    let JobStore::Shared(shared) = &old.jobs else {
        unreachable!("it was made so")
    };
    assert!(shared.claim(LEASE).await.is_none());
    until("gone", || !old.redis.is_connected()).await;

    let claim = next(&both, LEASE).await;
    let given_back = (claim.job().id, claim.job().lost);
    assert_eq!(given_back, (second, 0), "nobody lost it");
    assert_eq!(claim.payload().map(AsRef::as_ref), Ok(b"new".as_ref()));
    claim.finish(done("by the new one")).await.expect("held");
    // A row that the older key sealed is still read by a replica with that key.
    check(&both, first, JobState::Completed, Some("by the old one")).await;

    let new = Replica::start_unconnected(&server, &[2], |_| {});
    until("connected with the new key", || new.redis.is_connected()).await;
    check(&new, second, JobState::Completed, Some("by the new one")).await;
    let unreadable = new.jobs.status(first, None).await;
    assert!(
        matches!(unreadable, Err(StoreError::Sealed(_))),
        "{unreadable:?}"
    );
}
