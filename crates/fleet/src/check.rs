//! Checks of meaning: values in range, names that do not collide, endpoints that can be called.

use std::collections::HashMap;

use detector_api::scope;
use live_config::{Check, ConfigErrors};

use crate::config::{Auth, Detector, Fleet, Orchestration, PerformanceTargets};
use crate::endpoint::Endpoint;
use crate::secret::{SecretUrl, StoreKeys};

/// Adds an error for each setting in `fleet` that is well-formed but not valid.
pub(crate) fn check(fleet: &Fleet, faults: &mut ConfigErrors) {
    check_orchestration(&fleet.orchestration, faults);
    check_auth(&fleet.orchestration.auth, faults);
    check_targets(&fleet.performance_targets, faults);
    if fleet.detectors.is_empty() {
        faults.add("detectors", "is empty; name at least one detector");
    }
    for (name, detector) in &fleet.detectors {
        check_detector(&format!("detectors.{name}"), name, detector, faults);
    }
    check_names(fleet, faults);
    check_ports(fleet, faults);
}

fn check_orchestration(settings: &Orchestration, faults: &mut ConfigErrors) {
    let path = |field: &str| format!("orchestration.{field}");
    let mut part = Vec::new();
    let mut check = Check::new(&mut part);
    check.at_least("default_timeout_ms", settings.default_timeout_ms, 1);
    check.at_least("sync_sla_ms", settings.sync_sla_ms, 1);
    check.at_least("job_lease_ms", settings.job_lease_ms, 1);
    check.at_least("redis_timeout_ms", settings.redis_timeout_ms, 1);
    check.at_least("cache.ttl_ms", settings.cache.ttl_ms, 1);
    let health = &settings.health;
    check.at_least("health.interval_ms", health.interval_ms, 1);
    check.at_least("health.timeout_ms", health.timeout_ms, 1);
    check.at_least("health.unhealthy_after", health.unhealthy_after, 1);
    check.at_least("health.healthy_after", health.healthy_after, 1);
    let connections = &settings.connections;
    check.at_least("connections.idle_ms", connections.idle_ms, 1);
    check.at_least("connections.max_age_ms", connections.max_age_ms, 1);
    let threshold = settings.partial_coverage_threshold;
    check.share("partial_coverage_threshold", threshold);
    check.one_of("partial_status", settings.partial_status, &[206, 200, 207]);
    settings.rate_limit.check(&mut check.at("rate_limit"));
    faults.add_below("orchestration", std::mem::take(&mut part));
    settings.overload.limit.validate(&mut part);
    faults.add_below(&path("overload.limit"), part);
    if let Some(url) = &settings.redis_url {
        check_redis(&path("redis_url"), url, faults);
    }
    let keys = settings.store_key.as_ref().map(StoreKeys::keys);
    if keys.is_some_and(|keys| keys.is_none()) {
        // The message does not repeat the keys.
        let message = "use 32 random bytes in base64 (openssl rand -base64 32), several separated \
                       by commas";
        faults.add(path("store_key"), message);
    }
}

/// The message does not repeat the URL, which may contain a password.
fn check_redis(path: &str, url: &SecretUrl, faults: &mut ConfigErrors) {
    if !is_redis_url(url.reveal()) {
        faults.add(path, "use redis://[user:password@]host:port[/database]");
    }
}

/// `redis://[user:password@]host[:port][/database][?options]`.
fn is_redis_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("redis://") else {
        return false;
    };
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let database = behind.split(['?', '#']).next().unwrap_or_default();
    let database = database.strip_prefix('/').unwrap_or_default();
    // The rest has the form of an endpoint.
    Endpoint::parse(&format!("http://{host}/")).is_ok_and(|read| read.port > 0)
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && (database.is_empty() || database.parse::<u32>().is_ok())
}

