//! The page of a run in progress: the charts of the report, rendered on the server and streamed.
//!
//! A [`LiveRun`] holds the measurements in bounded memory; its outputs fill it. A [`Server`] shows the
//! run to browsers: whole pages without JavaScript, otherwise server-sent events. The page
//! never slows the run: it has its own thread, and a slow client is disconnected and counted.

mod config;
mod exceptions;
mod feed;
mod figures;
mod history;
mod live_run;
pub mod locust;
mod measured;
mod open;
mod record;
mod request;
mod routes;
mod server;
mod stream;
mod web_dashboard;

pub use config::{Config, ConfigError};
pub use exceptions::Exceptions;
pub use feed::Feed;
pub use live_run::{LiveRun, Phase, Stage, Task, UserClass};
pub use request::{Tagged, is_beside_the_load, is_probe};
pub use server::{Server, ServerError, Settings};
pub use web_dashboard::WebDashboard;
