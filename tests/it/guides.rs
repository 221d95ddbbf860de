//! Every `sh` block of a guide works, in the order of the page, in an empty folder and a network of its own: how long
//! each command takes is printed. What a page marks `no-run` is run by a test of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LONGEST_S: &str = "150";

/// The guides without a command.
const WITHOUT_COMMANDS: [&str; 3] = ["README.md", "ci.md", "troubleshooting.md"];

/// The begin of each command in a block that is marked `no-run`, and the file that runs it.
const RUN_ELSEWHERE: [(&str, &str); 10] = [
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
    ("locust -f", "tests/it/with_locust.rs"),
    ("sparring test -f", "tests/it/with_locust.rs"),
    (
        "sparring test acis load --time-scale 0.1 --with-locust",
        "tests/it/with_locust.rs",
    ),
];

/// The commands of the page's blocks with this first line; one over several lines, or with a text of its own (`<<'EOF'`),
/// is one.
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

/// A script that stops at the first failure, and writes into `$TIMES` how long each command took.
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
    // What a page leaves running ends with it.
    script.push_str("kill $(jobs -p) 2>/dev/null || true\nwait\n");
    script
}

pub fn has_networks_of_its_own() -> bool {
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--net", "ip", "link", "set", "lo", "up"])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Prints times, also where the test passes: its output would be caught, the stream is not.
pub fn print_times(page: &str, times: &str) {
    let text = format!("{page}:\n{}\n", times.trim_end());
    drop(std::io::stderr().write_all(text.as_bytes()));
}

fn folder_of_guides() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder_of_guides().join(name)).expect("the guide exists")
}

fn check(name: &str) {
    if !has_networks_of_its_own() {
        eprintln!(
            "SKIPPED: `unshare --net` and `ip` are needed: the ports of a guide could be in use here"
        );
        return;
    }
    let commands = commands(&read(name), "```sh");
    assert!(
        commands.iter().any(|command| command.contains("sparring ")),
        "{name} has nothing to run"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let times = tempfile::NamedTempFile::new().expect("a temporary file");
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let folders = [binary.parent().expect("a folder").to_owned()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)));
    let output = Command::new("timeout")
        .args([
            LONGEST_S,
            "unshare",
            "--map-root-user",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
        ])
        .args(["bash", "-c", &script_of(&commands)])
        .current_dir(folder.path())
        .env("PATH", path.expect("a search path"))
        .env("XDG_STATE_HOME", PathBuf::from(folder.path()).join("state"))
        .env("TIMES", times.path())
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
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
        assert_ne!(is_checked, WITHOUT_COMMANDS.contains(&name), "{name}");
        assert_eq!(is_checked, !commands(&page, "```sh").is_empty(), "{name}");
        for command in commands(&page, "```sh no-run") {
            let elsewhere = RUN_ELSEWHERE
                .iter()
                .find(|(begin, _)| command.starts_with(begin));
            let (_, file) = elsewhere.unwrap_or_else(|| panic!("{name}: nothing runs {command}"));
            assert!(root.join(file).exists(), "{name}: {file}");
        }
        // Blocks with another first line would be run by nobody.
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
