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
mod attempt;
mod auth;
mod cache;
mod call;
mod conflict;
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
mod replicas;
mod router;
mod run;
mod select;
mod shadow;
mod transport;
mod verdict;

use std::io;

use service_runtime::Shutdown;
use tokio::net::TcpListener;

pub use auth::hash as hash_key;
pub use config::{Config, ConfigError};

/// Serves on `listener` until `shutdown`; running requests end first.
///
/// # Errors
/// The listener broke.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
    let start = shutdown.clone();
    let app = tokio::task::spawn_blocking(move || app::App::new(config, start));
    let app = app
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    app.watch_detectors();
    app.run_jobs();
    let served = service_runtime::serve(listener, router::router(app.clone()), shutdown).await;
    app.tasks.close();
    app.tasks.wait().await;
    app.store.local().close().await;
    served
}
