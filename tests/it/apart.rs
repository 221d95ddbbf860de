//! Runs the commands of pages in a network namespace, so that their ports are free, and prints the time of each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub fn has_networks_of_its_own() -> bool {
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--net", "ip", "link", "set", "lo", "up"])
        .stderr(Stdio::null())
        .status();
    let has = tried.is_ok_and(|status| status.success());
    let is_required = std::env::var_os("REQUIRE_NAMESPACES").is_some();
    assert!(
        has || !is_required,
        "REQUIRE_NAMESPACES is set, and `unshare --net` or `ip` does not work here"
    );
    if !has {
        eprintln!("SKIPPED: `unshare --net` and `ip` are needed: ports could be in use here");
    }
    has
}

/// Prints times even if the test passes: the macros' output would be captured, the stream's is not.
pub fn print_times(page: &str, times: &str) {
    let text = format!("{page}:\n{}\n", times.trim_end());
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Runs a script with `sparring` in its search path. Processes that it leaves running end with it.
pub fn run(script: &str, folder: &Path, longest_s: u32, times: &Path) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let own = binary.parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    Command::new("timeout")
        .arg(longest_s.to_string())
        .args(["unshare", "--map-root-user", "--net", "--pid"])
        .args(["--fork", "--kill-child", "bash", "-c", script])
        .current_dir(folder)
        .env("PATH", path.expect("a search path"))
        .env("XDG_STATE_HOME", PathBuf::from(folder).join("state"))
        .env("TIMES", times)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// The treatment of a command.
pub enum Done {
    /// This command is run instead: a shorter one, or one for an existing service.
    Run(&'static str),
    /// The command is started and left running; the second one checks that it is ready.
    Left(&'static str, &'static str),
    /// The command takes too long here, or needs something that a test does not have.
    By(&'static str),
}

/// The beginning of a command, and its treatment.
pub type Known = (&'static str, Done);

/// A script that treats each command accordingly, prints the time of each, and saves the output of the first one in
/// the file `first`.
pub fn script(commands: &[String], known: &[Known]) -> String {
    let mut script = "set -uo pipefail\nip link set lo up\nfailed=0 number=0\n\
        timed() { local begin=$EPOCHREALTIME code=0; bash -c \"$1\" >out 2>&1 </dev/null || code=$?; \
        local took=$(( (${EPOCHREALTIME/./} - ${begin/./}) / 1000 )); echo \"$took ms  $1\"; \
        number=$((number + 1)); cp out said-$number; [ -e first ] || cp out first; \
        [ $code = 0 ] || { echo \"exit code $code\"; cat out; failed=1; }; }\n"
        .to_owned();
    for command in commands {
        let found = known.iter().find(|(begin, _)| command.starts_with(begin));
        let (_, done) = found.unwrap_or_else(|| panic!("nothing is done about `{command}`"));
        let quoted = |words: &str| format!("'{}'", words.replace('\'', "'\\''"));
        match done {
            Done::Run("") => script.push_str(&format!("timed {}\n", quoted(command))),
            Done::Run(words) => script.push_str(&format!("timed {}\n", quoted(words))),
            Done::Left(words, is_there) => script.push_str(&format!(
                "{words} >/dev/null 2>&1 </dev/null &\ntimed {}\n",
                quoted(&format!(
                    "for n in {{1..200}}; do {is_there} && exit; sleep 0.05; done; exit 1"
                ))
            )),
            Done::By(what) => {
                let by = format!("by {what}: {command}");
                script.push_str(&format!("echo {}\n", quoted(&by)));
            }
        }
    }
    script.push_str("kill $(jobs -p) 2>/dev/null; wait; exit $failed\n");
    script
}
