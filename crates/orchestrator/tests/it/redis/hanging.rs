//! A Redis that does not respond, or responds late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The limit for a client whose response waits for Redis instead of falling back.
const STUCK: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_waits_for_a_redis_that_hangs() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let one = replica(&a, &redis, |config| {
        if let Some(link) = &mut config.redis {
            link.response_timeout = Duration::from_millis(250);
        }
    })
    .await;
    let one = Arc::new(one);
    one.until_up("cache", 1).await;
    for round in 0..2 {
        redis.signal("STOP");
        // All kinds of requests at once, while it hangs all the time.
        let clients = (0..20).map(|client| {
            let one = one.clone();
            tokio::spawn(async move { all_kinds(&one, &format!("{round}-{client}")).await })
        });
        let clients = futures_util::future::join_all(clients);
        let done = tokio::time::timeout(STUCK, clients).await;
        let done = done.expect("nobody waits for Redis");
        let mut jobs = Vec::new();
        for client in done {
            jobs.push(client.expect("no client saw an error"));
        }
        let ready = one.service.get("/health/ready").await;
        assert_eq!(ready.status, 200, "{}", ready.text);
        assert_eq!(ready.json["dependencies"]["redis"], false);
        assert!(one.fallbacks("cache").await > 0 && one.fallbacks("jobs").await > 0);
        // They are in its own file, so they run although Redis still hangs.
        for place in &jobs {
            assert_eq!(ended(&one, place).await["status"], "completed");
        }
        redis.signal("CONT");
        for component in ["cache", "idempotency", "jobs"] {
            one.until_up(component, 1).await;
        }
        let content = json!({"content": format!("after {round}")});
        assert_eq!(
            one.service
                .orchestrate(content.clone())
                .await
                .header("x-cache"),
            "miss"
        );
        assert_eq!(
            one.service.orchestrate(content).await.header("x-cache"),
            "hit"
        );
    }
}

/// A request, one with a key, and a job whose URL is returned.
async fn all_kinds(replica: &Replica, name: &str) -> String {
    let answer = replica
        .service
        .orchestrate(json!({ "content": name }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = replica
        .keyed(name, &request(json!({ "content": name })))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let job = json!({ "content": name, "processing_mode": "async" });
    let answer = replica.service.orchestrate(job).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.header("location").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_always_late_is_not_used_until_it_is_faster() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (address, delay_ms) = late(&redis).await;
    let a = Detector::start(Act::Clean).await;
    let one = replica(&a, &redis, |config| {
        if let Some(link) = &mut config.redis {
            link.url = format!("redis://{address}");
        }
        config.sla.normal = PATIENCE;
    })
    .await;
    one.until_up("cache", 1).await;
    // Late, but still within the time limit of Redis commands.
    delay_ms.store(1_600, Ordering::Relaxed);
    let begun = std::time::Instant::now();
    for number in 0.. {
        let name = format!("late {number}");
        let (answer, other) = tokio::join!(
            one.service.orchestrate(json!({ "content": name })),
            one.service
                .orchestrate(json!({ "content": format!("{name} too") })),
        );
        assert_eq!((answer.status, other.status), (200, 200), "{}", answer.text);
        let ready = one.service.get("/health/ready").await;
        if ready.json["dependencies"]["redis"] == false {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it asks for ever");
    }
    delay_ms.store(0, Ordering::Relaxed);
    one.until_up("cache", 1).await;
    let content = json!({"content": "again"});
    let first = one.service.orchestrate(content.clone()).await;
    assert_eq!(first.header("x-cache"), "miss");
    let second = one.service.orchestrate(content).await;
    assert_eq!(second.header("x-cache"), "hit");
}

/// A proxy to `redis` that delays each response by this many milliseconds.
async fn late(redis: &Server) -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let target = redis.url().trim_start_matches("redis://").to_owned();
    let delay_ms = Arc::new(AtomicU64::new(0));
    let delay = delay_ms.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (target, delay) = (target.clone(), delay.clone());
            tokio::spawn(async move {
                let server = TcpStream::connect(target).await.expect("it listens");
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::select! {
                    () = copy(from_client, to_server, Arc::default()) => {}
                    () = copy(from_server, to_client, delay) => {}
                }
            });
        }
    });
    (address, delay_ms)
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay_ms: Arc<AtomicU64>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::Relaxed))).await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
