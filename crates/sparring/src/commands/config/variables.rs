//! Every environment variable that is used or recorded.

use super::source::{Setting, Source};
use crate::environment;

/// Name, default (if any) and meaning.
const VARIABLES: [(&str, Option<&str>, &str); 35] = [
    (
        "LOG_LEVEL",
        Some("warn"),
        "the log level; -v takes precedence",
    ),
    ("ENVIRONMENT", None, "recorded in the report"),
    ("AWS_REGION", None, "recorded in the report"),
    (
        "ACSO_PERFORMANCE_MODE",
        None,
        "the toggles of the group `performance` of a simulated system",
    ),
    (
        "PERFORMANCE_TIMEOUT_MULTIPLIER",
        Some("1"),
        "multiplies timeouts of requests and deadlines of simulated systems, not thresholds",
    ),
    (
        "PERF_SYSTEM",
        None,
        "the suite, where nothing else names one",
    ),
    ("PERF_BASE_URL", None, "the service under test"),
    ("PERF_P95_RESPONSE_TIME_MS", None, "the orchestrator's p95"),
    (
        "PERF_SUCCESS_RATE",
        None,
        "the orchestrator's share of successes",
    ),
    ("PERF_THROUGHPUT_RPS", None, "the orchestrator's benchmark"),
    (
        "LOCUST_HOST",
        None,
        "the service under test, after PERF_BASE_URL",
    ),
    ("LOCUST_USERS", None, "users of the orchestrator's load"),
    ("LOCUST_SPAWN_RATE", None, "its spawn rate"),
    ("LOCUST_RUN_TIME", None, "its length"),
    ("K6_SMOKE_VUS", None, "users of the orchestrator's smoke"),
    ("K6_SMOKE_DURATION", None, "its length"),
    (
        "K6_LOAD_TARGET_VUS",
        None,
        "users of the orchestrator's load, before LOCUST_USERS",
    ),
    (
        "K6_LOAD_DURATION",
        None,
        "its length, before LOCUST_RUN_TIME",
    ),
    (
        "K6_STRESS_START_VUS",
        None,
        "first level of the orchestrator's stress",
    ),
    ("K6_STRESS_PEAK_VUS", None, "its highest level"),
    ("K6_STRESS_DURATION", None, "its length"),
    (
        "K6_THROUGHPUT_DURATION",
        None,
        "length of the orchestrator's benchmark",
    ),
    (
        "K6_WAIT_FACTOR",
        Some("1"),
        "multiplies the waits of the scripts",
    ),
    (
        "ORCHESTRATION_PERF_TENANT_ID",
        Some("perf-tenant"),
        "who asks",
    ),
    (
        "ORCHESTRATION_PERF_API_KEY",
        Some("test-key"),
        "with which key",
    ),
    (
        "ORCHESTRATION_PERF_API_KEY_HEADER",
        Some("X-API-Key"),
        "in which header",
    ),
    (
        "ORCHESTRATION_TENANT_HEADER",
        Some("X-Tenant-ID"),
        "the tenant's header",
    ),
    (
        "ORCHESTRATION_POLICY_BUNDLE",
        Some("default"),
        "the policy of requests",
    ),
    (
        "ORCHESTRATION_PERF_BATCH_SIZE",
        Some("5"),
        "requests in a batch",
    ),
    ("ORCHESTRATION_PERF_IDEMPOTENCY_KEY", None, "send keys"),
    (
        "ORCHESTRATION_PERF_SOUND_DETECTOR",
        Some("mock-detector-success"),
        "of the requirement checks",
    ),
    (
        "ORCHESTRATION_PERF_WEAK_DETECTOR",
        Some("mock-detector-failing"),
        "of the requirement checks",
    ),
    ("SPARRING_CONFIG", None, "the fleet file"),
    ("HTTP_PROXY", None, "the proxy of requests"),
    ("HTTPS_PROXY", None, "the proxy of requests by TLS"),
];

/// The names of these variables.
pub fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, _, _)| *name)
}

/// Beginning of the names of variables that override the fleet file.
const FLEET: &str = "SPARRING_";
/// A part of the names of variables whose values are not shown.
const SECRET: &str = "API_KEY";

/// All of these, and the variables that override the fleet file.
pub fn settings() -> Vec<Setting> {
    let known = VARIABLES.into_iter().map(|(name, default, about)| {
        let set = environment::nonempty_text(name);
        let setting = match (set, default) {
            (Some(value), _) => {
                Setting::new(name, shown(name, value), Source::Variable(name.to_owned()))
            }
            (None, Some(default)) => Setting::new(name, default, Source::Default),
            (None, None) => Setting::unset(name),
        };
        setting.about(about)
    });
    let mut of_fleet: Vec<(String, String)> = environment::texts()
        .filter(|(name, _)| name.starts_with(FLEET) && name.contains("__"))
        .collect();
    of_fleet.sort();
    let of_fleet = of_fleet.into_iter().map(|(name, value)| {
        let value = shown(&name, value);
        Setting::new(name.clone(), value, Source::Variable(name)).about("overrides a file")
    });
    known.chain(of_fleet).collect()
}

fn shown(name: &str, value: String) -> String {
    let is_secret = name.contains(SECRET) && !name.ends_with("_HEADER");
    let is_key = ["TOKEN", "SECRET", "PASSWORD", "_KEY"]
        .iter()
        .any(|part| name.contains(part));
    if is_secret || (is_key && name.starts_with(FLEET)) {
        "(set)".to_owned()
    } else {
        value
    }
}
