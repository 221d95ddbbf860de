//! The parts of the network that all VUs of a run share: names, TLS settings, limits.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::{Instant, sleep_until};

use super::config::{AddressPolicy, AddressSelect, Config, TlsConfig};
use super::failure::Failure;
use super::proxy::Proxies;
use super::tls;

/// The network as its configuration describes it.
pub struct Network {
    config: Config,
    tls: OnceLock<Result<tls::Settings, Failure>>,
    names: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    /// Lookups so far, for `roundRobin`.
    turns: AtomicUsize,
    blocked: Vec<Block>,
    next_request: Mutex<Option<Instant>>,
    /// The TLS settings of connections that bring their own.
    own_tls: Mutex<Vec<(TlsConfig, Arc<tls::Settings>)>>,
    pub(super) proxies: Proxies,
}

/// The maximum number of cached TLS settings besides those of the run.
const MAX_OWN_TLS: usize = 16;

/// A blocked range, and its text in the configuration.
struct Block {
    range: IpNet,
    text: String,
}

impl Network {
    /// The network of a run.
    pub fn new(config: Config) -> Self {
        let blocked = config.names.blocked_ranges.iter();
        let blocked = blocked.filter_map(|text| Block::parse(text));
        Self {
            blocked: blocked.collect(),
            tls: OnceLock::new(),
            names: Mutex::default(),
            turns: AtomicUsize::new(0),
            next_request: Mutex::default(),
            own_tls: Mutex::default(),
            proxies: config.environment.proxies.clone(),
            config,
        }
    }

    /// The configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The TLS settings; built on first use, since reading certificates takes time.
    pub(super) fn tls(&self) -> Result<&tls::Settings, Failure> {
        let settings = self
            .tls
            .get_or_init(|| tls::Settings::new(&self.config.tls, &self.config.environment));
        settings.as_ref().map_err(Clone::clone)
    }

    /// The TLS settings of a connection that brings its own.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub(super) fn own_tls(&self, wanted: &TlsConfig) -> Result<Arc<tls::Settings>, Failure> {
        let known = || self.own_tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, settings)) = known().iter().find(|(config, _)| config == wanted) {
            return Ok(Arc::clone(settings));
        }
        let made = Arc::new(tls::Settings::new(wanted, &self.config.environment)?);
        let mut all = known();
        if all.len() == MAX_OWN_TLS {
            all.remove(0);
        }
        all.push((wanted.clone(), Arc::clone(&made)));
        Ok(made)
    }

    /// The local address from which a VU (from 1) connects.
    pub fn local_address(&self, vu: u64) -> Option<IpAddr> {
        let ranges = self.config.local_ips.as_ref()?;
        super::local_ips::nth(ranges, vu.saturating_sub(1))
    }

    /// Waits until the `rps` limit allows a request.
    pub async fn admit(&self) {
        let rate = self.config.requests_per_s.unwrap_or(0);
        if rate <= 0 {
            return;
        }
        let gap = Duration::from_secs_f64(1.0 / rate as f64);
        let at = {
            let mut next = self
                .next_request
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |planned| planned.max(now));
            *next = Some(at + gap);
            at
        };
        sleep_until(at).await;
    }

    /// The address for a host of a URL.
    pub async fn address_of(&self, host: &str, port: u16) -> Result<SocketAddr, Failure> {
        if let Some(pattern) = self.blocking_pattern(host) {
            let message = format!("hostname ({host}) is in a blocked pattern ({pattern})");
            return Err(Failure {
                detail: message,
                ..Failure::new(1111, "hostname is blocked")
            });
        }
        let address = match self.mapped(host, port) {
            Some(mapped) => mapped,
            None => SocketAddr::new(self.lookup(host).await?, port),
        };
        if let Some(block) = self
            .blocked
            .iter()
            .find(|block| block.contains(address.ip()))
        {
            let detail = format!(
                "IP ({}) is in a blacklisted range ({})",
                address.ip(),
                block.text
            );
            return Err(Failure {
                detail,
                ..Failure::new(1110, "ip is blacklisted")
            });
        }
        Ok(address)
    }

    fn blocking_pattern(&self, host: &str) -> Option<&String> {
        let blocked = &self.config.names.blocked_hosts;
        blocked.iter().find(|pattern| matches(pattern, host))
    }

    /// The configured address of a host; the longest pattern wins.
    fn mapped(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let with_port = format!("{host}:{port}");
        let hosts = &self.config.names.hosts;
        let named = |name: &str| hosts.iter().find(|(known, _)| known == name);
        let exact = named(&with_port).or_else(|| named(host));
        let exact = exact.map(|(_, to)| to);
        let wild = || {
            let fits = |pattern: &str| {
                pattern.starts_with('*') && (matches(pattern, host) || matches(pattern, &with_port))
            };
            hosts
                .iter()
                .filter(|(pattern, _)| fits(pattern))
                .max_by_key(|(pattern, _)| pattern.len())
                .map(|(_, to)| to)
        };
        let to = exact.or_else(wild)?;
        let plain: Option<IpAddr> = to.trim_matches(['[', ']']).parse().ok();
        plain
            .map(|ip| SocketAddr::new(ip, port))
            .or_else(|| to.parse().ok())
    }

    async fn lookup(&self, host: &str) -> Result<IpAddr, Failure> {
        // As in k6 the zone of an address (`fe80::1%25eth0`) is lost.
        let (address, _) = host.split_once("%25").unwrap_or((host, ""));
        if let Ok(ip) = address.parse() {
            return Ok(ip);
        }
        if let Some(known) = self.known(host) {
            return Ok(known);
        }
        if is_short_address(host) {
            return Err(Failure::no_such_host(host));
        }
        let found = tokio::net::lookup_host((host, 0))
            .await
            .map_err(|error| Failure::lookup(host, &error))?;
        let addresses = self.allowed(found.map(|address| address.ip()).collect());
        let first = self
            .select(&addresses)
            .ok_or_else(|| Failure::no_such_host(host))?;
        let until = Instant::now() + self.config.names.ttl;
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(host.to_owned(), (until, addresses));
        Ok(first)
    }

    fn known(&self, host: &str) -> Option<IpAddr> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, addresses) = names.get(host)?;
        (*until > Instant::now())
            .then(|| self.select(addresses))
            .flatten()
    }

    fn allowed(&self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let has_ipv4 = addresses.iter().any(IpAddr::is_ipv4);
        let has_ipv6 = addresses.iter().any(IpAddr::is_ipv6);
        let only = match self.config.names.policy {
            AddressPolicy::OnlyIpv4 => Some(IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
            AddressPolicy::OnlyIpv6 => Some(IpAddr::is_ipv6 as fn(&IpAddr) -> bool),
            AddressPolicy::PreferIpv4 if has_ipv4 => Some(IpAddr::is_ipv4 as _),
            AddressPolicy::PreferIpv6 if has_ipv6 => Some(IpAddr::is_ipv6 as _),
            AddressPolicy::PreferIpv4 | AddressPolicy::PreferIpv6 | AddressPolicy::Any => None,
        };
        if let Some(is_wanted) = only {
            addresses.retain(is_wanted);
        }
        addresses.dedup();
        addresses
    }

    fn select(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        match (self.config.names.select, addresses) {
            (_, []) => None,
            (AddressSelect::First, [first, ..]) | (_, [first]) => Some(*first),
            (AddressSelect::RoundRobin, many) => {
                Some(many[self.turns.fetch_add(1, Ordering::Relaxed) % many.len()])
            }
            (AddressSelect::Random, many) => Some(many[rand::random_range(0..many.len())]),
        }
    }
}

