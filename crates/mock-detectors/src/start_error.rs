//! Reasons why a server cannot start.

use live_config::Invalid;

use crate::tls::TlsError;

/// The reason why detectors could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the profile of {detector} is not valid")]
    Profile { detector: String, source: Invalid },
    #[error("a detector could not get a port, a file or a thread from the system")]
    System(#[from] std::io::Error),
    #[error("the metrics of a detector could not be set up")]
    Metrics(#[from] prometheus::Error),
    #[error("the certificates of a listener could not be created")]
    Tls(#[from] TlsError),
}
