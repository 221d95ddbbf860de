//! A system behind a socket: the network in real time, its routes, its admin API, its metrics.

mod admin;
mod ahead;
mod answer;
mod clock;
mod declared;
mod docs;
mod entry;
mod exchange;
mod families;
pub mod log;
mod metrics;
mod playing;
mod route;
mod show;
mod socket;
mod token;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fault_profile::listener::Admin;
use live_config::{Control, Invalid};
use serde_json::{Value, json};
use service_runtime::{BindError, Shutdown, api_page};
use simulated_server::{Journal, Simulated, Tally, Timer, expire};
use tokio::net::TcpListener;

use crate::network::{Detail, Network, Reading};
use crate::system::System;
use clock::Clock;
use entry::Entry;
use log::Log;
use metrics::Metrics;
use playing::Playing;
use socket::Rooms;
use token::Tokens;

/// The configuration of a served system.
#[derive(Debug, Clone)]
pub struct Config {
    pub system: System,
    /// Where the admin API is served.
    pub admin: Admin,
    /// Maximum number of requests in the journal.
    pub journal_entries: usize,
    /// Maximum number of inputs in the log; a longer run cannot be recomputed.
    pub log_entries: usize,
    /// The network wakes at most once per this time.
    pub resolution: Duration,
}

impl Config {
    /// The defaults of the command line.
    pub fn new(system: System) -> Self {
        Self {
            system,
            admin: Admin::SamePort,
            journal_entries: 10_000,
            log_entries: 100_000,
            resolution: Duration::from_micros(100),
        }
    }
}

/// The reason why a system cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the system cannot run: {}", .0.join("; "))]
    Problems(Vec<String>),
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("its metrics have conflicting names")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the system cannot be served")]
    Io(#[from] io::Error),
}

/// A system that can be served.
#[derive(Debug)]
pub struct Target {
    control: Arc<Control<Playing>>,
    clock: Arc<Clock>,
    journal: Journal<Entry>,
    tally: Tally,
    tokens: Tokens,
    rooms: Rooms,
    metrics: Metrics,
    admin: Admin,
    resolution: Duration,
}

/// Serves a system until `shutdown`.
///
/// # Errors
/// The system cannot run, or its admin port is in use.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    Target::new(config)?.serve(listener, shutdown).await
}

impl Target {
    /// A system at its time zero.
    ///
    /// # Errors
    /// The system cannot run.
    pub fn new(config: Config) -> Result<Arc<Self>, StartError> {
        let document = config.system.value.clone();
        let name = config.system.document.system.clone();
        let control: Arc<Control<Playing>> = Arc::new(Control::new(&name, document.clone())?);
        let live = control.live();
        let network = network(&live.system).map_err(StartError::Problems)?;
        let log = Log::new(config.log_entries, document);
        let metrics = Metrics::new(&live)?;
        Ok(Arc::new(Self {
            rooms: Rooms::new(metrics.dropped_messages.clone()),
            metrics,
            clock: Arc::new(Clock::new(network, log, control.clone())),
            control,
            journal: Journal::new(config.journal_entries),
            tally: Tally::default(),
            tokens: Tokens::default(),
            admin: config.admin,
            resolution: config.resolution,
        }))
    }

