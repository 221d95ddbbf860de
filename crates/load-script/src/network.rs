//! The options of a run as the HTTP client's configuration.

use std::time::Duration;

use http_client::{
    AddressPolicy, AddressSelect, ClientCertificate, Config, Environment, NameConfig, TlsConfig,
};
use load_engine::options::duration::parse_extended;
use load_engine::options::{Dns, Options, TlsAuth};

/// How long an address is cached with the option `dns.ttl: "inf"`.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The HTTP client's configuration for a run with these options.
pub(crate) fn config(options: &Options, environment: &Environment) -> Config {
    Config {
        names: names(options),
        tls: tls(options),
        local_ips: options.local_ips.clone(),
        requests_per_s: options.rps,
        closes_connections: options.no_connection_reuse.unwrap_or(false),
        max_idle: options.batch,
        max_idle_per_host: options.batch_per_host,
        environment: environment.clone(),
    }
}

/// The part of it that concerns TLS.
pub(crate) fn tls(options: &Options) -> TlsConfig {
    let versions = options.tls_version.clone().unwrap_or_default();
    TlsConfig {
        min_version: versions.min,
        max_version: versions.max,
        cipher_suites: options.tls_cipher_suites.clone(),
        client_certificates: options.tls_auth.iter().flatten().map(certificate).collect(),
        accepts_any_server: options.insecure_skip_tls_verify.unwrap_or(false),
        roots: Vec::new(),
    }
}

fn certificate(auth: &TlsAuth) -> ClientCertificate {
    ClientCertificate {
        chain: auth.cert.clone(),
        key: auth.key.clone(),
        password: auth.password.clone(),
    }
}

fn names(options: &Options) -> NameConfig {
    let default = NameConfig::default();
    let hosts = options.hosts.iter().flatten();
    let dns = options.dns.as_ref();
    let text = |field: fn(&Dns) -> &Option<String>| dns.and_then(|dns| field(dns).as_deref());
    NameConfig {
        hosts: hosts.map(|(name, to)| (name.clone(), to.clone())).collect(),
        blocked_hosts: options.block_hostnames.clone().unwrap_or_default(),
        blocked_ranges: options.blacklist_ips.clone().unwrap_or_default(),
        ttl: match text(|dns| &dns.ttl) {
            None => default.ttl,
            Some("inf") => FOR_EVER,
            Some("0") => Duration::ZERO,
            Some(text) => parse_extended(text).unwrap_or(default.ttl),
        },
        policy: match text(|dns| &dns.policy) {
            None | Some("preferIPv4") => AddressPolicy::PreferIpv4,
            Some("preferIPv6") => AddressPolicy::PreferIpv6,
            Some("onlyIPv4") => AddressPolicy::OnlyIpv4,
            Some("onlyIPv6") => AddressPolicy::OnlyIpv6,
            Some(_) => AddressPolicy::Any,
        },
        select: match text(|dns| &dns.select) {
            Some("first") => AddressSelect::First,
            Some("roundRobin") => AddressSelect::RoundRobin,
            _ => AddressSelect::Random,
        },
    }
}
