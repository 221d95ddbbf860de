//! The allowed dependencies between crates: the table of docs/ARCHITECTURE.md against `cargo metadata`.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// A crate of the workspace, and those that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("analysis", &[]),
    ("detector-api", &[]),
    ("interval-log", &[]),
    ("fault-profile", &["live-config"]),
    ("live-config", &[]),
    ("load-metrics", &[]),
    ("report", &["analysis", "interval-log"]),
    ("resilience", &["live-config"]),
    ("service-runtime", &[]),
    ("script-engine", &[]),
    ("script-formats", &[]),
    ("web-crypto", &[]),
    (
        "fleet",
        &["detector-api", "fault-profile", "live-config", "resilience"],
    ),
    ("load-engine", &["load-metrics"]),
    ("load-outputs", &["load-engine", "load-metrics"]),
    (
        "live-page",
        &[
            "analysis",
            "load-engine",
            "load-metrics",
            "load-outputs",
            "report",
        ],
    ),
    (
        "collector",
        &[
            "analysis",
            "interval-log",
            "load-engine",
            "load-metrics",
            "load-outputs",
            "service-runtime",
        ],
    ),
    ("grpc-client", &[]),
    ("http-client", &["web-crypto"]),
    ("job-store", &[]),
    ("redis-client", &[]),
    (
        "load-script",
        &[
            "grpc-client",
            "http-client",
            "load-engine",
            "load-metrics",
            "redis-client",
            "script-engine",
            "script-formats",
            "web-crypto",
        ],
    ),
    (
        "load-driver",
        &[
            "collector",
            "live-page",
            "load-engine",
            "load-metrics",
            "load-outputs",
            "load-script",
        ],
    ),
    (
        "mock-detectors",
        &[
            "detector-api",
            "fault-profile",
            "fleet",
            "live-config",
            "service-runtime",
            "simulated-server",
        ],
    ),
    (
        "orchestrator",
        &[
            "detector-api",
            "fleet",
            "job-store",
            "live-config",
            "resilience",
            "service-runtime",
        ],
    ),
    (
        "simulated-server",
        &[
            "detector-api",
            "fault-profile",
            "live-config",
            "service-runtime",
        ],
    ),
    (
        "target-systems",
        &[
            "detector-api",
            "fault-profile",
            "live-config",
            "service-runtime",
            "simulated-server",
        ],
    ),
    (
        "suite",
        &[
            "analysis",
            "detector-api",
            "interval-log",
            "live-config",
            "live-page",
            "load-driver",
            "load-engine",
            "load-metrics",
            "load-outputs",
            "load-script",
            "report",
            "service-runtime",
            "simulated-server",
        ],
    ),
    ("sparring", ALL),
    ("xtask", ALL),
];

const ALL: &[&str] = &[
    "analysis",
    "collector",
    "detector-api",
    "fault-profile",
    "fleet",
    "grpc-client",
    "http-client",
    "interval-log",
    "job-store",
    "live-config",
    "live-page",
    "load-driver",
    "load-engine",
    "load-metrics",
    "load-outputs",
    "load-script",
    "mock-detectors",
    "orchestrator",
    "report",
    "resilience",
    "script-engine",
    "script-formats",
    "service-runtime",
    "simulated-server",
    "sparring",
    "suite",
    "target-systems",
    "web-crypto",
];

/// External crates that only these crates of the workspace may name.
const FENCED: [(&str, &[&str]); 3] = [
    ("rquickjs", &["script-engine"]),
    ("corosensei", &["script-engine"]),
    ("serde-saphyr", &["live-config"]),
];

pub(super) fn check(root: &Path) -> Vec<String> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    match metadata {
        Err(error) => vec![format!("cargo metadata: {error}")],
        Ok(metadata) => metadata.packages.iter().flat_map(check_crate).collect(),
    }
}

fn check_crate(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "{name}: stands in no layer; add it to the table in layers.rs"
        )];
    };
    let ours = |dependency: &str| MAY_USE.iter().any(|(known, _)| *known == dependency);
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let used = dependency.name.as_str();
        let shipped = dependency.kind == DependencyKind::Normal;
        if ours(used) && shipped && !allowed.contains(&used) {
            found.push(format!(
                "{name} may not use {used}: see the layers in docs/ARCHITECTURE.md"
            ));
        }
        let fence = FENCED.iter().find(|(fenced, _)| *fenced == used);
        if fence.is_some_and(|(_, users)| shipped && !users.contains(&name)) {
            found.push(format!("{name} may not name the crate {used} from outside"));
        }
    }
    found
}
