//! Who may use whom: the table of docs/ARCHITECTURE.md, held against `cargo metadata`.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// A crate of ours and the crates of ours that it may use.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("detector-api", &[]),
    ("fault-profile", &[]),
    ("load-metrics", &[]),
    ("resilience", &[]),
    ("service-runtime", &[]),
    ("fleet", &["detector-api", "fault-profile", "resilience"]),
    ("load-engine", &["load-metrics"]),
    ("load-script", &["load-engine", "load-metrics"]),
    (
        "mock-detectors",
        &["detector-api", "fault-profile", "fleet", "service-runtime"],
    ),
    (
        "orchestrator",
        &["detector-api", "fleet", "resilience", "service-runtime"],
    ),
    (
        "suite",
        &[
            "detector-api",
            "fleet",
            "load-engine",
            "load-metrics",
            "load-script",
            "service-runtime",
        ],
    ),
    ("sparring", ALL),
    ("xtask", ALL),
];

const ALL: &[&str] = &[
    "detector-api",
    "fault-profile",
    "fleet",
    "load-engine",
    "load-metrics",
    "load-script",
    "mock-detectors",
    "orchestrator",
    "resilience",
    "service-runtime",
    "sparring",
    "suite",
];

/// Crates from outside that only these crates of ours may name.
const FENCED: [(&str, &[&str]); 3] = [
    ("rquickjs", &["load-script"]),
    ("corosensei", &["load-script"]),
    ("serde-saphyr", &["fleet", "suite"]),
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
