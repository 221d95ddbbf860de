//! The settings of servers in scripts, with the meaning of k6's Redis client: zero means its default, minus one
//! turns a limit off.

use std::time::Duration;

use http_client::ClientCertificate;
use redis_client::{Backoff, Login, Options, PoolSize, Reads, Routing, Servers, Timeouts};
use script_engine::throw::{Throw, plain};

/// A client's settings.
pub(super) struct Settings {
    pub(super) options: Options,
    pub(super) tls: Option<OwnTls>,
}

/// Certificates of a client, as PEM texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OwnTls {
    pub(super) authorities: Vec<String>,
    pub(super) certificate: Option<ClientCertificate>,
}

/// A number among the settings; times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Database,
    MaxRetries,
    MinRetryBackoff,
    MaxRetryBackoff,
    DialTimeout,
    ReadTimeout,
    WriteTimeout,
    PoolSize,
    MinIdleConns,
    MaxConnAge,
    PoolTimeout,
    IdleTimeout,
}

/// Their names in messages, in the order in which nodes are compared.
const NUMBERS: [(Number, &str); 12] = [
    (Number::Database, "db"),
    (Number::MaxRetries, "maxRetries"),
    (Number::MinRetryBackoff, "minRetryBackoff"),
    (Number::MaxRetryBackoff, "maxRetryBackoff"),
    (Number::DialTimeout, "dialTimeout"),
    (Number::ReadTimeout, "readTimeout"),
    (Number::WriteTimeout, "writeTimeout"),
    (Number::PoolSize, "poolSize"),
    (Number::MinIdleConns, "minIdleConns"),
    (Number::MaxConnAge, "maxConnAge"),
    (Number::PoolTimeout, "poolTimeout"),
    (Number::IdleTimeout, "idleTimeout"),
];

/// The settings of one node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Node {
    /// `host:port`
    pub(super) address: String,
    pub(super) tls: Option<OwnTls>,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) client_name: String,
    pub(super) numbers: [i64; NUMBERS.len()],
}

/// The relation of the nodes to each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Together {
    #[default]
    Single,
    Cluster {
        max_redirects: i64,
        reads: Reads,
    },
    Sentinels {
        master: String,
        username: String,
        password: String,
    },
}

impl Node {
    pub(super) fn set(&mut self, number: Number, value: i64) {
        self.numbers[number as usize] = value;
    }

    fn get(&self, number: Number) -> i64 {
        self.numbers[number as usize]
    }

    /// Adds the settings of the next node, which must not contradict those of this one.
    fn follow(&mut self, next: Self) -> Result<(), Throw> {
        let contradict =
            |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
        let (database, rest) = NUMBERS.split_at(1);
        self.agree(&next, database)?;
        if contradict(&self.username, &next.username) {
            let (one, other) = (&self.username, &next.username);
            return Err(plain(format!(
                "inconsistent username option: {one} != {other}"
            )));
        }
        if contradict(&self.password, &next.password) {
            return Err(plain("inconsistent password option"));
        }
        if contradict(&self.client_name, &next.client_name) {
            let (one, other) = (&self.client_name, &next.client_name);
            return Err(plain(format!(
                "inconsistent clientName option: {one} != {other}"
            )));
        }
        self.agree(&next, rest)?;
        let tls = self.tls.take().or(next.tls.clone());
        *self = Self { tls, ..next };
        Ok(())
    }

    fn agree(&self, next: &Self, numbers: &[(Number, &str)]) -> Result<(), Throw> {
        for (number, name) in numbers {
            let (one, other) = (self.get(*number), next.get(*number));
            if one != 0 && other != 0 && one != other {
                return Err(plain(format!(
                    "inconsistent {name} option: {one} != {other}"
                )));
            }
        }
        Ok(())
    }

    fn timeouts(&self) -> Timeouts {
        let default = Timeouts::default();
        let limit = |number, default| match self.get(number) {
            0 => default,
            nanos => duration(nanos),
        };
        let read = limit(Number::ReadTimeout, default.read);
        let pool = match (self.get(Number::PoolTimeout), read) {
            (0, Some(read)) => read + Duration::from_secs(1),
            (0, None) => Duration::from_secs(30),
            (nanos, _) => duration(nanos).unwrap_or_default(),
        };
        Timeouts {
            dial: limit(Number::DialTimeout, default.dial),
            read,
            write: limit(Number::WriteTimeout, read),
            pool,
            idle: limit(Number::IdleTimeout, default.idle),
            age: limit(Number::MaxConnAge, None),
        }
    }

