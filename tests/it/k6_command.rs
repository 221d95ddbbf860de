//! The binary called as `k6`: signals, archives, and commands to a run in progress.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Ended, sparring};

/// Longer than any step here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command line of k6, in a folder.
pub fn k6(folder: &Path) -> Command {
    let mut command = sparring();
    command.arg0("k6").current_dir(folder);
    command
}

/// The outcome of a call in a folder.
pub fn call(folder: &Path, arguments: &[&str]) -> Ended {
    let output = k6(folder).args(arguments).output();
    Ended::from(output.expect("the binary was built for this test"))
}

/// A folder with these files.
pub fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }
    folder
}

/// A run in progress, and its log.
struct Going {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Going {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, log }
    }

    /// Reads the log up to a line that contains this text.
    fn wait_for(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.log.read_line(&mut line).expect("text");
            assert!(read > 0, "the log ended without {text:?}");
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill works");
    }

    fn end(mut self) -> Ended {
        let status = wait(&mut self.child);
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let mut out = self.child.stdout.take().expect("it is piped");
        out.read_to_string(&mut stdout).expect("text");
        self.log.read_to_string(&mut stderr).expect("text");
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port that is free at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it is bound").port()
}

/// One request like curl's; `None` while no server listens.
fn ask(port: u16, method: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!(
        "{method} /v1/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.to_owned()))
}

fn wait_for_status(port: u16, wanted: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some((200, body)) = ask(port, "GET", "") {
            let status: Value = serde_json::from_str(&body).expect("JSON");
            if wanted(&status["data"]["attributes"]) {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the run did not come to the state that was waited for");
}

const LONG: &str = "
    import { sleep } from 'k6';
    export const options = { vus: 2, duration: '10m' };
    export default function () { console.log('at work'); sleep(600); }
    export function teardown() { console.log('cleaning up'); if (__ENV.SLOW) sleep(600); }
";

#[test]
fn the_first_signal_ends_a_run_with_teardown_and_summary() {
    let folder = folder_with(&[("long.js", LONG)]);
    for (signal, shown) in [("INT", "interrupt"), ("TERM", "terminated")] {
        let mut command = k6(folder.path());
        command.args(["run", "long.js"]);
        let mut run = Going::start(command);
        for _ in 0..2 {
            run.wait_for("at work");
        }
        run.signal(signal);
        let ended = run.end();
        assert_eq!(ended.code, Some(105), "{}", ended.stderr);
        assert!(ended.stderr.contains("cleaning up"), "{}", ended.stderr);
        let why = format!("test run was aborted because k6 received a '{shown}' signal");
        assert!(ended.stderr.contains(&why), "{}", ended.stderr);
        assert!(ended.stdout.contains("█ TOTAL RESULTS"), "{}", ended.stdout);
        assert!(
            ended.stdout.contains("2 interrupted iterations"),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn the_second_signal_ends_a_run_at_once() {
    let folder = folder_with(&[("long.js", LONG)]);
    let mut command = k6(folder.path());
    command.args(["run", "-e", "SLOW=1", "long.js"]);
    let mut run = Going::start(command);
    run.wait_for("at work");
    run.signal("INT");
    run.wait_for("cleaning up");
    run.signal("INT");
    let ended = run.end();
    assert_eq!(ended.code, Some(105), "{}", ended.stderr);
    assert!(!ended.stdout.contains("TOTAL RESULTS"), "{}", ended.stdout);
}

const MAIN: &str = "
    import { number } from './lib/number.js';
    const text = open('./data/text.txt').trim();
    export const options = { vus: 2, iterations: 6, thresholds: { iterations: ['count>0'] } };
    export default function () { console.log(number, text, __ENV.WHO); }
";

const FILES: [(&str, &str); 3] = [
    ("main.js", MAIN),
    ("lib/number.js", "export const number = 42;"),
    ("data/text.txt", "from a file\n"),
];

#[test]
fn an_archive_runs_where_its_files_are_not() {
    let folder = folder_with(&FILES);
    let made = call(
        folder.path(),
        &[
            "archive", "main.js", "-e", "WHO=me", "-O", "a.tar", "-i", "1", "-u", "1",
        ],
    );
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (Some(0), ""),
        "{}",
        made.stderr
    );
    for (name, _) in FILES {
        std::fs::remove_file(folder.path().join(name)).expect("it is there");
    }
    let ran = call(folder.path(), &["run", "a.tar"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("42 from a file me"), "{}", ran.stderr);
    assert!(ran.stdout.contains("1/1 shared iters"), "{}", ran.stdout);
    // The command line takes precedence over the archive.
    let ran = call(folder.path(), &["run", "a.tar", "-e", "WHO=you"]);
    assert!(ran.stderr.contains("42 from a file you"), "{}", ran.stderr);
    // An archive of an archive is the same test.
    let made = call(folder.path(), &["archive", "a.tar", "-O", "b.tar"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let ran = call(folder.path(), &["run", "b.tar"]);
    assert!(ran.stderr.contains("42 from a file me"), "{}", ran.stderr);
}

#[test]
fn an_archive_is_understood_by_k6_and_the_other_way_round() {
    let Some(real) = crate::k6_diff::find_k6() else {
        return;
    };
    let folder = folder_with(&FILES);
    let theirs = Command::new(&real)
        .current_dir(folder.path())
        .args(["archive", "main.js", "-e", "WHO=k6", "-O", "theirs.tar"])
        .status();
    assert!(theirs.is_ok_and(|status| status.success()));
    call(
        folder.path(),
        &["archive", "main.js", "-e", "WHO=us", "-O", "ours.tar"],
    );
    for (name, _) in FILES {
        std::fs::remove_file(folder.path().join(name)).expect("it is there");
    }
    let ran = call(folder.path(), &["run", "theirs.tar"]);
    assert!(ran.stderr.contains("42 from a file k6"), "{}", ran.stderr);
    let ran = Command::new(&real)
        .current_dir(folder.path())
        .args(["run", "--address", "127.0.0.1:0", "ours.tar"])
        .output();
    let ran = Ended::from(ran.expect("k6 is there"));
    assert!(ran.stderr.contains("42 from a file us"), "{}", ran.stderr);
}

/// The steps of k6-operator's initializer: archive, then inspect; anything in the log that looks like
/// an error makes it fail.
const INITIALIZER: &str = r#"
    command -v k6 > /dev/null || exit 127
    mkdir -p "$(dirname "$1")" || exit 1
    k6 archive main.js -e WHO=operator -O "$1" --vus 4 --tag team=x 2> log || { cat log; exit 1; }
    k6 inspect --execution-requirements "$1" 2> log || { cat log; exit 1; }
    ! grep -q 'level.*error' log
"#;

#[test]
fn the_operators_initializer_runners_and_starter_work() {
    let folder = folder_with(&FILES);
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sparring"), bin.join("k6")).expect("a link");
    let tar = folder.path().join("out/test.tar");
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let initialized = Command::new("sh")
        .args(["-c", INITIALIZER, "sh"])
        .arg(&tar)
        .current_dir(folder.path())
        .env("PATH", &path)
        .output();
    let initialized = Ended::from(initialized.expect("there is a shell"));
    assert_eq!(initialized.code, Some(0), "{}", initialized.stdout);
    let needs: Value = serde_json::from_str(&initialized.stdout).expect("nothing but JSON");
    assert_eq!(needs["maxVUs"], 4);
    assert_eq!(needs["totalDuration"], "10m30s");
    assert_eq!(needs["thresholds"]["iterations"][0], "count>0");

    let mut runners = Vec::new();
    for (number, segment) in ["0:1/2", "1/2:1"].iter().enumerate() {
        let port = free_port();
        let mut command = k6(folder.path());
        command.args(["run", "--quiet"]);
        command.arg(format!("--execution-segment={segment}"));
        command
            .arg("--execution-segment-sequence=0,1/2,1")
            .arg(&tar);
        command
            .arg(format!("--address=127.0.0.1:{port}"))
            .arg("--paused");
        command.args(["--tag", &format!("instance_id={number}")]);
        command.args(["--tag", "testrun_name=sample"]);
        runners.push((port, Going::start(command)));
    }
    for (port, _) in &runners {
        wait_for_status(*port, |status| status["paused"] == true);
    }
    let start = r#"{"data":{"attributes":{"paused":false,"stopped":false},"id":"default","type":"status"}}"#;
    for (port, _) in &runners {
        let answer = ask(*port, "PATCH", start).expect("it listens");
        assert_eq!(answer.0, 200, "{}", answer.1);
    }
    for (_, runner) in runners {
        let ended = runner.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let lines = ended.stderr.matches("42 from a file operator").count();
        assert_eq!(lines, 3, "half of six iterations: {}", ended.stderr);
    }
}

#[test]
fn the_operators_stopper_ends_a_run_with_its_own_code() {
    let folder = folder_with(&[("long.js", LONG)]);
    let port = free_port();
    let mut command = k6(folder.path());
    command.args(["run", "long.js", &format!("--address=127.0.0.1:{port}")]);
    let mut run = Going::start(command);
    run.wait_for("at work");
    let stop = r#"{"data":{"attributes":{"stopped":true},"id":"default","type":"status"}}"#;
    assert_eq!(ask(port, "PATCH", stop).map(|answer| answer.0), Some(200));
    let ended = run.end();
    assert_eq!(ended.code, Some(103), "{}", ended.stderr);
    assert!(ended.stderr.contains("cleaning up"), "{}", ended.stderr);
}

const EXTERNAL: &str = "
    import { sleep } from 'k6';
    export const options = { scenarios: { x: { executor: 'externally-controlled', vus: 1, maxVUs: 4, duration: '10m' } } };
    export default function () { console.log('at work'); sleep(0.05); }
";

#[test]
fn a_run_is_scaled_paused_resumed_and_looked_at() {
    let folder = folder_with(&[("external.js", EXTERNAL)]);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut command = k6(folder.path());
    command.args(["run", "--quiet", "--log-output=none", "external.js"]);
    let run = Going::start({
        command.args(["-a", &address]);
        command
    });
    wait_for_status(port, |status| status["vus"] == 1);
    let word = |arguments: &[&str]| {
        let ended = call(folder.path(), &[arguments, &["-a", &address]].concat());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    word(&["scale", "--vus", "3"]);
    wait_for_status(port, |status| status["vus"] == 3);
    word(&["pause"]);
    wait_for_status(port, |status| {
        status["paused"] == true && status["vus"] == 0
    });
    word(&["resume"]);
    wait_for_status(port, |status| {
        status["paused"] == false && status["vus"] == 3
    });
    assert!(word(&["status"]).contains("running: true"));
    // Metrics are gathered every two seconds.
    let begun = Instant::now();
    while !word(&["stats"]).contains("- name: iterations") {
        assert!(begun.elapsed() < PATIENCE, "no metrics");
        std::thread::sleep(Duration::from_millis(100));
    }
    let refused = call(folder.path(), &["scale", "--vus", "5", "-a", &address]);
    assert_eq!(refused.code, Some(255), "{}", refused.stdout);
    run.signal("INT");
    assert_eq!(run.end().code, Some(105));
}

#[test]
fn a_script_to_begin_with_can_be_inspected_and_is_not_written_over() {
    let folder = folder_with(&[]);
    for template in ["minimal", "protocol"] {
        let file = format!("{template}.js");
        let arguments = ["new", &file, "--template", template];
        let made = call(folder.path(), &arguments);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        assert_eq!(call(folder.path(), &arguments).code, Some(255), "it exists");
        let inspected = call(folder.path(), &["inspect", &file]);
        assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    }
    let version: Value =
        serde_json::from_str(&call(folder.path(), &["version", "--json"]).stdout).expect("JSON");
    assert!(
        version["version"]
            .as_str()
            .is_some_and(|text| text.starts_with("v2."))
    );
}

#[test]
fn every_place_tells_the_same_version_of_k6() {
    let script = "export const options = { iterations: 1 }; export default function () {}
        export const handleSummary = (data) => ({ stdout: data.metadata.k6Version });";
    let folder = folder_with(&[("short.js", script)]);
    let said = |arguments: &[&str]| call(folder.path(), arguments).stdout;
    let json: Value = serde_json::from_str(&said(&["version", "--json"])).expect("JSON");
    let version = json["version"].as_str().expect("text");
    for arguments in [&["version"][..], &["--version"]] {
        let told = said(arguments);
        assert!(told.starts_with(&format!("k6 {version} ")), "{told}");
    }
    let flags = [
        "--new-machine-readable-summary",
        "--summary-export",
        "e.json",
    ];
    let of_data = said(&[&["run", "--quiet"], &flags[..], &["short.js"]].concat());
    assert_eq!(format!("v{of_data}"), version);
    let export = std::fs::read_to_string(folder.path().join("e.json")).expect("it is written");
    let export: Value = serde_json::from_str(&export).expect("JSON");
    assert_eq!(export["metadata"]["k6Version"], of_data);
}

#[test]
fn an_output_that_fails_at_the_end_makes_the_numbers_unclean() {
    let script = "export const options = { iterations: 1 }; export default function () {}";
    let folder = folder_with(&[("short.js", script)]);
    let ran = call(folder.path(), &["run", "-o", "json=/dev/full", "short.js"]);
    let warned = "the results of this run are incomplete";
    assert!(ran.stderr.contains(warned), "{}", ran.stderr);
    assert!(ran.stderr.contains("/dev/full"), "{}", ran.stderr);
}

#[test]
fn progress_shows_the_vus_that_there_are() {
    let script = "export const options = { scenarios: {
        ramp: { executor: 'ramping-vus', stages: [{ duration: '0.2s', target: 1 }] },
        rate: { executor: 'constant-arrival-rate', rate: 1, duration: '1s', preAllocatedVUs: 2, maxVUs: 30 },
    } };
    export default function () {}";
    let folder = folder_with(&[("script.js", script)]);
    let ended = call(folder.path(), &["run", "script.js"]);
    for part in ["00/03 VUs", "0/1 VUs", "00/02 VUs"] {
        assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
    }
}

#[test]
fn nothing_asked_for_is_a_question_for_help() {
    let folder = folder_with(&[]);
    let ended = call(folder.path(), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("archive"), "{}", ended.stdout);
}

#[test]
fn a_script_can_be_named_by_its_url() {
    let folder = folder_with(&[("script.js", "export default function () {}")]);
    let url = format!("file://{}/script.js", folder.path().display());
    let ended = call(folder.path(), &["run", &url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