fn check_auth(auth: &Auth, faults: &mut ConfigErrors) {
    if http::HeaderName::try_from(auth.header.as_str()).is_err() {
        faults.add(
            "orchestration.auth.header",
            "is not the name of an HTTP header",
        );
    }
    check_scopes("orchestration.auth.anonymous", &auth.anonymous, faults);
    for (index, key) in auth.keys.iter().enumerate() {
        let path = format!("orchestration.auth.keys[{index}]");
        check_scopes(&format!("{path}.scopes"), &key.scopes, faults);
        if key.sha256.len() != 64 || !key.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            let hint = "must be 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints";
            faults.add(format!("{path}.sha256"), hint);
        }
        if !(1..=64).contains(&key.tenant.chars().count()) {
            faults.add(format!("{path}.tenant"), "must have 1 to 64 characters");
        }
    }
}

fn check_scopes(path: &str, scopes: &[String], faults: &mut ConfigErrors) {
    for (index, given) in scopes.iter().enumerate() {
        if !scope::ALL.contains(&given.as_str()) {
            let known = scope::ALL.join(", ");
            faults.add(
                format!("{path}[{index}]"),
                format!("is not a scope; use {known}"),
            );
        }
    }
}

fn check_targets(targets: &PerformanceTargets, faults: &mut ConfigErrors) {
    let mut part = Vec::new();
    let mut check = Check::new(&mut part);
    check.share("success_rate", targets.success_rate);
    check.not_negative("throughput_rps", targets.throughput_rps);
    faults.add_below("performance_targets", part);
}

fn check_detector(path: &str, name: &str, detector: &Detector, faults: &mut ConfigErrors) {
    if !is_name(name) {
        faults.add(path, NO_NAME);
    }
    check_endpoint(&format!("{path}.endpoint"), &detector.endpoint, faults);
    for (index, endpoint) in detector.endpoints.iter().enumerate() {
        check_endpoint(&format!("{path}.endpoints[{index}]"), endpoint, faults);
    }
    let mut part = Vec::new();
    let mut check = Check::new(&mut part);
    if let Some(timeout_ms) = detector.timeout_ms {
        check.at_least("timeout_ms", timeout_ms, 1);
    }
    check.at_most("max_retries", detector.max_retries, 10);
    check.positive("weight", detector.weight);
    check.at_least("max_in_flight", detector.max_in_flight, 1);
    faults.add_below(path, std::mem::take(&mut part));
    if !is_path(&detector.health_check_path) {
        faults.add(format!("{path}.health_check_path"), NO_PATH);
    }
    if detector.required && detector.shadow_of.is_some() {
        let hint = "a shadow's result affects only metrics, so it cannot be required; remove \
                    `required` or `shadow_of`";
        faults.add(format!("{path}.required"), hint);
    }
    detector.breaker.validate(&mut part);
    faults.add_below(&format!("{path}.breaker"), std::mem::take(&mut part));
    detector.retry.validate(&mut part);
    faults.add_below(&format!("{path}.retry"), std::mem::take(&mut part));
    detector.hedge.validate(&mut part);
    faults.add_below(&format!("{path}.hedge"), std::mem::take(&mut part));
    detector.limit.validate(&mut part);
    faults.add_below(&format!("{path}.limit"), std::mem::take(&mut part));
    detector.outlier.validate(&mut part);
    faults.add_below(&format!("{path}.outlier"), std::mem::take(&mut part));
    detector.mock.validate(&mut part);
    faults.add_below(&format!("{path}.mock"), std::mem::take(&mut part));
    detector.listener.validate(&mut part);
    faults.add_below(&format!("{path}.listener"), part);
}

/// The message about an invalid name.
pub const NO_NAME: &str = "a name has 1 to 128 letters (a to z), digits, `-`, `_` or `.`";
const MOST_NAME_CHARS: usize = 128;

/// Whether this is a valid name or alias of a detector.
pub fn is_name(text: &str) -> bool {
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=MOST_NAME_CHARS).contains(&text.len()) && text.chars().all(usable)
}

