//! Every `sh` block of a guide works, in the order of the page, in an empty folder and a network namespace; the time of
//! each command is printed. Blocks marked `no-run` are run by separate tests, and parsed here, like commands in
//! sentences and tables of all pages. The YAML commands of the guide for CI are run in a shorter form.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apart::{self, Done, Known, print_times};

const LONGEST_S: u32 = 150;

/// The guides without a command.
const WITHOUT_COMMANDS: [&str; 2] = ["README.md", "troubleshooting.md"];

/// The guide whose commands are in YAML.
const OF_CI: &str = "ci.md";

/// The beginning of each command of that guide, and its treatment.
const CI_COMMANDS: [Known; 4] = [
    ("apt-get update", Done::By("tests/it/guides.rs")),
    (
        "cargo install --locked --path crates/sparring",
        Done::By("tests/newcomer.sh"),
    ),
    (
        "K6_SMOKE_DURATION=30s sparring test smoke",
        Done::Run("K6_SMOKE_DURATION=4s sparring test smoke"),
    ),
    (
        "PERF_BASE_URL=https://staging.example.com sparring test smoke",
        Done::Run(
            "sparring up -q >/dev/null 2>&1 & \
             for n in {1..200}; do curl -sf localhost:8000/health && break; sleep 0.05; done; \
             PERF_BASE_URL=http://127.0.0.1:8000 K6_SMOKE_DURATION=4s sparring test smoke",
        ),
    ),
];

/// The start of each command in a block that is marked `no-run`, and the file that runs it.
const RUN_ELSEWHERE: [(&str, &str); 11] = [
    ("sparring drill tests/suites/", "tests/it/drill.rs"),
    ("sparring agent --listen", "tests/it/agents.rs"),
    ("sparring run script.js --agents", "tests/it/agents.rs"),
    ("kubectl apply -k", "tests/kubernetes_manifests.py"),
    (
        "kubectl -n sparring create",
        "tests/kubernetes_manifests.py",
    ),
    ("sparring test --resume", "tests/it/suite_resume.rs"),
    ("sparring target aiaas", "tests/it/target.rs"),
    (
        "sparring test shop.yaml load --base-url",
        "tests/it/suite_prometheus.rs",
    ),
    ("locust -f", "tests/it/with_locust.rs"),
    ("sparring test -f", "tests/it/with_locust.rs"),
    (
        "sparring test acis load --time-scale 0.1 --with-locust",
        "tests/it/with_locust.rs",
    ),
];

/// The commands of the page's blocks with this first line; a command over several lines, or with a here-document
/// (`<<'EOF'`), counts as one.
fn commands(page: &str, fence: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut is_inside, mut goes_on, mut is_text) = (false, false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_inside = line == fence;
        } else if is_inside && (goes_on || !line.trim().is_empty()) {
            match found.last_mut().filter(|_| goes_on) {
                Some(before) => *before = format!("{before}\n{line}"),
                None => found.push(line.to_owned()),
            }
            is_text = (is_text || line.contains("<<'EOF'")) && line != "EOF";
            goes_on = is_text || line.ends_with('\\');
        }
    }
    found
}

/// A script that stops at the first failure, and writes the time of each command into `$TIMES`.
fn script_of(commands: &[String]) -> String {
    let mut script = "set -euo pipefail\nip link set lo up\n\
        took() { local end=$EPOCHREALTIME; \
        echo \"$(( (${end/./} - ${1/./}) / 1000 )) ms  $2\" >>\"$TIMES\"; }\n"
        .to_owned();
    for command in commands {
        let shown = command.lines().next().unwrap_or_default();
        let shown = shown.replace('\'', "'\\''");
        script.push_str("begin=$EPOCHREALTIME\n");
        script.push_str(command);
        script.push_str(&format!("\ntook $begin '{shown}'\n"));
    }
    // Processes that a page leaves running end with it.
    script.push_str("kill $(jobs -p) 2>/dev/null || true\nwait\n");
    script
}

fn folder_of_guides() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder_of_guides().join(name)).expect("the guide exists")
}

