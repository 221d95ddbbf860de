//! The system under test: fans one request out to many detectors and answers in time.
//!
//! A request goes through one file after the other: `intake` and `auth` accept it, `select` plans
//! it, `cache` and `flights` may already have its answer, `fanout` asks every detector through
//! `call`, `answer` attests what they say, `conflict`, `verdict` and `aggregate` make one answer of
//! it. `router` lists what can be called.

pub mod config;
pub mod rate_limit;
pub mod store;

mod aggregate;
mod answer;
mod answers;
mod app;
mod asked;
mod attempt;
mod auth;
mod cache;
mod call;
mod conflict;
mod dialect;
mod endpoint;
mod error;
mod events;
mod failure;
mod fanout;
mod flights;
mod from_fleet;
mod health;
mod intake;
mod jobs;
mod metrics;
mod network;
mod overload;
mod partials;
mod policies;
mod policy;
mod registry;
pub mod reload;
mod replicas;
mod router;
mod run;
mod select;
mod shadow;
mod shared_answers;
mod transport;
mod verdict;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use service_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::time::sleep;

use app::App;

/// How long the last words to Redis may take.
const SETTLING: Duration = Duration::from_secs(2);

pub use auth::hash as hash_key;
pub use config::{Config, ConfigError};
pub use reload::Reload;

/// Serves on `listener` until `shutdown`; running requests end first.
///
/// # Errors
/// The listener broke.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
    run_following(config, None, listener, shutdown).await
}

/// The same; detectors and policies follow their source while it serves.
///
/// # Errors
/// The listener broke.
pub async fn run_following(
    config: Config,
    source: Option<Reload>,
    listener: TcpListener,
    shutdown: Shutdown,
) -> io::Result<()> {
    let start = shutdown.clone();
    let app = tokio::task::spawn_blocking(move || app::App::new(config, start));
    let app = app
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    let link = app.redis.clone().map(|redis| {
        let link = tokio::spawn(redis.clone().keep_connected());
        (redis, link)
    });
    if let Some((redis, _)) = &link {
        redis.first_attempt().await;
    }
    app.watch_detectors();
    app.run_jobs();
    if let Some(source) = source {
        let now = app.config.clone();
        app.tasks.spawn(reload::follow(app.clone(), source, now));
    }
    let served = serve(&app, listener, shutdown).await;
    app.tasks.close();
    app.tasks.wait().await;
    if let Some((redis, link)) = link {
        // Parked jobs go to the other replicas now and not when their leases end.
        let _ = tokio::time::timeout(SETTLING, redis.settled()).await;
        link.abort();
    }
    app.store.local().close().await;
    served
}

/// Serves until shutdown and then for the time of the drain: not ready any more, so that nobody
/// sends what is new, and still there for who has not noticed.
async fn serve(app: &Arc<App>, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
    let closing = Shutdown::new();
    let serving = service_runtime::serve(listener, router::router(app.clone()), closing.clone());
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