    fn backoff(&self) -> Backoff {
        let default = Backoff::default();
        let wait = |number, default| match self.get(number) {
            0 => default,
            nanos => duration(nanos).unwrap_or_default(),
        };
        Backoff {
            retries: match self.get(Number::MaxRetries) {
                0 => default.retries,
                wanted => u32::try_from(wanted.max(0)).unwrap_or(u32::MAX),
            },
            min: wait(Number::MinRetryBackoff, default.min),
            max: wait(Number::MaxRetryBackoff, default.max),
        }
    }

    fn pool(&self, is_cluster: bool) -> PoolSize {
        let PoolSize(default) = PoolSize::default();
        PoolSize(match self.get(Number::PoolSize) {
            0 if is_cluster => default / 2,
            0 => default,
            wanted => usize::try_from(wanted).unwrap_or(1),
        })
    }
}

/// `None` for a negative number: no limit.
fn duration(nanos: i64) -> Option<Duration> {
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

impl Settings {
    /// The settings for related nodes.
    ///
    /// # Errors
    /// The nodes contradict each other.
    pub(super) fn new(nodes: Vec<Node>, together: Together) -> Result<Self, Throw> {
        let addresses: Vec<String> = nodes.iter().map(|node| node.address.clone()).collect();
        let mut nodes = nodes.into_iter();
        let mut all = nodes.next().unwrap_or_default();
        for node in nodes {
            all.follow(node)?;
        }
        let single = || Servers::Single(addresses[0].clone());
        let servers = match together {
            // As in k6, one node is a single server, whatever the options call it.
            Together::Cluster { .. } if addresses.len() == 1 => single(),
            Together::Sentinels { ref master, .. } if master.is_empty() => single(),
            Together::Single => single(),
            Together::Cluster {
                max_redirects,
                reads,
            } => {
                let max_redirects = match max_redirects {
                    0 => Routing::default().max_redirects,
                    wanted => u32::try_from(wanted.max(0)).unwrap_or(u32::MAX),
                };
                Servers::Cluster {
                    nodes: addresses,
                    routing: Routing {
                        max_redirects,
                        reads,
                    },
                }
            }
            Together::Sentinels {
                master,
                username,
                password,
            } => Servers::Sentinels {
                addresses,
                master,
                username,
                password,
            },
        };
        let is_cluster = matches!(servers, Servers::Cluster { .. });
        Ok(Self {
            options: Options {
                servers,
                login: Login {
                    username: all.username.clone(),
                    password: all.password.clone(),
                    database: all.get(Number::Database),
                    client_name: all.client_name.clone(),
                },
                timeouts: all.timeouts(),
                pool: all.pool(is_cluster),
                backoff: all.backoff(),
            },
            tls: all.tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(numbers: &[(Number, i64)]) -> Node {
        let mut node = Node::default();
        for (number, value) in numbers {
            node.set(*number, *value);
        }
        node
    }

    #[test]
    fn numbers_stand_where_their_names_are() {
        for (at, (number, _)) in NUMBERS.iter().enumerate() {
            assert_eq!(*number as usize, at);
        }
    }

    #[test]
    fn zero_is_the_default_and_minus_one_is_none() {
        let default = node(&[]).timeouts();
        assert_eq!(default, Timeouts::default());
        let set = node(&[
            (Number::ReadTimeout, 7),
            (Number::PoolTimeout, 0),
            (Number::IdleTimeout, -1),
        ]);
        let set = set.timeouts();
        assert_eq!(set.read, Some(Duration::from_nanos(7)));
        assert_eq!(set.write, set.read);
        assert_eq!(set.idle, None);
        let none = node(&[(Number::ReadTimeout, -1)]).timeouts();
        assert_eq!((none.read, none.pool), (None, Duration::from_secs(30)));
        let backoff = node(&[(Number::MaxRetries, -1)]).backoff();
        assert_eq!(backoff.retries, 0);
    }

    #[test]
    fn nodes_that_contradict_each_other_are_refused() {
        let check = |one: Node, other: Node, why: Option<&str>| {
            let made = Settings::new(vec![one, other], Together::Single);
            let said = made.err().map(|throw| match throw {
                Throw::Plain(why) => why,
                other => format!("{other:?}"),
            });
            assert_eq!(said.as_deref(), why);
        };
        let database = |number| node(&[(Number::Database, number)]);
        check(
            database(1),
            database(2),
            Some("inconsistent db option: 1 != 2"),
        );
        check(database(1), database(0), None);
        let user = |name: &str| Node {
            username: name.to_owned(),
            ..Node::default()
        };
        check(
            user("u"),
            user("v"),
            Some("inconsistent username option: u != v"),
        );
        check(user("u"), user(""), None);
    }
}