fn check(name: &str) {
    if !apart::has_networks_of_its_own() {
        return;
    }
    let commands = commands(&read(name), "```sh");
    assert!(
        commands.iter().any(|command| command.contains("sparring ")),
        "{name} has nothing to run"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let times = tempfile::NamedTempFile::new().expect("a temporary file");
    let script = script_of(&commands);
    let output = apart::run(&script, folder.path(), LONGEST_S, times.path());
    let taken = std::fs::read_to_string(times.path()).expect("it was made");
    print_times(&format!("docs/guides/{name}"), &taken);
    assert!(
        output.status.success(),
        "{name}: {}\nthe commands that worked:\n{taken}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(taken.lines().count(), commands.len(), "{taken}");
}

/// DET-35: the user's own scenario.
#[test]
fn a_script_runs_as_the_guide_says() {
    check("scripts.md");
}

#[test]
fn a_detector_is_described_served_and_changed_as_the_guide_says() {
    check("detectors.md");
}

#[test]
fn a_target_system_is_written_and_served_as_the_guide_says() {
    check("target-systems.md");
}

#[test]
fn a_drill_by_hand_goes_as_the_guide_says() {
    check("fault-drills.md");
}

/// DET-36: one test on several machines.
#[test]
fn a_test_is_divided_as_the_guide_says() {
    check("many-machines.md");
}

#[test]
fn a_service_of_ones_own_is_tested_as_the_guide_says() {
    check("own-service.md");
}

#[test]
fn a_report_is_read_checked_and_compared_as_the_guide_says() {
    check("reports.md");
}

#[test]
fn no_command_of_a_guide_is_without_a_test() {
    let root = folder_of_guides().join("../..");
    let own = include_str!("guides.rs");
    let entries = std::fs::read_dir(folder_of_guides()).expect("the folder exists");
    for entry in entries {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a plain name");
        let page = read(name);
        let is_checked = own.contains(&format!("check(\"{name}\");"));
        let is_else = WITHOUT_COMMANDS.contains(&name) || name == OF_CI;
        assert_ne!(is_checked, is_else, "{name}");
        assert_eq!(is_checked, !commands(&page, "```sh").is_empty(), "{name}");
        assert_eq!(name == OF_CI, !steps(&page).is_empty(), "{name}");
        for command in commands(&page, "```sh no-run") {
            let elsewhere = RUN_ELSEWHERE
                .iter()
                .find(|(begin, _)| command.starts_with(begin));
            let (_, file) = elsewhere.unwrap_or_else(|| panic!("{name}: nothing runs {command}"));
            assert!(root.join(file).exists(), "{name}: {file}");
            check_words(name, &command);
        }
        // No test would run blocks with another first line.
        let fences = page.lines().filter(|line| line.starts_with("```s"));
        for fence in fences {
            assert!(
                ["```sh", "```sh no-run"].contains(&fence),
                "{name}: {fence}"
            );
        }
    }
}

#[test]
fn a_command_ends_with_its_text() {
    let page = "```sh\ncat >a <<'EOF'\none\n\nEOF\n\nb \\\n  c &\nd\n```\n```sh no-run\ne\n```\n";
    let expected = ["cat >a <<'EOF'\none\n\nEOF", "b \\\n  c &", "d"];
    assert_eq!(commands(page, "```sh"), expected);
    assert_eq!(commands(page, "```sh no-run"), ["e"]);
}

/// The commands of the page's blocks of YAML: those of `run:`, `script:` and `before_script:`.
fn steps(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut is_inside, mut is_script) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_inside = line == "```yaml";
            continue;
        }
        let text = line.trim();
        let item = text.strip_prefix("- ");
        if !is_inside {
            continue;
        }
        if let Some(command) = item.unwrap_or(text).strip_prefix("run: ") {
            found.push(command.to_owned());
        } else if let (Some(command), true) = (item, is_script) {
            found.push(command.to_owned());
        } else {
            is_script = ["script:", "before_script:"].contains(&text);
        }
    }
    found
}

