//! The properties that must be equal for two runs to be comparable.

use sha2::{Digest, Sha256};

use crate::number::bytes;
use crate::record::RunRecord;

const GIBIBYTE: u64 = 1 << 30;

/// The properties of a run's testbed, each with its value as text.
fn properties(run: &RunRecord) -> [(&'static str, String); 6] {
    let unknown = || "unknown".to_owned();
    let generator = &run.generator;
    let memory = generator.memory_bytes.map(|size| {
        // The same machine reports slightly less after a kernel update.
        let rounded = size.div_ceil(GIBIBYTE) * GIBIBYTE;
        bytes(rounded as f64)
    });
    [
        (
            "processor",
            generator.cpu_model.clone().unwrap_or_else(unknown),
        ),
        (
            "cores",
            generator
                .cores
                .map_or_else(unknown, |cores| cores.to_string()),
        ),
        ("memory", memory.unwrap_or_else(unknown)),
        ("kernel", generator.kernel.clone().unwrap_or_else(unknown)),
        ("target", run.target.name.clone()),
        ("simulated", run.target.simulated.to_string()),
    ]
}

/// The testbed as twelve hexadecimal digits: processor, cores, memory, kernel, and the target's name.
///
/// The target's revision is not included: baselines exist to compare revisions.
pub fn fingerprint(run: &RunRecord) -> String {
    let mut hash = Sha256::new();
    for (name, value) in properties(run) {
        hash.update(format!("{name}={value}\n"));
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The testbed in one line.
pub fn describe(run: &RunRecord) -> String {
    let all: Vec<String> = properties(run)
        .into_iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    all.join(", ")
}

/// The differences that prevent a comparison, one sentence each.
pub fn differences(baseline: &RunRecord, candidate: &RunRecord) -> Vec<String> {
    let mut found = Vec::new();
    let mut differs = |what: &str, before: &str, after: &str| {
        if before != after {
            found.push(format!("{what}: {before} against {after}"));
        }
    };
    differs("suite", &baseline.suite, &candidate.suite);
    let pairs = properties(baseline).into_iter().zip(properties(candidate));
    for ((name, before), (_, after)) in pairs {
        differs(name, &before, &after);
    }
    differs(
        "plan",
        &short(&baseline.plan_hash),
        &short(&candidate.plan_hash),
    );
    differs(
        "time scale",
        &baseline.time_scale.to_string(),
        &candidate.time_scale.to_string(),
    );
    differs(
        "percentile method",
        &baseline.percentile_method,
        &candidate.percentile_method,
    );
    found
}

/// The differences that are permitted.
pub fn remarks(baseline: &RunRecord, candidate: &RunRecord) -> Vec<String> {
    let mut found = Vec::new();
    let unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let mut remark = |what: &str, before: String, after: String| {
        if before != after {
            found.push(format!("{what}: {before}, then {after}."));
        }
    };
    remark(
        "Revision of the target",
        unknown(&baseline.target.revision),
        unknown(&candidate.target.revision),
    );
    remark(
        "Generator",
        baseline.generator.version.clone(),
        candidate.generator.version.clone(),
    );
    found
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
