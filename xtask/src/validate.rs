//! The one check: everything that has to hold before a change lands.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave the tests out, where they have just been run
    #[arg(long)]
    skip_tests: bool,
}

/// What is checked by programs that not everybody has.
const OPTIONAL: [(&str, &[&str]); 4] = [
    (
        "Prometheus configuration",
        &["promtool", "check", "config", "prometheus/prometheus.yml"],
    ),
    (
        "alerts",
        &[
            "promtool",
            "test",
            "rules",
            "prometheus/rules/tests/alerts_test.yml",
        ],
    ),
    (
        "locustfile",
        &[
            "python3",
            "-m",
            "py_compile",
            "tests/locust/locustfile_orchestration.py",
        ],
    ),
    (
        "compose file",
        &[
            "docker-compose",
            "-f",
            "docker-compose.test.yml",
            "config",
            "-q",
        ],
    ),
];

/// Every kustomization can be built; skipped without kubectl.
const MANIFESTS: &str = "command -v kubectl >/dev/null || exit 0
for folder in deploy/k8s deploy/k8s/*/; do kubectl kustomize $folder >/dev/null || exit 1; done";

/// Every interleaving on the retry budget and the breaker's state.
const LOOM: &[&str] = &[
    "cargo",
    "test",
    "--package",
    "resilience",
    "--features",
    "loom",
    "--test",
    "loom",
    "--quiet",
];

/// Runs all steps, also behind a failed one, and prints a line for each. True: all held.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    let mut steps: Vec<(&str, Vec<&str>)> = vec![
        ("fmt", vec!["cargo", "fmt", "--all", "--check"]),
        (
            "clippy",
            vec![
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        (
            "docs",
            vec!["cargo", "doc", "--workspace", "--no-deps", "--quiet"],
        ),
        (
            "fleet file",
            vec!["cargo", "run", "--quiet", "--", "check", "detectors.yaml"],
        ),
        ("CI script", vec!["bash", "-n", ".ci/run"]),
        ("smoke script", vec!["bash", "-n", "tests/compose_smoke.sh"]),
        ("manifests", vec!["bash", "-c", MANIFESTS]),
    ];
    for (name, command) in OPTIONAL {
        if command.first().is_some_and(|program| installed(program)) {
            steps.push((name, command.to_vec()));
        } else {
            println!("validate: {name}: skipped, {} is not installed", command[0]);
        }
    }
    if !arguments.skip_tests {
        steps.push(("tests", vec!["cargo", "test", "--workspace", "--quiet"]));
    }
    steps.push(("loom", LOOM.to_vec()));
    if installed("cargo-deny") {
        steps.push((
            "licences",
            vec!["cargo", "deny", "check", "licenses", "bans", "sources"],
        ));
    } else {
        println!("validate: licences: skipped, `cargo install --locked cargo-deny` brings it");
    }
    let mut sound = report("tidy", || crate::tidy::run(root));
    let form = crate::dashboards::Arguments::default();
    sound &= report("dashboards", || crate::dashboards::run(root, &form));
    sound &= report("reference pages", || crate::reference::is_fresh(root));
    for (name, command) in &steps {
        sound &= report(name, || execute(root, command));
    }
    sound
}

fn report(name: &str, step: impl FnOnce() -> bool) -> bool {
    let begun = Instant::now();
    let held = step();
    let verdict = if held { "ok" } else { "FAILED" };
    println!(
        "validate: {name}: {verdict} ({:.0} s)",
        begun.elapsed().as_secs_f64()
    );
    held
}

fn execute(root: &Path, command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let mut process = Command::new(program);
    process
        .args(arguments)
        .current_dir(root)
        .env("RUSTDOCFLAGS", "-D warnings");
    process.status().is_ok_and(|status| status.success())
}

fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
