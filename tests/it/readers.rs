//! The reader of a command's output may leave early (`| head`): no command panics. Short commands
//! end as with SIGPIPE, long-running ones continue.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::sparring;
use crate::stack::Up;

const FLEET: &str = "
orchestration: { auth: { mode: 'off' } }
detectors:
  one: { endpoint: 'http://localhost:0/detect' }
";

/// 128 + SIGPIPE, as the shell shows it.
const SIGPIPE_CODE: i32 = 141;
const PATIENCE: Duration = Duration::from_secs(60);

/// A pipe without a reader.
fn gone() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// The binary under k6's name.
fn k6(folder: &std::path::Path) -> Command {
    let link = folder.join("k6");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sparring"), &link).expect("writable");
    }
    let mut command = Command::new(link);
    command.current_dir(folder);
    command
}

/// Runs the command without a reader of its stdout. Returns its exit status.
fn without_reader(mut command: Command, stderr_too: bool) -> (Option<i32>, String) {
    command.stdin(Stdio::null()).stdout(gone());
    command.stderr(if stderr_too { gone() } else { Stdio::piped() });
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{command:?}: {stderr}");
    (output.status.code(), stderr)
}

#[test]
fn short_commands_end_with_the_code_of_sigpipe() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("detectors.yaml");
    let text = FLEET.replace("http://localhost:0", up.url("one"));
    std::fs::write(&fleet, text).expect("writable");
    std::fs::write(
        folder.path().join("s.js"),
        "export const options = { vus: 1 }; export default function () {}",
    )
    .expect("writable");
    let health = format!("{}/health", up.url("orchestrator"));
    let ours: [&[&str]; 12] = [
        &["--help"],
        &["--version"],
        &["drill", "--help"],
        &["check", "detectors.yaml"],
        &["plan", "one"],
        &["plan", "--json"],
        &["fault", "list"],
        &["fault", "one", "--latency", "1ms"],
        &["record", "one"],
        &["health", "HEALTH"],
        &["fault", "--help"],
        // Last, since it also empties the journal.
        &["fault", "reset"],
    ];
    // The recording needs at least one request.
    let body = serde_json::json!({"content": "x", "content_type": "text", "tenant_id": "t"});
    assert_eq!(up.post("/orchestrate", &body).0, 200);
    for arguments in ours {
        let arguments = arguments.iter().map(|it| it.replace("HEALTH", &health));
        let arguments: Vec<String> = arguments.collect();
        for stderr_too in [false, true] {
            let mut command = sparring();
            command.args(&arguments).current_dir(folder.path());
            let (code, stderr) = without_reader(command, stderr_too);
            assert_eq!(code, Some(SIGPIPE_CODE), "{arguments:?}: {stderr}");
        }
    }
    for arguments in [
        &["version"][..],
        &["version", "--json"],
        &["inspect", "s.js"],
        &["new", "--force", "new.js"],
        &["run", "--help"],
        &[],
    ] {
        let mut command = k6(folder.path());
        command.args(arguments);
        let (code, stderr) = without_reader(command, false);
        assert_eq!(code, Some(SIGPIPE_CODE), "k6 {arguments:?}: {stderr}");
    }
}

#[test]
fn a_change_is_made_whoever_reads_of_it() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = FLEET.replace("http://localhost:0", up.url("one"));
    std::fs::write(folder.path().join("detectors.yaml"), text).expect("writable");
    let mut command = sparring();
    command
        .args(["fault", "one", "--failure-rate", "1"])
        .current_dir(folder.path());
    without_reader(command, true);
    let profile = ureq::get(format!("{}/__admin/profile", up.url("one"))).call();
    let text = profile
        .expect("the mock answers")
        .body_mut()
        .read_to_string();
    assert!(text.expect("text").contains(r#""success_rate":0.0"#));
}

#[test]
fn commands_that_fail_have_their_own_code_when_nobody_reads_why() {
    for arguments in [
        &["check", "/nowhere/detectors.yaml"][..],
        &["health", "http://127.0.0.1:9/health"],
        &["run", "/nowhere/script.js"],
        &["drill", "/nowhere/drill.yaml"],
    ] {
        let mut command = sparring();
        command.args(arguments);
        let seen = Command::output(sparring().args(arguments)).expect("it starts");
        let (code, _) = without_reader(command, true);
        assert_eq!(code, seen.status.code(), "{arguments:?}");
        assert_ne!(code, Some(101), "{arguments:?}: a panic");
    }
}

#[test]
fn a_disk_that_is_full_is_an_error_that_says_so() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return;
    };
    let output = sparring().arg("--version").stdout(full).output();
    let output = output.expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the output cannot be written"), "{stderr}");
}

#[test]
fn a_test_without_a_reader_comes_to_its_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("s.js");
    std::fs::write(
        &script,
        "export const options = { iterations: 3, thresholds: { iterations: ['count>=3'] } };
         export default function () { console.log('x'); console.error('y'); }",
    )
    .expect("writable");
    let fleet = folder.path().join("detectors.yaml");
    std::fs::write(&fleet, FLEET).expect("writable");
    for stderr_too in [false, true] {
        let mut run = sparring();
        run.arg("run").arg(&script);
        assert_eq!(without_reader(run, stderr_too).0, Some(0));
        let mut test = sparring();
        test.args(["test", "smoke", "-c"]).arg(&fleet);
        test.arg("--script").arg(&script);
        test.arg("--results").arg(folder.path());
        let (code, stderr) = without_reader(test, stderr_too);
        assert_eq!(code, Some(0), "{stderr}");
    }
}

/// A server whose readers leave after its first line.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn servers_go_on_without_a_reader_and_log_to_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("detectors.yaml");
    let text = format!("service: {{ port: 0 }}{FLEET}");
    std::fs::write(&fleet, &text).expect("writable");
    for arguments in [
        &["up", "--free-ports", "-vv", "-c"][..],
        &["mock", "-vv", "-c"],
        &["orchestrator", "-vv", "-c"],
    ] {
        let mut child = sparring()
            .args(arguments)
            .arg(&fleet)
            .env("HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = child.stderr.take();
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let url = line.split_whitespace().nth(1).expect("a URL").to_owned();
        let mut server = Server(child);
        drop((stdout, stderr));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let begun = Instant::now();
        // Long enough for `up` to print its status more than once, and each call is logged.
        while begun.elapsed() < Duration::from_secs(3) {
            let path = if arguments[0] == "mock" {
                "/detect"
            } else {
                "/orchestrate"
            };
            let answer = agent
                .post(format!("{url}{path}"))
                .header("Content-Type", "application/json")
                .send(r#"{"content": "x", "content_type": "text", "tenant_id": "t"}"#);
            if let Err(error) = answer {
                assert!(
                    begun.elapsed() < Duration::from_secs(1),
                    "{arguments:?}: {error}"
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let ended = server.0.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "{arguments:?} ended: {ended:?}");
        let pid = libc::pid_t::try_from(server.0.id()).expect("a pid");
        // SAFETY: `kill` only sends a signal, to a child that was not waited for yet.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        while server.0.try_wait().expect("it can be asked").is_none() {
            assert!(begun.elapsed() < PATIENCE, "{arguments:?} does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = server.0.wait().expect("it has ended");
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
}
