//! Every `sh` block of a guide works, in the order of the page, in an empty folder and a network of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LONGEST_S: &str = "150";

/// The blocks that a page says can be run, as one script that stops at the first failure.
fn script_of(page: &str) -> String {
    let mut script = "set -euo pipefail\nip link set lo up\n".to_owned();
    let mut is_inside = false;
    for line in page.lines() {
        match line {
            "```sh" => is_inside = true,
            _ if line.starts_with("```") => is_inside = false,
            _ if is_inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
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

fn check(name: &str) {
    if !has_networks_of_its_own() {
        eprintln!(
            "SKIPPED: `unshare --net` and `ip` are needed: the ports of a guide could be in use here"
        );
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/guides")
        .join(name);
    let page = std::fs::read_to_string(page).expect("the guide exists");
    let script = script_of(&page);
    assert!(script.contains("sparring "), "{name} has nothing to run");
    let folder = tempfile::tempdir().expect("a temporary folder");
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
        .args(["bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path.expect("a search path"))
        .env("XDG_STATE_HOME", PathBuf::from(folder.path()).join("state"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{name}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
