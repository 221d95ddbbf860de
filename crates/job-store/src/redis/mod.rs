//! State that replicas share through Redis: cache, idempotency, rate limits, jobs.
//!
//! Loss of Redis is never an error for a client. Every operation returns `None` at once while there is no
//! connection; the caller then does the same in process or in its own file, which is counted.
//! [`Redis::keep_connected`] restores the connection, and the next operation uses it.

pub mod cache;
mod idempotency;
pub mod jobs;
mod later;
mod proof;
mod rate_limit;
mod scripts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use rand::RngExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, FromRedisValue, InfoDict, RedisError, Script};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::seal::{Key, Seal};
pub(super) use idempotency::Told;
pub use rate_limit::SharedLimiter;

/// The connection is dropped after this number of consecutive slow responses.
const SLOW_IN_A_ROW: u32 = 8;
/// A worker that is silent for this time, and has no job, is removed.
const GONE: Duration = Duration::from_secs(600);

/// The address of Redis, and the time limits.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// `redis://[user:password@]host:port/database`.
    pub url: String,
    /// The keys that seal its content: the first one seals, all open. Without a key, content is in clear.
    pub keys: Vec<Key>,
    /// The prefix of all keys, so that several services can share a server.
    pub prefix: String,
    pub connect_timeout: Duration,
    /// The connection is dropped after this time: a request must not wait for a stuck server. It is also
    /// dropped after several consecutive responses that took almost half of it.
    pub response_timeout: Duration,
    /// The pause between attempts to connect: from the first, doubling, to the second.
    pub pause: (Duration, Duration),
}

/// The component that uses Redis, as in the metrics' label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    Cache,
    Idempotency,
    RateLimit,
    Jobs,
}

/// The connection to one Redis. Clones share it.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: redis::Client,
    seal: Seal,
    config: Config,
    connection: RwLock<Option<Link>>,
    generation: AtomicU64,
    broken: Notify,
    /// Number of consecutive slow responses.
    slow: AtomicU32,
    later: later::Queue,
    /// Whether the server persists its data; see [`Redis::is_durable`].
    durable: AtomicBool,
    up: IntGaugeVec,
    fallbacks: IntCounterVec,
}

#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    /// Prevents a late failure from ending the next connection.
    generation: u64,
}

/// The reason why Redis cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("redis_url is not valid; use redis://host:port")]
    Url(#[source] RedisError),
    #[error("the metrics of the Redis backend cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

impl Config {
    /// The defaults, with the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            keys: Vec::new(),
            prefix: "sparring:".to_owned(),
            connect_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_millis(250),
            pause: (Duration::from_millis(50), Duration::from_secs(2)),
        }
    }
}

impl Config {
    /// The limit for slow responses: a request with several queries would be late.
    fn slow(&self) -> Duration {
        self.response_timeout.mul_f64(0.4)
    }
}

impl Component {
    pub const ALL: [Self; 4] = [Self::Cache, Self::Idempotency, Self::RateLimit, Self::Jobs];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Idempotency => "idempotency",
            Self::RateLimit => "rate_limit",
            Self::Jobs => "jobs",
        }
    }
}

