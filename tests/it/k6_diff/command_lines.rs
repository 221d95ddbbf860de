//! Command lines that run nothing, or little: exit code and log are k6's.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::find_k6;
use crate::binary::sparring;

/// Invalid command lines, and some valid ones. `~` is an empty word.
const LINES: &[&str] = &[
    "run",
    "run a b",
    "run --nope x.js",
    "run x.js --nope=3",
    "run -Z x.js",
    "run -qZ x.js",
    "run x.js --vus",
    "run x.js -qu",
    "run -u x.js",
    "run --vus=abc x.js",
    "run -uabc x.js",
    "run -i ~ x.js",
    "run -i 1.5 x.js",
    "run -i 99999999999999999999 x.js",
    "run -i 0x2 -q x.js",
    "run -i 1_0 -q x.js",
    "run -i 08 x.js",
    "run --=3 x.js",
    "run ---x x.js",
    "run --no-summary=0 -q x.js",
    "run --no-summary=f --quiet=T x.js",
    "run --no-summary=TRUE -q=1 x.js",
    "run --no-summary=yes x.js",
    "run --quiet=maybe x.js",
    "run -q=maybe x.js",
    "run -wpl=x x.js",
    "run -d 5 x.js",
    "run -d ~ x.js",
    "run -d 1h2x x.js",
    "run --min-iteration-duration 5 x.js",
    "run --user-agent -x -q x.js",
    "run --help --nope",
    "--nope version",
    "--no-setup run x.js",
    "-u run x.js",
    "-u 1 run -q -i 1 x.js",
    "-q run x.js",
    "--quiet=1 --log-format raw run x.js",
    "nope",
    "rnu x.js",
    "rund",
    "archiv",
    "archive",
    "inspect",
    "inspect x.js --vus 3",
    "inspect --nope x.js",
    "version --nope",
    "stats --nope",
    "scale -u x",
    "new --nope",
    "new a b",
    "-c",
    "run -q --log-output nope x.js",
    "run -q --secret-source nope x.js",
    "run -q --traces-output nope x.js",
    "run -q --type nope x.js",
    "run -q --compatibility-mode nope x.js",
    "run -q --summary-mode nope x.js",
    "run -q --summary-time-unit nope x.js",
    "run -q --summary-trend-stats nope x.js",
    "run -q --console-output /nope/x x.js",
    "run -q -e = x.js",
    "run -q -e 1=2 x.js",
    "run -q --dns nope x.js",
    "run -q --tag x x.js",
    "run -q -s 10 x.js",
    "run -q -s 10:2 x.js",
    "run -q -s 1s:2 -s 1s:x x.js",
    "run -q --summary-mode= x.js",
    "run -q --blacklist-ip x x.js",
    "run -q --block-hostnames a* x.js",
    "run -q -c nope x.js",
    "run -q --address= x.js",
    "run -q --address ~ x.js",
    "run -q --out json=/nope/x.json x.js",
    "run -q --out csv=/nope/x.csv x.js",
    "run -q http://127.0.0.1:1/x.js",
    "run -q ftp://h/x.js",
    "status --address 127.0.0.1:1",
    "stats --address 127.0.0.1:1",
    "pause --address 127.0.0.1:1",
    "resume --address 127.0.0.1:1",
    "scale -u 2 --address 127.0.0.1:1",
    "scale --address 127.0.0.1:1",
];

/// Variables, with which `run -q x.js` is called.
const VARIABLES: &[(&str, &str)] = &[
    ("K6_NO_SUMMARY", ""),
    ("K6_NO_SUMMARY", "yes"),
    ("K6_NO_SUMMARY", "T"),
    ("K6_NO_THRESHOLDS", "yes"),
    ("K6_INCLUDE_SYSTEM_ENV_VARS", "yes"),
    ("K6_LINGER", "yes"),
    ("K6_LINGER", ""),
    ("K6_NO_USAGE_REPORT", "yes"),
    ("K6_NO_COLOR", "yes"),
    ("K6_PROFILING_ENABLED", "yes"),
    ("K6_SUMMARY_MODE", ""),
    ("K6_SUMMARY_MODE", "nope"),
    ("K6_TYPE", "nope"),
    ("K6_LOG_FORMAT", "nope"),
];

/// Exit code and log of a call, without times and places.
fn told(mut driver: Command, words: &str, variable: Option<(&str, &str)>, folder: &Path) -> String {
    let words = words.split(' ').map(|word| word.replace('~', ""));
    driver.args(words).current_dir(folder);
    driver
        .env("K6_ADDRESS", "127.0.0.1:0")
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder);
    driver.envs(variable);
    let output = driver.output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let lines = log
        .lines()
        .map(|line| line.split_once(" level=").map_or(line, |(_, rest)| rest));
    let lines: Vec<&str> = lines.collect();
    let text = format!("{:?} {}", output.status.code(), lines.join("\n"));
    text.replace(&folder.display().to_string(), "HERE")
}

#[test]
fn command_lines_are_refused_in_k6s_words() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = "export default function () {}\n";
    std::fs::write(folder.path().join("x.js"), script).expect("it can be written");
    let lines = LINES.iter().map(|line| (*line, None));
    let variables = VARIABLES
        .iter()
        .map(|variable| ("run -q x.js", Some(*variable)));
    let mut wrong = Vec::new();
    for (line, variable) in lines.chain(variables) {
        let expected = told(Command::new(&k6), line, variable, folder.path());
        let mut ours = sparring();
        ours.arg0("k6").env("SPARRING_GENERATOR_HEALTH", "never");
        let found = told(ours, line, variable, folder.path());
        if found != expected {
            wrong.push(format!(
                "{variable:?} k6 {line}\n  k6:   {expected}\n  ours: {found}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
