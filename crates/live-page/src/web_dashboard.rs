//! k6's output `web-dashboard`: the page of a script's run.

use std::net::TcpListener;
use std::time::Duration;

use load_engine::log::Logger;
use load_metrics::Sample;
use load_outputs::{Output, OutputError, RunEnd, Setup};
use report::record::LoadModel;

use super::config::Config;
use super::feed::Feed;
use super::live_run::{LiveRun, Stage};
use super::open::open;
use super::record::record;
use super::server::{Server, ServerError, Settings, url};

/// Serves a page while a script runs, and writes the report of it.
pub struct WebDashboard {
    config: Config,
    board: LiveRun,
    feed: Feed,
    /// Consumed when the run starts.
    listener: Option<Result<TcpListener, ServerError>>,
    url: Option<String>,
    server: Option<Server>,
    logger: Logger,
}

impl WebDashboard {
    /// Listens early, so that the run's description includes the port. A port in use does not
    /// prevent the run.
    pub fn new(config: Config, script: &str) -> Self {
        let board = LiveRun::new(script, "");
        let listener = config.port.map(|port| Server::bind(&config.host, port));
        let bound = listener.as_ref().and_then(|bound| bound.as_ref().ok());
        let url = bound.and_then(|listener| Some(url(listener.local_addr().ok()?)));
        Self {
            feed: Feed::of_script(board.clone()),
            config,
            board,
            listener,
            url,
            server: None,
            logger: Logger::silent(),
        }
    }

    /// The URL of the page; `None` if it is not served.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    fn serve(&mut self, listener: Result<TcpListener, ServerError>) -> Result<(), ServerError> {
        let settings = Settings {
            period: self.config.period,
            host: self.config.host.clone(),
            control: None,
        };
        self.server = Some(Server::start(listener?, self.board.clone(), settings)?);
        Ok(())
    }

    fn write_report(&self) -> Result<(), OutputError> {
        let Some(path) = &self.config.export else {
            return Ok(());
        };
        let html = report::page::page_alone(&record(&self.board));
        std::fs::write(path, html).map_err(|source| OutputError::Write {
            target: path.display().to_string(),
            source,
        })
    }
}

impl Output for WebDashboard {
    fn description(&self) -> String {
        match &self.url {
            Some(url) => format!("web-dashboard ({url})"),
            None => "web-dashboard (not served)".to_owned(),
        }
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        self.logger = setup.logger.clone();
        let script = self.board.lock().title.clone();
        self.board.begin(&script, model(setup), Vec::new());
        self.board.set_stage(Stage::Starting);
        self.feed.start(setup)?;
        if let Some(listener) = self.listener.take()
            && let Err(error) = self.serve(listener)
        {
            self.url = None;
            self.logger.warn(&format!(
                "the web dashboard is not served: {error}; the run continues without it"
            ));
        }
        if let Some(url) = self.url.as_ref().filter(|_| self.config.open)
            && let Err(error) = open(url)
        {
            self.logger
                .warn(&format!("no browser can be opened on {url}: {error}"));
        }
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        self.feed.consume(samples)
    }

    fn interval(&self) -> Duration {
        self.feed.interval()
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        self.feed.tick()
    }

    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        self.feed.finish(end)?;
        self.board.set_stage(Stage::Ended);
        if let Some(server) = self.server.take() {
            let dropped = server.dropped_readers();
            server.end();
            if dropped > 0 {
                self.logger.warn(&format!(
                    "{dropped} clients of the web dashboard were too slow and were disconnected"
                ));
            }
        }
        self.write_report()
    }
}

/// A run is open when any of its scenarios has an arrival rate.
fn model(setup: &Setup) -> LoadModel {
    let mut scenarios = setup.options.scenarios().iter();
    match scenarios.any(|scenario| scenario.executor.name().ends_with("arrival-rate")) {
        true => LoadModel::Open,
        false => LoadModel::Closed,
    }
}