#[test]
fn the_steps_of_the_guide_for_ci_work() {
    if !apart::has_networks_of_its_own() {
        return;
    }
    let steps = steps(&read(OF_CI));
    assert!(steps.len() >= 5, "{steps:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = apart::script(&steps, &CI_COMMANDS);
    let output = apart::run(&script, folder.path(), LONGEST_S, Path::new("/dev/null"));
    let told = String::from_utf8_lossy(&output.stdout);
    print_times(&format!("docs/guides/{OF_CI}"), &told);
    assert!(output.status.success(), "{told}");
}

/// A pipeline's image needs the packages of the release's image: a C and a C++ compiler.
#[test]
fn the_packages_of_the_guide_for_ci_bring_what_the_build_needs() {
    let page = read(OF_CI);
    let steps = steps(&page);
    let installs: Vec<&String> = steps
        .iter()
        .filter(|step| step.contains("apt-get install"))
        .collect();
    let [install] = installs.as_slice() else {
        panic!("{installs:?}");
    };
    for package in ["gcc", "g++", "libc6-dev"] {
        let mut words = install.split_whitespace();
        assert!(words.any(|word| word == package), "{install}: {package}");
    }
}

/// A `sparring` in the search path that parses its command line and then only prints its help; other programs are not
/// called at all.
const READS_ONLY: &str = r#"#!/bin/bash
PATH=/usr/bin:/bin
echo "$*" >>"$CALLS"
"$SPARRING" "$@" --help >/dev/null 2>"$CALLS.error" || { echo "$*"; cat "$CALLS.error"; } >>"$CALLS.wrong"
"#;

/// Whether the program accepts the arguments of each of its calls in a command.
fn check_words(page: &str, command: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("sparring");
    std::fs::write(&program, READS_ONLY).expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("its own file");
    let script = format!("command_not_found_handle() {{ :; }}\n{command}\nwait\n");
    let calls = folder.path().join("calls");
    let ran = Command::new("/bin/bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", folder.path())
        .env("SPARRING", env!("CARGO_BIN_EXE_sparring"))
        .env("CALLS", &calls)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{page}: {command}: {said}");
    let wrong = std::fs::read_to_string(calls.with_extension("wrong")).unwrap_or_default();
    assert!(wrong.is_empty(), "{page}: {command}\n{wrong}");
    let calls = std::fs::read_to_string(&calls).unwrap_or_default();
    let is_called = command.lines().any(|line| line.starts_with("sparring "));
    assert_eq!(!calls.is_empty(), is_called, "{page}: {command}");
}

#[test]
fn a_wrong_word_of_a_command_is_found() {
    check_words("a page", "sparring test smoke --vus 5 &");
    check_words("a page", "cat >x <<'EOF'\ntext\nEOF");
    for wrong in [
        "sparring test smoke --non",
        "sparring tset smoke &",
        "sparring up --free-ports=maybe",
    ] {
        let found = std::panic::catch_unwind(|| check_words("a page", wrong));
        assert!(found.is_err(), "{wrong}");
    }
}

/// Commands in sentences and tables, without placeholders.
fn mentioned(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        }
        if is_block {
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2);
        let named = spans.filter(|span| span.starts_with("sparring ") && span.contains(['-', ' ']));
        found.extend(named.map(|span| {
            let mut text = span.replace('…', " ").replace("\\|", "|");
            while let (Some(begin), Some(end)) = (text.find('['), text.find(']')) {
                text.replace_range(begin..=end, "");
            }
            let words = text.split_whitespace();
            let words = words.map(|word| match word {
                "N" => "2",
                "ADDRESS" => "127.0.0.1:0",
                "COMMAND" => "test",
                word => word.split('|').next().unwrap_or(word),
            });
            words.collect::<Vec<_>>().join(" ")
        }));
    }
    found
}

#[test]
fn commands_in_sentences_and_tables_are_understood() {
    let root = folder_of_guides().join("../..");
    let mut tried = 0;
    let mut wrong = Vec::new();
    for folder in ["", "docs", "docs/guides", "docs/decisions"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("the folder exists");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = std::fs::read_to_string(&path).expect("readable");
            let mut commands = mentioned(&page);
            commands.sort();
            commands.dedup();
            tried += commands.len();
            for command in commands {
                let words = command.split_whitespace().skip(1).chain(["--help"]);
                let read = Command::new(env!("CARGO_BIN_EXE_sparring"))
                    .args(words)
                    .output()
                    .expect("it starts");
                let said = String::from_utf8_lossy(&read.stderr);
                // A sentence may name an option without its value.
                if !read.status.success() && !said.contains("a value is required for") {
                    wrong.push(format!("{}: {command}: {said}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 80, "{tried}");
}

/// A `curl` command of a table requests an existing route.
#[test]
fn addresses_of_the_guides_are_served() {
    let description = include_str!("../../crates/orchestrator/openapi.json");
    let description: serde_json::Value = serde_json::from_str(description).expect("JSON");
    let mut tried = 0;
    for name in ["troubleshooting.md", OF_CI] {
        let page = read(name);
        let spans = page.split('`').skip(1).step_by(2);
        for address in spans.filter_map(|span| span.strip_prefix("curl localhost:8000")) {
            tried += 1;
            let is_served = description["paths"].get(address).is_some();
            assert!(is_served, "{name}: {address}");
        }
    }
    assert!(tried > 0, "no address");
}

#[test]
fn commands_are_found_in_yaml_and_in_sentences() {
    let page = "Use `sparring run SCRIPT --out x[=URL]…` or `x`.\n```yaml\njob:\n  script:\n    - a b\n  other:\n    \
        - c\n      - run: d\n      - uses: e\n```\n| `sparring completions bash\\|zsh` |\n";
    assert_eq!(steps(page), ["a b", "d"]);
    let expected = ["sparring run SCRIPT --out x", "sparring completions bash"];
    assert_eq!(mentioned(page), expected);
}
