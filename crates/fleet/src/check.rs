//! What makes sense: values in range, names that do not collide, endpoints that can be called.

use std::collections::HashMap;

use detector_api::scope;

use crate::config::{Auth, Detector, Fleet, Orchestration, PerformanceTargets};
use crate::fault::Faults;
use crate::secret::{SecretUrl, StoreKeys};

/// Adds a fault for everything in `fleet` that is well-formed and still makes no sense.
pub(crate) fn check(fleet: &Fleet, faults: &mut Faults) {
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

fn check_orchestration(settings: &Orchestration, faults: &mut Faults) {
    let path = |field: &str| format!("orchestration.{field}");
    for (field, value) in [
        ("default_timeout_ms", settings.default_timeout_ms),
        ("sync_sla_ms", settings.sync_sla_ms),
        ("job_lease_ms", settings.job_lease_ms),
        ("redis_timeout_ms", settings.redis_timeout_ms),
        ("cache.ttl_ms", settings.cache.ttl_ms),
        ("health.interval_ms", settings.health.interval_ms),
        ("health.timeout_ms", settings.health.timeout_ms),
    ] {
        if value == 0 {
            faults.add(path(field), "is 0; use at least 1 (milliseconds)");
        }
    }
    share(
        &path("partial_coverage_threshold"),
        settings.partial_coverage_threshold,
        faults,
    );
    let mut part = Vec::new();
    settings.overload.limit.validate(&mut part);
    faults.add_below(&path("overload.limit"), part);
    settings.rate_limit.check(&path("rate_limit"), faults);
    if let Some(url) = &settings.redis_url {
        check_redis(&path("redis_url"), url, faults);
    }
    let keys = settings.store_key.as_ref().map(StoreKeys::keys);
    if keys.is_some_and(|keys| keys.is_none()) {
        // The message does not repeat it.
        let message = "use 32 random bytes in base64 (openssl rand -base64 32), several separated \
                       by commas";
        faults.add(path("store_key"), message);
    }
    if ![200, 206, 207].contains(&settings.partial_status) {
        faults.add(path("partial_status"), "use 206, 200 or 207");
    }
    if settings.health.unhealthy_after == 0 || settings.health.healthy_after == 0 {
        faults.add(
            path("health"),
            "unhealthy_after and healthy_after must be at least 1",
        );
    }
}

/// The message does not repeat the URL: it may hold a password.
fn check_redis(path: &str, url: &SecretUrl, faults: &mut Faults) {
    let rest = url.reveal().strip_prefix("redis://");
    let host = rest.map(|rest| rest.rsplit_once('@').map_or(rest, |(_, host)| host));
    if host.is_none_or(|host| host.is_empty() || host.starts_with([':', '/'])) {
        faults.add(path, "use redis://[user:password@]host:port[/database]");
    }
}

fn check_auth(auth: &Auth, faults: &mut Faults) {
    if http::HeaderName::try_from(auth.header.as_str()).is_err() {
        faults.add("orchestration.auth.header", "is no HTTP header name");
    }
    check_scopes("orchestration.auth.anonymous", &auth.anonymous, faults);
    for (index, key) in auth.keys.iter().enumerate() {
        let path = format!("orchestration.auth.keys[{index}]");
        check_scopes(&format!("{path}.scopes"), &key.scopes, faults);
        if key.sha256.len() != 64 || !key.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            let hint = "must be 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints";
            faults.add(format!("{path}.sha256"), hint);
        }
        if key.tenant.is_empty() || key.tenant.len() > 64 {
            faults.add(format!("{path}.tenant"), "must have 1 to 64 characters");
        }
    }
}

fn check_scopes(path: &str, scopes: &[String], faults: &mut Faults) {
    for (index, given) in scopes.iter().enumerate() {
        if !scope::ALL.contains(&given.as_str()) {
            let known = scope::ALL.join(", ");
            faults.add(
                format!("{path}[{index}]"),
                format!("is no scope; use {known}"),
            );
        }
    }
}

fn check_targets(targets: &PerformanceTargets, faults: &mut Faults) {
    share(
        "performance_targets.success_rate",
        targets.success_rate,
        faults,
    );
    if targets.throughput_rps.is_nan() || targets.throughput_rps < 0.0 {
        faults.add("performance_targets.throughput_rps", "must not be negative");
    }
}

fn check_detector(path: &str, name: &str, detector: &Detector, faults: &mut Faults) {
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(usable) {
        faults.add(path, "a name has 1 to 64 letters, digits, `-`, `_` or `.`");
    }
    check_endpoint(&format!("{path}.endpoint"), &detector.endpoint, faults);
    for (index, endpoint) in detector.endpoints.iter().enumerate() {
        check_endpoint(&format!("{path}.endpoints[{index}]"), endpoint, faults);
    }
    if detector.timeout_ms == Some(0) {
        faults.add(
            format!("{path}.timeout_ms"),
            "is 0; use at least 1 (milliseconds)",
        );
    }
    if detector.max_retries > 10 {
        faults.add(
            format!("{path}.max_retries"),
            "use at most 10; more only feeds an outage",
        );
    }
    if !detector.health_check_path.starts_with('/') {
        faults.add(format!("{path}.health_check_path"), "must start with `/`");
    }
    if !(detector.weight.is_finite() && detector.weight > 0.0) {
        faults.add(format!("{path}.weight"), "must be a number above 0");
    }
    if detector.max_in_flight == 0 {
        faults.add(format!("{path}.max_in_flight"), "must be at least 1");
    }
    let mut part = Vec::new();
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

fn check_endpoint(path: &str, endpoint: &str, faults: &mut Faults) {
    let problem = match endpoint.parse::<http::Uri>() {
        Err(error) => format!("`{endpoint}` is no URL: {error}"),
        Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
            format!("`{endpoint}` must start with http:// or https://")
        }
        Ok(uri) if uri.host().is_none_or(str::is_empty) => format!("`{endpoint}` names no host"),
        Ok(_) => return,
    };
    faults.add(path, problem);
}

fn check_names(fleet: &Fleet, faults: &mut Faults) {
    let mut owner: HashMap<&str, &str> = fleet.detectors.keys().map(|n| (&**n, &**n)).collect();
    for (name, detector) in &fleet.detectors {
        if let Some(live) = &detector.shadow_of {
            let path = format!("detectors.{name}.shadow_of");
            match fleet.detectors.get(live) {
                None => faults.add(path, format!("no detector is called `{live}`")),
                Some(other) if other.shadow_of.is_some() || live == name => {
                    faults.add(path, format!("`{live}` is no live detector"));
                }
                Some(_) => {}
            }
        }
        for (index, alias) in detector.aliases.iter().enumerate() {
            if let Some(other) = owner.insert(alias, name) {
                let path = format!("detectors.{name}.aliases[{index}]");
                faults.add(path, format!("`{alias}` already stands for `{other}`"));
            }
        }
    }
}

fn check_ports(fleet: &Fleet, faults: &mut Faults) {
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
            let message = format!("{}:{} is already `{other}`'s", authority.0, authority.1);
            faults.add(format!("detectors.{name}.endpoint"), message);
        }
    }
}

fn share(path: &str, value: f64, faults: &mut Faults) {
    if !(0.0..=1.0).contains(&value) {
        faults.add(
            path,
            format!("{value} is no share; use a number from 0 to 1"),
        );
    }
}
