//! `--web`: the page of a run, with Locust's routes.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use live_page::{Server, ServerError};
use suite::plan::Plan;
use suite::run::{Target, Web};
use tokio_util::sync::CancellationToken;

use crate::terminal::complain;

/// Locust's port.
const DEFAULT: &str = "127.0.0.1:8089";
/// The interval between new figures for readers.
const PERIOD: Duration = Duration::from_secs(2);

/// The page.
#[derive(Debug, Args)]
#[command(next_help_heading = "Page")]
pub struct WebArguments {
    /// Serve a page of the run until it ends, with Locust's routes [default address: 127.0.0.1:8089]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT)]
    web: Option<String>,
    /// Begin only when the page or a POST to /swarm starts the run
    #[arg(long, requires = "web")]
    web_wait: bool,
}

/// An invalid address.
#[derive(Debug, thiserror::Error)]
#[error("--web: `{0}` is not an address; use HOST:PORT, such as 127.0.0.1:8089")]
pub struct BadAddress(String);

/// The page while it is served.
pub struct Served {
    pub web: Web,
    server: Server,
}

impl WebArguments {
    /// # Errors
    /// The address is invalid.
    pub fn check(&self) -> Result<(), BadAddress> {
        match &self.web {
            Some(address) => split(address).map(drop),
            None => Ok(()),
        }
    }

    /// Serves the page if its flag or `wanted` requests it. If its port is in use, a message says so and the run begins
    /// without the page, unless the run has to wait for it.
    ///
    /// # Errors
    /// The run has to wait for the page, which cannot be served.
    pub fn serve(
        &self,
        plan: &Plan,
        target: &dyn Target,
        stop: &CancellationToken,
        wanted: bool,
    ) -> Result<Option<Served>, ServerError> {
        let address = self.web.as_deref().or(wanted.then_some(DEFAULT));
        let Some(Ok((host, port))) = address.map(split) else {
            return Ok(None);
        };
        let web = Web::new(plan, target.base_url(), stop.clone(), self.web_wait);
        let settings = live_page::Settings {
            period: PERIOD,
            host: host.to_owned(),
            control: Some(Arc::new(web.clone())),
        };
        let served = Server::bind(host, port)
            .and_then(|listener| Server::start(listener, web.board.clone(), settings));
        match served {
            Ok(server) => {
                complain!("page: {}", server.url());
                Ok(Some(Served { web, server }))
            }
            Err(error) if self.web_wait => Err(error),
            Err(error) => {
                complain!("warning: the page is not served: {error}; the run continues without it");
                Ok(None)
            }
        }
    }
}

impl Served {
    /// Sends the end of the run to all readers.
    pub fn end(self) {
        match self.server.dropped_readers() {
            0 => {}
            n => complain!("{n} clients of the page were too slow and were disconnected"),
        }
        self.server.end();
    }
}

fn split(address: &str) -> Result<(&str, u16), BadAddress> {
    let bad = || BadAddress(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port = port.parse().map_err(|_| bad())?;
    if host.is_empty() {
        return Err(bad());
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(
            split(super::DEFAULT).expect("an address"),
            ("127.0.0.1", 8089)
        );
        assert_eq!(split("[::1]:0").expect("an address"), ("[::1]", 0));
        for wrong in ["8089", ":8089", "host:", "host:70000"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
