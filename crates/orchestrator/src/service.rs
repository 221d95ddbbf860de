//! One orchestrator from its start to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use service_runtime::{Serving, Shutdown, Stop, Threads};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::app::App;
use crate::config::Config;
use crate::jobs::worker;
use crate::reload::{self, Reload};
use crate::router::router;

/// The time limit for the last commands to Redis.
const SETTLING: Duration = Duration::from_secs(2);

/// Serves on `listener` until `shutdown`; running requests end first.
///
/// # Errors
/// The listener failed.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
    run_following(config, None, listener, shutdown).await
}

/// The same; detectors and policies follow their source while it serves.
///
/// # Errors
/// The listener failed.
pub async fn run_following(
    config: Config,
    source: Option<Reload>,
    listener: TcpListener,
    shutdown: Shutdown,
) -> io::Result<()> {
    let threads = Threads::start(config.threads, "orchestrator")?;
    let start = shutdown.clone();
    let app = tokio::task::spawn_blocking(move || App::new(config, start));
    let app = app
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    let link = app.jobs.redis.clone().map(|redis| {
        let link = tokio::spawn(redis.clone().keep_connected());
        (redis, link)
    });
    if let Some((redis, _)) = &link {
        redis.first_attempt().await;
    }
    app.catalog.watch_all();
    for _ in 0..app.jobs.workers() {
        app.tasks.spawn(worker::work(app.clone()));
    }
    if let Some(source) = source {
        let now = Config::clone(&app.config);
        app.tasks.spawn(reload::follow(app.clone(), source, now));
    }
    let served = serve(&app, &threads, listener, shutdown).await;
    app.tasks.close();
    app.tasks.wait().await;
    if let Some((redis, link)) = link {
        app.jobs.store.leave();
        // Parked jobs go to other replicas now, not only when their leases expire.
        let _ = tokio::time::timeout(SETTLING, redis.settled()).await;
        link.abort();
    }
    app.jobs.store.local().close().await;
    served
}

/// Serves until shutdown and then for the drain period: not ready, so that load balancers send no new requests,
/// but still serving those that arrive.
async fn serve(
    app: &Arc<App>,
    threads: &Threads,
    listener: TcpListener,
    shutdown: Shutdown,
) -> io::Result<()> {
    let closing = Shutdown::new();
    let serving = Serving {
        head: app.config.limits.head,
        stop: Stop {
            announced: shutdown.clone(),
            closing: closing.clone(),
        },
        threads,
    };
    let serving = service_runtime::serve_within(listener, router(app.clone()), serving);
    let mut serving = pin!(serving);
    let drain = async {
        shutdown.cancelled().await;
        sleep(app.config.drain).await;
    };
    tokio::select! {
        served = &mut serving => served,
        () = drain => {
            closing.cancel();
            serving.await
        }
    }
}
