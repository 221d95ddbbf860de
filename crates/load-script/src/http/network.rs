//! What all VUs of a run share of the network: names, TLS settings, limits.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use load_engine::options::Options;
use tokio::time::{Instant, sleep_until};

use super::failure::Failure;
use super::proxy::Proxies;
use super::tls;

/// How long an address stays known; k6's default.
const NAME_TTL: Duration = Duration::from_secs(300);

/// The network as the options describe it.
pub(crate) struct Network {
    options: Options,
    tls: OnceLock<Result<tls::Settings, Failure>>,
    names: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    /// Lookups so far, for `roundRobin`.
    turns: AtomicUsize,
    blocked: Vec<Block>,
    next_request: Mutex<Option<Instant>>,
    pub(super) proxies: Proxies,
}

/// A range of addresses: network and prefix length.
struct Block {
    network: u128,
    prefix: u32,
    text: String,
}

impl Network {
    /// The network of a run.
    pub(crate) fn new(options: &Options) -> Self {
        let blocked = options
            .blacklist_ips
            .iter()
            .flatten()
            .filter_map(|text| Block::parse(text));
        Self {
            blocked: blocked.collect(),
            options: options.clone(),
            tls: OnceLock::new(),
            names: Mutex::default(),
            turns: AtomicUsize::new(0),
            next_request: Mutex::default(),
            proxies: Proxies::of_environment(),
        }
    }

    /// The options of the run.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The TLS settings; made at the first use, for reading certificates takes time.
    pub(super) fn tls(&self) -> Result<&tls::Settings, Failure> {
        let settings = self.tls.get_or_init(|| tls::Settings::new(&self.options));
        settings.as_ref().map_err(Clone::clone)
    }

    /// The local address that a VU (from 1) connects from.
    pub(crate) fn local_address(&self, vu: u64) -> Option<IpAddr> {
        let ranges = self.options.local_ips.as_ref()?;
        super::local_ips::nth(ranges, vu.saturating_sub(1))
    }

    /// Waits until the `rps` limit lets a request go.
    pub(crate) async fn admit(&self) {
        let rate = self.options.rps.unwrap_or(0);
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

    /// The address to connect to for a host of a URL.
    pub(crate) async fn address_of(&self, host: &str, port: u16) -> Result<SocketAddr, Failure> {
        if let Some(pattern) = self.blocking_pattern(host) {
            let message = format!("hostname ({host}) is in a blocked pattern ({pattern})");
            return Err(Failure {
                code: 1111,
                message: "hostname is blocked".to_owned(),
                detail: message,
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
                code: 1110,
                message: "ip is blacklisted".to_owned(),
                detail,
            });
        }
        Ok(address)
    }

    fn blocking_pattern(&self, host: &str) -> Option<&String> {
        self.options
            .block_hostnames
            .iter()
            .flatten()
            .find(|pattern| matches(pattern, host))
    }

    /// What the option `hosts` says of a host; the longest pattern wins.
    fn mapped(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let with_port = format!("{host}:{port}");
        let hosts = self.options.hosts.as_ref()?;
        let exact = hosts.get(&with_port).or_else(|| hosts.get(host));
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
        let until = Instant::now() + self.ttl();
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

    fn ttl(&self) -> Duration {
        let text = self.options.dns.as_ref().and_then(|dns| dns.ttl.as_deref());
        match text {
            None => NAME_TTL,
            Some("inf") => Duration::from_secs(365 * 24 * 3600),
            Some("0") => Duration::ZERO,
            Some(text) => load_engine::options::duration::parse_extended(text).unwrap_or(NAME_TTL),
        }
    }

    fn allowed(&self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let policy = self
            .options
            .dns
            .as_ref()
            .and_then(|dns| dns.policy.as_deref())
            .unwrap_or("preferIPv4");
        match policy {
            "onlyIPv4" => addresses.retain(IpAddr::is_ipv4),
            "onlyIPv6" => addresses.retain(IpAddr::is_ipv6),
            "any" => {}
            "preferIPv6" if addresses.iter().any(IpAddr::is_ipv6) => {
                addresses.retain(IpAddr::is_ipv6);
            }
            "preferIPv4" if addresses.iter().any(IpAddr::is_ipv4) => {
                addresses.retain(IpAddr::is_ipv4);
            }
            _ => {}
        }
        addresses.dedup();
        addresses
    }

    fn select(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let select = self
            .options
            .dns
            .as_ref()
            .and_then(|dns| dns.select.as_deref())
            .unwrap_or("random");
        match (select, addresses) {
            (_, []) => None,
            ("first", [first, ..]) | (_, [first]) => Some(*first),
            ("roundRobin", many) => {
                Some(many[self.turns.fetch_add(1, Ordering::Relaxed) % many.len()])
            }
            (_, many) => Some(many[rand::random_range(0..many.len())]),
        }
    }
}

/// Whether it is what C libraries take for an address (`127.1`, `0x7f.1`, `2130706433`) and Go for a name,
/// which nobody has.
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
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let ip: IpAddr = address.trim().parse().ok()?;
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Some(whole), |prefix| prefix.trim().parse().ok())?;
        let prefix = prefix.min(whole) + 128 - whole;
        Some(Self {
            network: mask(number(ip), prefix),
            prefix,
            text: text.to_owned(),
        })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        mask(number(ip), self.prefix) == self.network
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(address: u128, prefix: u32) -> u128 {
    if prefix == 0 {
        0
    } else {
        address & (u128::MAX << (128 - prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let network = Network::new(&Options {
            hosts: Some(hosts),
            ..Options::default()
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
    fn blocked_ranges_hold_their_addresses() {
        let block = Block::parse("10.0.0.0/8").expect("a range");
        assert!(block.contains("10.1.2.3".parse().expect("ip")));
        assert!(!block.contains("11.0.0.1".parse().expect("ip")));
    }
}
