//! Redis stopped and started while clients and workers use it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{PATIENCE, Replica, done, job, next, until, until_async};
use crate::idempotency::{Begun, StoredResponse};
use crate::redis::Component;
use crate::redis::cache::About;
use crate::testing::redis_server::Server;
use crate::{JobId, JobState};

/// The observations of the load's clients.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    requests: AtomicU32,
    accepted: Mutex<Vec<JobId>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stopped_and_started_under_load_costs_no_client_an_error() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let replica = Arc::new(Replica::start(&server).await);
    let load = Arc::new(Load::default());
    let mut tasks = JoinSet::new();
    let mut workers = JoinSet::new();
    for client in 0..4 {
        tasks.spawn(client_of(Arc::clone(&replica), Arc::clone(&load), client));
        workers.spawn(worker_of(Arc::clone(&replica)));
    }
    for _ in 0..3 {
        let seen = load.requests.load(Ordering::Relaxed);
        until("work with Redis", || {
            load.requests.load(Ordering::Relaxed) > seen + 20
        })
        .await;
        let before = Component::ALL.map(|component| replica.redis.fallbacks(component));
        server.stop();
        for (component, before) in Component::ALL.into_iter().zip(before) {
            let fell_back = || replica.redis.fallbacks(component) > before + 5;
            until("work without Redis", fell_back).await;
            assert!(!replica.redis.is_up(component), "{component:?}");
        }
        server.start_again();
        for component in Component::ALL {
            until("used again by itself", || replica.redis.is_up(component)).await;
        }
    }
    load.stop.store(true, Ordering::Relaxed);
    while let Some(client) = tasks.join_next().await {
        client.expect("no client saw an error");
    }
    let accepted = load.accepted.lock().expect("no panic").clone();
    for id in &accepted {
        until_async("every accepted job ends", || async {
            let status = replica.jobs.status(*id, Some("t")).await;
            status.expect("accepted").job.state == JobState::Completed
        })
        .await;
    }
    workers.shutdown().await;
    let other = Replica::start(&server).await;
    for id in &accepted {
        let seen = replica.jobs.status(*id, Some("t")).await.expect("accepted");
        if replica.jobs.local().status(*id, None).await.is_err() {
            let shared = other
                .jobs
                .status(*id, Some("t"))
                .await
                .expect("it is in Redis");
            assert_eq!(seen.outcome, shared.outcome, "one result for everybody");
        }
    }
}

/// All operations that a request may need, one after the other; none may fail.
async fn client_of(replica: Arc<Replica>, load: Arc<Load>, client: u32) {
    let mut number = 0;
    while !load.stop.load(Ordering::Relaxed) {
        number += 1;
        let name = format!("{client}-{number}");
        replica.limiter.check("/orchestrate", &name).await;
        let begun = replica.keys.begin("t", &name, [1; 32], PATIENCE).await;
        let Ok(Begun::Run(mut ticket)) = begun else {
            panic!("{name} is new: {begun:?}")
        };
        let about = About {
            tenant: "t",
            policy: "default",
            detectors: &[],
        };
        let key = crate::record::key_hash("t", &name);
        if let Some(found) = replica.cache.get(&key, about).await {
            replica.cache.put(&key, &found.marks, b"entry").await;
        }
        replica.cache.get(&key, about).await;
        let job = replica.jobs.submit(job(&name)).await.expect("accepted");
        load.accepted.lock().expect("no panic").push(job.id);
        replica
            .jobs
            .status(job.id, Some("t"))
            .await
            .expect("what was accepted is known");
        let answer = StoredResponse {
            status: 202,
            body: name.clone().into(),
        };
        ticket.keep(&answer).await.expect("kept");
        drop(ticket);
        let again = replica.keys.begin("t", &name, [1; 32], PATIENCE).await;
        assert!(
            matches!(&again, Ok(Begun::Replay(found)) if *found == answer),
            "{again:?}"
        );
        load.requests.fetch_add(1, Ordering::Relaxed);
    }
}

async fn worker_of(replica: Arc<Replica>) {
    loop {
        // Short, because the connection may break after Redis assigned a job and before the reply: then the job
        // waits for the end of its lease.
        let claim = next(&replica, Duration::from_secs(2)).await;
        let result = format!("epoch {}", claim.job().epoch);
        // Refused when the lease ended while Redis was away: then another outcome counts.
        let _ = claim.finish(done(&result)).await;
    }
}
