//! The page of a run that goes on: the charts of the report, drawn on the server and streamed.
//!
//! A [`LiveRun`] holds what is measured, in bounded memory; its outputs fill it. A [`Server`] shows the
//! board to browsers: whole pages to those without a script, server-sent events to the others. The page
//! never slows the run: it has a thread of its own, and a reader that does not read is dropped and counted.

mod config;
mod feed;
mod figures;
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
pub use feed::Feed;
pub use live_run::{LiveRun, Phase, Stage};
pub use request::{Tagged, is_beside_the_load, is_probe};
pub use server::{Server, ServerError, Settings};
pub use web_dashboard::WebDashboard;
