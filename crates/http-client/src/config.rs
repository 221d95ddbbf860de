//! The configuration of a run's connections.

use std::time::Duration;

use super::environment::Environment;

/// How long an address is cached by default; k6's default.
const NAME_TTL: Duration = Duration::from_secs(300);

/// The configuration of a run's connections.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub names: NameConfig,
    pub tls: TlsConfig,
    /// The addresses that VUs connect from, as ranges.
    pub local_ips: Option<String>,
    /// Requests per second of all VUs together; no limit if absent or not positive.
    pub requests_per_s: Option<i64>,
    /// Every connection is closed after its request.
    pub closes_connections: bool,
    /// The most idle connections that a VU keeps; 0 is "no limit".
    pub max_idle: Option<i64>,
    /// The most idle connections to one host; 0 is "two", as in Go.
    pub max_idle_per_host: Option<i64>,
    /// Settings from the environment of the process.
    pub environment: Environment,
}

/// Name resolution.
#[derive(Debug, Clone)]
pub struct NameConfig {
    /// Names (`a.x`, `*.x`, `a.x:443`) and the addresses that replace them.
    pub hosts: Vec<(String, String)>,
    /// Names and patterns (`*.x`) that requests must not go to.
    pub blocked_hosts: Vec<String>,
    /// Addresses and ranges that requests must not go to.
    pub blocked_ranges: Vec<String>,
    /// How long an address is cached.
    pub ttl: Duration,
    pub policy: AddressPolicy,
    pub select: AddressSelect,
}

/// The addresses of a name that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressPolicy {
    /// IPv4 if there is any.
    #[default]
    PreferIpv4,
    /// IPv6 if there is any.
    PreferIpv6,
    OnlyIpv4,
    OnlyIpv6,
    Any,
}

/// The choice between several addresses of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressSelect {
    #[default]
    Random,
    First,
    RoundRobin,
}

/// The TLS settings of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The lowest version, as `tls1.2`; empty is "no limit".
    pub min_version: String,
    /// The highest version, as `tls1.3`; empty is "no limit".
    pub max_version: String,
    /// IANA names; all that are supported if absent.
    pub cipher_suites: Option<Vec<String>>,
    /// The certificates that the client presents on request.
    pub client_certificates: Vec<ClientCertificate>,
    /// A server's certificate is not checked.
    pub accepts_any_server: bool,
    /// The trusted CAs, as PEM text; those of the system if empty.
    pub roots: Vec<String>,
}

/// A certificate of the client, all as PEM text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate with its chain.
    pub chain: String,
    pub key: String,
    /// The password of the key, if it is encrypted.
    pub password: Option<String>,
}

impl Default for NameConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            blocked_hosts: Vec::new(),
            blocked_ranges: Vec::new(),
            ttl: NAME_TTL,
            policy: AddressPolicy::default(),
            select: AddressSelect::default(),
        }
    }
}
