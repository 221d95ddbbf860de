//! The options of a client: its servers, timeouts and retries.

use std::time::Duration;

use rand::RngExt;

/// The settings of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub servers: Servers,
    pub login: Login,
    pub timeouts: Timeouts,
    pub pool: PoolSize,
    pub backoff: Backoff,
}

/// The servers with the data. Addresses are `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// One server.
    Single(String),
    /// The nodes of a cluster from which the others are discovered.
    Cluster {
        nodes: Vec<String>,
        routing: Routing,
    },
    /// The master behind sentinels.
    Sentinels {
        addresses: Vec<String>,
        master: String,
        username: String,
        password: String,
    },
}

/// The choice of a cluster's node for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routing {
    /// The maximum number of redirects of one command.
    pub max_redirects: u32,
    pub reads: Reads,
}

/// The node of a cluster that receives read-only commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reads {
    /// The master, which also accepts changes.
    #[default]
    Master,
    /// A replica, if there is one.
    Replica,
    /// The node with the lowest latency.
    Nearest,
    /// Any node.
    Random,
}

/// The parameters of a connection's initial commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    pub username: String,
    pub password: String,
    /// The number of the database.
    pub database: i64,
    /// The name of the connection in the server's list of clients.
    pub client_name: String,
}

/// Timeouts of the steps; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub dial: Option<Duration>,
    pub read: Option<Duration>,
    pub write: Option<Duration>,
    /// The wait for a connection while all are in use.
    pub pool: Duration,
    /// After this time without use a connection is closed.
    pub idle: Option<Duration>,
    /// After this time a connection is closed.
    pub age: Option<Duration>,
}

/// The maximum number of connections to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize(pub usize);

/// The number of retries of a command, and the waits between the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub retries: u32,
    pub min: Duration,
    pub max: Duration,
}

impl Default for Timeouts {
    /// The timeouts of go-redis.
    fn default() -> Self {
        Self {
            dial: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(3)),
            write: Some(Duration::from_secs(3)),
            pool: Duration::from_secs(4),
            idle: Some(Duration::from_secs(30 * 60)),
            age: None,
        }
    }
}

impl Default for Backoff {
    /// The backoff of go-redis.
    fn default() -> Self {
        Self {
            retries: 3,
            min: Duration::from_millis(8),
            max: Duration::from_millis(512),
        }
    }
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            max_redirects: 3,
            reads: Reads::default(),
        }
    }
}

impl Default for PoolSize {
    /// Ten connections for each processor, as in go-redis.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(10 * processors)
    }
}

impl Backoff {
    /// The wait before the attempt with this number, from 1. It doubles with each attempt, plus a
    /// random part of up to the same length.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        if self.min.is_zero() {
            return Duration::ZERO;
        }
        let factor = 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
        let step = self.min.saturating_mul(factor).min(self.max);
        let chance = step.mul_f64(rand::rng().random_range(0.0..1.0));
        (step + chance).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_some_chance_and_stay_below_the_longest() {
        let backoff = Backoff::default();
        let check = |attempt, from: u64, to: u64| {
            let wait = backoff.wait(attempt);
            let range = Duration::from_millis(from)..=Duration::from_millis(to);
            assert!(range.contains(&wait), "{attempt}: {wait:?}");
        };
        for _ in 0..100 {
            check(1, 8, 16);
            check(2, 16, 32);
            check(3, 32, 64);
            check(7, 512, 512);
            check(99, 512, 512);
        }
    }

    #[test]
    fn a_wait_of_nothing_stays_nothing() {
        let backoff = Backoff {
            min: Duration::ZERO,
            ..Backoff::default()
        };
        assert_eq!(backoff.wait(5), Duration::ZERO);
    }
}
