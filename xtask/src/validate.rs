//! The one check: all conditions for a change to land.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Skip the tests, if they have just been run
    #[arg(long)]
    skip_tests: bool,
}

/// A check by a program that may not be installed.
struct Optional {
    name: &'static str,
    /// A command that succeeds if the program is installed.
    needs: &'static [&'static str],
    /// The way to install it.
    remedy: &'static str,
    command: &'static [&'static str],
}

const PROMTOOL: &[&str] = &["promtool", "--version"];
const PROMTOOL_REMEDY: &str = "promtool comes with Prometheus";

const OPTIONAL: [Optional; 9] = [
    Optional {
        name: "Prometheus configuration",
        needs: PROMTOOL,
        remedy: PROMTOOL_REMEDY,
        command: &["promtool", "check", "config", "prometheus/prometheus.yml"],
    },
    Optional {
        name: "rules",
        needs: PROMTOOL,
        remedy: PROMTOOL_REMEDY,
        command: &["sh", "-c", "promtool check rules prometheus/rules/*.yml"],
    },
    Optional {
        name: "alerts",
        needs: PROMTOOL,
        remedy: PROMTOOL_REMEDY,
        command: &[
            "sh",
            "-c",
            "promtool test rules prometheus/rules/tests/*.yml",
        ],
    },
    Optional {
        name: "locustfile",
        needs: &["python3", "--version"],
        remedy: "python3 is not installed",
        command: &[
            "sh",
            "-c",
            "python3 -m py_compile tests/locust/*.py tests/*.py",
        ],
    },
    Optional {
        name: "compose file",
        needs: &["docker-compose", "--version"],
        remedy: "docker-compose 1.29 is not installed",
        command: &[
            "docker-compose",
            "-f",
            "docker-compose.test.yml",
            "--profile=load",
            "--profile=drill",
            "--profile=replicas",
            "config",
            "-q",
        ],
    },
    Optional {
        name: "compose file, v2",
        needs: &["docker", "compose", "version"],
        remedy: "docker has no compose plugin",
        command: &[
            "docker",
            "compose",
            "-f",
            "docker-compose.test.yml",
            "--profile=load",
            "--profile=drill",
            "--profile=replicas",
            "config",
            "-q",
        ],
    },
    Optional {
        name: "manifests",
        needs: &[
            "sh",
            "-c",
            "kubectl version --client && python3 -c 'import kubernetes_validate'",
        ],
        remedy: "kubectl, and pip install -r tests/kubernetes_requirements.txt",
        command: &["python3", "tests/kubernetes_manifests.py"],
    },
    Optional {
        name: "book",
        needs: &["mdbook", "--version"],
        remedy: "`cargo install --locked mdbook` brings it",
        command: &["cargo", "xtask", "book"],
    },
    Optional {
        name: "licences",
        needs: &["cargo-deny", "--version"],
        remedy: "`cargo install --locked cargo-deny` brings it",
        command: &["cargo", "deny", "check", "licenses", "bans", "sources"],
    },
];

/// Steps that even CI skips, since it cannot install their program in reasonable time (docs/decisions/0021).
const NOT_IN_CI: [&str; 2] = ["compose file, v2", "book"];

/// Checks every interleaving on the retry budget and the breaker's state.
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

/// Runs all steps, also after a failed one, and prints a line for each. Returns whether all succeeded.
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
        ("CI script", vec!["bash", "-n", ".ci/run"]),
        ("smoke script", vec!["bash", "-n", "tests/compose_smoke.sh"]),
        ("API script", vec!["bash", "-n", "tests/schemathesis.sh"]),
        ("suites script", vec!["bash", "-n", "tests/all_suites.sh"]),
    ];
    let mut sound = true;
    for step in &OPTIONAL {
        if succeeds(step.needs) {
            steps.push((step.name, step.command.to_vec()));
        } else {
            sound &= left_out(step);
        }
    }
    if !arguments.skip_tests {
        steps.push(("tests", vec!["cargo", "test", "--workspace", "--quiet"]));
    }
    steps.push(("loom", LOOM.to_vec()));
    sound &= report("tidy", || crate::tidy::run(root));
    let form = crate::dashboards::Arguments::default();
    sound &= report("dashboards", || crate::dashboards::run(root, &form));
    sound &= report("workflows", || crate::workflows::run(root));
    sound &= report("reference pages", || crate::reference::is_fresh(root));
    sound &= report("requirements", || crate::seeds::are_held(root));
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

/// Reports a skipped step. On a machine that should have the program (`CI` is set), that is a failure.
fn left_out(step: &Optional) -> bool {
    let may_lack = std::env::var_os("CI").is_none() || NOT_IN_CI.contains(&step.name);
    let verdict = if may_lack { "SKIPPED" } else { "FAILED" };
    println!(
        "validate: {}: {verdict}, not checked: {}",
        step.name, step.remedy
    );
    may_lack
}

fn succeeds(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}