    /// Serves until `shutdown`.
    ///
    /// # Errors
    /// The admin port is in use, or the listener failed.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: Shutdown,
    ) -> Result<(), StartError> {
        let admin = self.bind_admin(listener.local_addr()?.ip()).await?;
        self.serve_with(listener, admin, shutdown).await
    }

    /// Binds the port of the admin API, if it has one of its own.
    ///
    /// # Errors
    /// The port is in use or not permitted.
    pub async fn bind_admin(&self, ip: IpAddr) -> Result<Option<TcpListener>, BindError> {
        let Admin::Port(port) = self.admin else {
            return Ok(None);
        };
        let listener = service_runtime::bind((ip, port).into(), "the admin API").await;
        listener.map(Some)
    }

    /// Serves until `shutdown`, the admin API on the listener of [`Target::bind_admin`].
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve_with(
        self: Arc<Self>,
        listener: TcpListener,
        admin: Option<TcpListener>,
        shutdown: Shutdown,
    ) -> Result<(), StartError> {
        let timer = Timer::start()?;
        let mut router = Router::new()
            .route("/health", get(health))
            .route(
                "/health/live",
                get(|| async { Json(json!({ "status": "alive" })) }),
            )
            .route("/health/ready", get(ready))
            .route("/metrics", get(metrics))
            .route("/openapi.json", get(openapi))
            .route("/", get(index))
            .merge(api_page::routes::<Arc<Self>>(
                &self.control.live().system.document.system,
                "/docs",
                "/openapi.json",
            ))
            .fallback(requested)
            .with_state(self.clone());
        if self.admin == Admin::SamePort {
            router = router.merge(admin::router(self.clone()));
        }
        let admin_stop = shutdown.clone();
        let admin = admin.map(TcpListener::into_std).transpose()?;
        let admin = async {
            if let Some(own) = admin {
                simulated_server::admin::serve(admin::router(self.clone()), own, admin_stop).await;
            }
        };
        let stop = shutdown.clone();
        let serving =
            async { tokio::join!(service_runtime::serve(listener, router, stop), admin).0 };
        let clock = self.clock.clone();
        let never_ends = async {
            tokio::join!(
                clock.drive(timer.clone(), self.resolution),
                self.follow(),
                expire(&self.control, &timer, &shutdown),
            );
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = never_ends => Ok(()),
        }
    }

    /// Applies the document in force to the network even without requests.
    async fn follow(&self) {
        loop {
            let changed = self.control.changed.notified();
            self.clock.obey(&self.control.live());
            changed.await;
        }
    }

    /// The current state of the system.
    pub fn read(&self) -> Reading {
        self.clock.read()
    }

    /// Number of completed requests since the start.
    pub fn answered(&self) -> u64 {
        self.metrics.count()
    }

    /// Whether responses are late: the metric, the header and the admin API call it `degraded`.
    pub fn is_degraded(&self) -> bool {
        self.metrics.is_degraded()
    }

    fn fan_out(&self, endpoint: &str) -> usize {
        let live = self.control.live();
        let document = &live.system.document;
        let hub = document
            .endpoints
            .get(endpoint)
            .and_then(|one| one.socket.as_ref());
        let component = hub.and_then(|name| document.components.get(name));
        component
            .and_then(|component| component.fan_out)
            .map_or(0, |most| most as usize)
    }
}

fn network(system: &System) -> Result<Network, Vec<String>> {
    Network::new(system.plan.as_ref().clone(), Detail::Visits)
}

impl Simulated for Target {
    type Compiled = Playing;
    type Entry = Entry;

    fn control(&self) -> &Control<Playing> {
        &self.control
    }

    fn journal(&self) -> &Journal<Entry> {
        &self.journal
    }

    fn state(&self) -> Value {
        let reading = self.clock.read();
        let live = self.control.live();
        let document = &live.system.document;
        let toggles: serde_json::Map<String, Value> = document
            .toggles
            .iter()
            .map(|(name, toggle)| (name.clone(), json!(toggle.on)))
            .collect();
        json!({
            "system": document.system,
            "simulated": true,
            "revision": live.revision,
            "seed": document.seed,
            "uptime_s": reading.at.as_secs_f64(),
            "in_flight": reading.in_flight,
            "toggles": toggles,
            "instances": show::instances(&reading),
            "stores": show::stores(&reading),
            "pools": show::pools(&reading),
            "recorded": self.journal.recorded(),
            "evicted": self.journal.evicted(),
            "degraded": self.metrics.is_degraded(),
            "lateness": self.metrics.lateness(),
        })
    }

    fn schema(&self) -> Value {
        crate::schema()
    }

    fn begin_anew(&self) {
        self.tally.reset();
        self.tokens.clear();
        self.clock.begin_anew(&self.control.live());
    }
}

type Shared = State<Arc<Target>>;

async fn requested(State(target): Shared, request: Request) -> Response {
    exchange::answer(target, request).await
}

async fn health(State(target): Shared) -> Response {
    let live = target.control.live();
    let reading = target.clock.read();
    let status = show::health(&reading);
    let code = if status == "unhealthy" {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let components = live.system.plan.components.iter().map(|component| {
        let host = &reading.hosts[component.host];
        let up = host.machines.iter().any(|machine| machine.up);
        (
            component.name.to_string(),
            json!(if up { "up" } else { "down" }),
        )
    });
    let components: serde_json::Map<String, Value> = components.collect();
    let body = json!({
        "status": status, "system": live.system.document.system, "components": components,
    });
    (code, Json(body)).into_response()
}

async fn ready(State(target): Shared) -> Response {
    let is_ready = show::health(&target.clock.read()) != "unhealthy";
    let code = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(json!({ "ready": is_ready }))).into_response()
}

async fn metrics(State(target): Shared, headers: HeaderMap) -> Response {
    let reading = target.clock.read();
    let families = target.metrics.gather(&reading, target.control.revision());
    service_runtime::metrics::render_families(&families, &headers)
}

async fn openapi(State(target): Shared) -> Response {
    Json(crate::describe::openapi(
        &target.control.live().system.document,
    ))
    .into_response()
}

async fn index(State(target): Shared) -> Response {
    docs::page(&target.control.live(), &target.admin).into_response()
}
