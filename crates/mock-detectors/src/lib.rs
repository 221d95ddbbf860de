//! Detector servers that misbehave exactly as their profiles specify.
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
mod body;
mod carry_out;
mod config;
mod connection;
mod course;
mod detection;
mod detector;
mod dialect;
mod fleet;
mod handler;
mod history;
mod intake;
mod journal;
mod lent;
mod metrics;
mod raw;
mod reload;
mod reply;
mod server;
mod site;
mod start_error;
mod stream;
mod takeover;
mod tasks;
mod tls;
mod visit;

pub use config::{Config, UnknownFailure, failure_of};
pub use fleet::{ChangeError, Fleet};
pub use live_config::{Change, InFlight, Refused};
pub use reload::{Reloaded, run_following};
pub use server::{Bound, run};
pub use start_error::StartError;