/// The message about an invalid path.
pub const NO_PATH: &str =
    "must start with `/` and contain neither spaces nor `#`; encode them as %20 and %23";

/// Whether a request can be sent to this path, with or without a query. The part after a `#` would never be sent.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains('#') && text.parse::<http::uri::PathAndQuery>().is_ok()
}

fn check_endpoint(path: &str, endpoint: &str, faults: &mut ConfigErrors) {
    if let Err(problem) = Endpoint::parse(endpoint) {
        faults.add(path, problem);
    }
}

fn check_names(fleet: &Fleet, faults: &mut ConfigErrors) {
    let mut owner: HashMap<&str, &str> = fleet.detectors.keys().map(|n| (&**n, &**n)).collect();
    for (name, detector) in &fleet.detectors {
        if let Some(live) = &detector.shadow_of {
            let path = format!("detectors.{name}.shadow_of");
            let called =
                |(own, it): &(&String, &Detector)| *own == live || it.aliases.contains(live);
            match fleet.detectors.iter().find(called) {
                None => faults.add(path, format!("no detector is named `{live}`")),
                Some((own, other)) if other.shadow_of.is_some() || own == name => {
                    faults.add(path, format!("`{live}` is not a live detector"));
                }
                Some(_) => {}
            }
        }
        for (index, alias) in detector.aliases.iter().enumerate() {
            let path = format!("detectors.{name}.aliases[{index}]");
            if !is_name(alias) {
                faults.add(path.clone(), NO_NAME);
            }
            if let Some(other) = owner.insert(alias, name) {
                faults.add(path, format!("`{alias}` is already an alias of `{other}`"));
            }
        }
    }
}

fn check_ports(fleet: &Fleet, faults: &mut ConfigErrors) {
    let mut taken: HashMap<(String, u16), &str> = HashMap::new();
    for (name, detector) in &fleet.detectors {
        let Some(authority) = detector.authority() else {
            continue;
        };
        // Port 0 is any free one.
        if authority.1 == 0 {
            continue;
        }
        if let Some(other) = taken.insert(authority.clone(), name) {
            let message = format!(
                "{}:{} is already used by `{other}`",
                authority.0, authority.1
            );
            faults.add(format!("detectors.{name}.endpoint"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_name, is_path, is_redis_url};

    #[test]
    fn a_name_is_a_word() {
        for (name, usable) in [
            ("mock-detector.v2_1", true),
            ("", false),
            ("b c", false),
            ("ä", false),
            ("a/b", false),
            ("a\n", false),
        ] {
            assert_eq!(is_name(name), usable, "{name:?}");
        }
        assert!(is_name(&"x".repeat(128)) && !is_name(&"x".repeat(129)));
    }

    #[test]
    fn a_redis_url_can_be_connected_to() {
        for (url, usable) in [
            ("redis://127.0.0.1:6379", true),
            ("redis://h", true),
            ("redis://user:p@ss@h:1/0", true),
            ("redis://:secret@[::1]:6379/12?protocol=resp3", true),
            ("redis://:secret@bad host:port", false),
            ("redis://h:port", false),
            ("redis://h:99999", false),
            ("redis://h:0", false),
            ("redis://h:1/first", false),
            ("redis://h :1", false),
            ("redis://", false),
            ("redis://:6379", false),
            ("http://h:1", false),
            ("h:1", false),
        ] {
            assert_eq!(is_redis_url(url), usable, "{url}");
        }
    }

    #[test]
    fn a_path_can_be_asked_for() {
        for (path, usable) in [
            ("/", true),
            ("/health?deep=1", true),
            ("/a%20b", true),
            ("/a b", false),
            ("/a\tb", false),
            ("/a\nb", false),
            ("/health#deep", false),
            ("/health?deep=1#now", false),
            ("/health%23deep", true),
            ("health", false),
            ("http://other/health", false),
            ("", false),
        ] {
            assert_eq!(is_path(path), usable, "{path:?}");
        }
    }
}