impl Redis {
    /// A link without a connection: spawn [`Self::keep_connected`].
    ///
    /// # Errors
    /// The URL is invalid, or the metrics exist already.
    pub fn new(config: Config, registry: &Registry) -> Result<Self, LinkError> {
        let client = redis::Client::open(config.url.as_str()).map_err(LinkError::Url)?;
        let up = gauges(
            "orchestrator_redis_backend_up",
            "1 while this component's state is shared through Redis, 0 while it is local.",
            &["component"],
        )?;
        let fallbacks = counters(
            "orchestrator_redis_backend_fallback_total",
            "Operations that were local because Redis did not answer.",
            &["component"],
        )?;
        registry.register(Box::new(up.clone()))?;
        registry.register(Box::new(fallbacks.clone()))?;
        for component in Component::ALL {
            up.with_label_values(&[component.name()]).set(0);
            fallbacks.with_label_values(&[component.name()]).inc_by(0);
        }
        let seal = Seal::new(&config.keys);
        if !seal.is_on() {
            tracing::warn!(
                "orchestration.store_key is not set: requests that wait in Redis can be read there \
                 and in its files"
            );
        }
        let inner = Inner {
            client,
            seal,
            config,
            connection: RwLock::new(None),
            generation: Default::default(),
            broken: Notify::new(),
            slow: AtomicU32::new(0),
            later: later::Queue::default(),
            durable: AtomicBool::new(false),
            up,
            fallbacks,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Connects, and reconnects whenever the connection is lost, with growing pauses. Runs until it is
    /// dropped.
    pub async fn keep_connected(self) {
        let (shortest, longest) = self.inner.config.pause;
        let mut pause = shortest;
        let mut told = false;
        loop {
            match self.connect().await {
                Ok(link) => {
                    tracing::info!(durable = self.is_durable(), "connected to Redis");
                    (pause, told) = (shortest, false);
                    self.set(Some(link));
                    // In a loop, because a notification of the last connection's end may still be pending.
                    while self.is_connected() {
                        tokio::select! {
                            () = self.inner.broken.notified() => {}
                            () = self.catch_up() => {}
                        }
                    }
                }
                Err(error) if !told => {
                    tracing::warn!(%error, "Redis cannot be reached; state is local until it can");
                    told = true;
                }
                Err(_) => {}
            }
            // Half of the pause is random, so that replicas that lost Redis together do not reconnect
            // together.
            let share = rand::rng().random_range(0.5..1.0);
            sleep(pause.mul_f64(share)).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Waits until it is connected, but no longer than one attempt: a service that starts together with an
    /// available Redis does not begin without it.
    pub async fn first_attempt(&self) {
        let connected = async {
            while !self.is_connected() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(self.inner.config.connect_timeout, connected).await;
    }

    pub fn is_connected(&self) -> bool {
        self.link().is_some()
    }

    /// Whether the server writes its data to disk (append-only file). Jobs are stored only in such a
    /// server: accepted means durable.
    pub fn is_durable(&self) -> bool {
        self.inner.durable.load(Ordering::Relaxed)
    }

    /// Number of operations of this component that were done locally.
    pub fn fallbacks(&self, component: Component) -> u64 {
        self.inner
            .fallbacks
            .with_label_values(&[component.name()])
            .get()
    }

    /// Whether this component's last operation used Redis.
    pub fn is_up(&self, component: Component) -> bool {
        self.inner.up.with_label_values(&[component.name()]).get() == 1
    }

    /// Runs a script; `None`: the operation has to be done locally, which is counted.
    async fn ask<T: FromRedisValue>(
        &self,
        component: Component,
        script: &Script,
        arguments: &[impl AsRef<[u8]>],
    ) -> Option<T> {
        let Some(mut link) = self.link() else {
            self.fell_back(component);
            return None;
        };
        let mut call = script.prepare_invoke();
        call.key(&self.inner.config.prefix);
        for argument in arguments {
            call.arg(argument.as_ref());
        }
        let begun = Instant::now();
        match call.invoke_async(&mut link.connection).await {
            Ok(answer) => {
                self.inner.up.with_label_values(&[component.name()]).set(1);
                self.took(begun.elapsed(), link.generation);
                Some(answer)
            }
            Err(error) => {
                self.failed(component, link.generation, &error);
                None
            }
        }
    }

    /// Counts an operation that was done locally.
    fn fell_back(&self, component: Component) {
        self.inner
            .fallbacks
            .with_label_values(&[component.name()])
            .inc();
        self.inner.up.with_label_values(&[component.name()]).set(0);
    }

    fn failed(&self, component: Component, generation: u64, error: &RedisError) {
        self.fell_back(component);
        let gone = error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error();
        if !gone {
            tracing::warn!(
                component = component.name(),
                code = error.code(),
                "Redis refused"
            );
            return;
        }
        if self.lose(Some(generation)) {
            tracing::warn!(%error, "Redis is lost; state is local until it is back");
        }
    }

    /// Counts slow responses: a server that always responds late delays each request at every query, so its
    /// connection is dropped like that of an unresponsive one.
    fn took(&self, time: Duration, generation: u64) {
        if time <= self.inner.config.slow() {
            self.inner.slow.store(0, Ordering::Relaxed);
            return;
        }
        let slow = self.inner.slow.fetch_add(1, Ordering::Relaxed) + 1;
        if slow >= SLOW_IN_A_ROW && self.lose(Some(generation)) {
            tracing::warn!("Redis answers too slowly; state is local until it is faster");
        }
    }

    /// Drops the connection, or only the one of this generation; [`Self::keep_connected`] makes another.
    /// Returns whether there was one.
    fn lose(&self, generation: Option<u64>) -> bool {
        let lost = self
            .inner
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|link| generation.is_none_or(|it| it == link.generation));
        if lost.is_some() {
            self.inner.slow.store(0, Ordering::Relaxed);
            self.set_up(false);
            self.inner.broken.notify_one();
        }
        lost.is_some()
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = &self.inner.config;
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout));
        let client = &self.inner.client;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&options)
            .await?;
        // The command fails while the server still loads its file.
        let mut info = redis::cmd("INFO");
        let info: InfoDict = info.arg("persistence").query_async(&mut connection).await?;
        let begun = Instant::now();
        redis::cmd("GET")
            .arg(&config.prefix)
            .query_async::<()>(&mut connection)
            .await?;
        if begun.elapsed() > config.slow() {
            let error = (ErrorKind::Client, "Redis answers too slowly");
            return Err(error.into());
        }
        self.prove(&mut connection).await?;
        let durable = info.get::<u8>("aof_enabled") == Some(1);
        if !durable {
            tracing::warn!(
                "Redis keeps no append-only file; jobs stay in this replica's own store"
            );
        }
        self.inner.durable.store(durable, Ordering::Relaxed);
        let mut sweep = scripts::SWEEP.prepare_invoke();
        sweep.key(&config.prefix).arg(GONE.as_millis() as u64);
        sweep.invoke_async::<u64>(&mut connection).await?;
        Ok(connection)
    }

    fn set(&self, connection: Option<MultiplexedConnection>) {
        let generation = self.inner.generation.fetch_add(1, Ordering::Relaxed);
        let link = connection.map(|connection| Link {
            connection,
            generation,
        });
        let up = link.is_some();
        *self
            .inner
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = link;
        self.set_up(up);
    }

    fn set_up(&self, up: bool) {
        for component in Component::ALL {
            let up = up && (component != Component::Jobs || self.is_durable());
            self.inner
                .up
                .with_label_values(&[component.name()])
                .set(i64::from(up));
        }
    }

    fn link(&self) -> Option<Link> {
        self.inner
            .connection
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    /// Omits the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

/// A script's result that is an empty array if there is none.
struct Maybe<T>(Option<T>);

impl<T: FromRedisValue> FromRedisValue for Maybe<T> {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        match &value {
            redis::Value::Array(parts) if parts.is_empty() => Ok(Self(None)),
            _ => redis::from_redis_value(value).map(|value| Self(Some(value))),
        }
    }
}

/// Bytes in the format of keys.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
