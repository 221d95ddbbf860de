//! The machine and the environment of a run: its testbed.

use std::ffi::OsString;
use std::fs::read_to_string;

use indexmap::IndexMap;
use report::record::Generator;

/// Prefixes of the variables that affect a run or are recorded.
const RECORDED: [&str; 10] = [
    "ACSO_",
    "AWS_REGION",
    "ENVIRONMENT",
    "K6_",
    "LOCUST_",
    "LOG_LEVEL",
    "ORCHESTRATION_PERF_",
    "ORCHESTRATION_POLICY_BUNDLE",
    "PERFORMANCE_TIMEOUT_MULTIPLIER",
    "PERF_",
];
/// Parts of the names of variables whose values are not recorded.
const SECRET: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];

/// This program on this machine.
pub fn generator() -> Generator {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").ok();
    Generator {
        name: "sparring".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cpu_model: field(&info, "model name").map(str::to_owned),
        cores: std::thread::available_parallelism()
            .ok()
            .map(|cores| cores.get() as u32),
        memory_bytes: field(&memory, "MemTotal").and_then(bytes),
        kernel: kernel.map(|text| text.trim().to_owned()),
    }
}

/// The settings among these variables; values of secrets are omitted.
pub fn environment(variables: &[(OsString, OsString)]) -> IndexMap<String, String> {
    let text = |(name, value): &(OsString, OsString)| {
        Some((
            name.to_str()?.to_owned(),
            value.to_string_lossy().into_owned(),
        ))
    };
    let mut found: Vec<(String, String)> = variables
        .iter()
        .filter_map(text)
        .filter(|(name, _)| RECORDED.iter().any(|begin| name.starts_with(begin)))
        .map(|(name, value)| {
            let is_secret =
                SECRET.iter().any(|part| name.contains(part)) && !name.ends_with("_HEADER");
            (name, if is_secret { "(set)".to_owned() } else { value })
        })
        .collect();
    found.sort();
    found.into_iter().collect()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn bytes(kilobytes: &str) -> Option<u64> {
    let number: u64 = kilobytes.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_recorded_and_secrets_are_not() {
        let variables = [
            ("PERF_BASE_URL", "http://x"),
            ("HOME", "/h"),
            ("ORCHESTRATION_PERF_API_KEY", "k"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let found = environment(&variables);
        assert_eq!(found.len(), 2);
        assert_eq!(found["PERF_BASE_URL"], "http://x");
        assert_eq!(found["ORCHESTRATION_PERF_API_KEY"], "(set)");
    }
}
