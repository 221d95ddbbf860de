//! Detector servers that misbehave exactly as their profiles say.
//!
//! ```
//! # use mock_detectors::{Config, Fleet};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = serde_json::from_str(r#"{"success_rate": 0.5, "seed": 7}"#)?;
//! let fleet = Fleet::start([Config::new("toxicity", profile)]).await?;
//! let url = fleet.url("toxicity"); // http://127.0.0.1:…/detect
//! fleet.patch("toxicity", &serde_json::json!({"latency": {"constant": {"ms": 5}}}))?;
//! fleet.stop().await;
//! # assert!(url.is_some_and(|url| url.ends_with("/detect")));
//! # Ok(())
//! # }
//! ```

mod admin;
mod alarm;
mod body;
mod carry_out;
mod client;
mod config;
mod connection;
mod control;
mod decision_header;
mod detection;
mod detector;
mod dialect;
mod fleet;
mod gate;
mod handler;
mod journal;
mod lent;
mod metrics;
mod raw;
mod reload;
mod reply;
mod server;
mod stream;
mod tally;
mod timer;
mod tls;
mod visit;

pub use client::{AdminClient, AdminError};
pub use config::{Config, UnknownFailure, failure_of};
pub use control::{Change, InFlight, Refused};
pub use fleet::{Fleet, StartError};
pub use reload::{Reloaded, run_following};
pub use server::{run, run_all};