/// Whether the host is an address for C libraries (`127.1`, `0x7f.1`, `2130706433`) but an unknown name for Go.
fn is_short_address(host: &str) -> bool {
    let is_number = |part: &str| match part.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit()),
    };
    host.split('.').all(is_number)
}

/// `*.example.com` or an exact name.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => {
            host.len() > suffix.len()
                && host
                    .to_ascii_lowercase()
                    .ends_with(&suffix.to_ascii_lowercase())
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

impl Block {
    /// A CIDR block, or a single address.
    fn parse(text: &str) -> Option<Self> {
        let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
        Some(Self {
            range: text.parse().ok().or_else(address)?,
            text: text.to_owned(),
        })
    }

    /// An IPv4 address and its IPv4-mapped IPv6 form (`::ffff:10.0.0.1`) are the same address.
    fn contains(&self, ip: IpAddr) -> bool {
        match (self.range, ip.to_canonical()) {
            (IpNet::V6(range), IpAddr::V4(ip)) => range.contains(&ip.to_ipv6_mapped()),
            (range, ip) => range.contains(&ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NameConfig;

    #[test]
    fn hosts_are_mapped_by_name_port_and_pattern() {
        let hosts = [
            ("a.x", "127.0.0.1"),
            ("*.x", "127.0.0.2:81"),
            ("b.x:443", "127.0.0.3"),
        ];
        let hosts = hosts
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let network = Network::new(Config {
            names: NameConfig {
                hosts,
                ..NameConfig::default()
            },
            ..Config::default()
        });
        let check = |host, port, expected: &str| {
            assert_eq!(
                network.mapped(host, port),
                expected.parse().ok(),
                "{host}:{port}"
            );
        };
        check("a.x", 80, "127.0.0.1:80");
        check("z.x", 80, "127.0.0.2:81");
        check("b.x", 443, "127.0.0.3:443");
        check("other", 80, "");
    }

    #[test]
    fn a_blocked_range_contains_its_addresses_in_both_notations() {
        let check = |block: &str, ip: &str, expected: bool| {
            let parsed = Block::parse(block).expect("a range");
            let ip = ip.parse().expect("an address");
            assert_eq!(parsed.contains(ip), expected, "{block} {ip}");
        };
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.9.9.9/8", "10.1.2.3", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("::ffff:0:0/96", "10.1.2.3", true);
        check("fd00::/8", "fd12::1", true);
        check("fd00::/8", "10.1.2.3", false);
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "10.0.0.2", false);
    }
}
