//! Honest verdicts: an unmeasured criterion does not pass, and an unmeasurable one is reported at
//! once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::{Ended, sparring};
use crate::stack::Up;
use crate::suite_runs::{assert_ends, json as read};

const FLEET: &str = "
orchestration: { auth: { mode: 'off' } }
detectors:
  one:
    endpoint: 'http://localhost:0/detect'
    mock: { latency: { constant: { ms: 2 } } }
";

fn run(command: &mut Command) -> Ended {
    Ended::from(
        command
            .output()
            .expect("the binary was built for this test"),
    )
}

/// `sparring test SUITE` on the fleet in `folder`.
fn test(folder: &Path, suite: &str) -> Command {
    let fleet = folder.join("detectors.yaml");
    std::fs::write(&fleet, FLEET).expect("writable");
    let mut command = sparring();
    command
        .args(["test", suite, "--config"])
        .arg(fleet)
        .arg("--results")
        .arg(folder.join("results"))
        .current_dir(folder);
    command
}

/// A service that answers health checks and nothing else.
fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 65_536];
                while let Ok(count @ 1..) = stream.read(&mut request) {
                    if request[..count].starts_with(b"GET /health") {
                        let _ = stream.write_all(
                            b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"status\":\"healthy\"}",
                        );
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn a_service_that_hangs_does_not_pass() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("s.js");
    std::fs::write(
        &script,
        "import http from 'k6/http';
         import { Trend } from 'k6/metrics';
         const took = new Trend('took', true);
         export const options = {
           scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '0s' } },
           thresholds: { took: ['p(95)<2000'], http_req_failed: ['rate<0.05'] },
         };
         export default function () {
           took.add(http.post(`${__ENV.PERF_BASE_URL}/orchestrate`, '{}').timings.duration);
         }",
    )
    .expect("writable");
    let mut command = test(folder.path(), "smoke");
    command.arg("--script").arg(script);
    let ended = run(command.env("PERF_BASE_URL", hanging()));
    assert_eq!(ended.code, Some(5), "{}{}", ended.stdout, ended.stderr);
    for said in [
        "verdict: FAILED",
        "NO DATA  took",
        "NO DATA  http_req_failed",
        "No iteration completed",
    ] {
        assert!(
            ended.stdout.contains(said),
            "no {said:?} in {}",
            ended.stdout
        );
    }
    assert!(!ended.stdout.contains("held  "), "{}", ended.stdout);
}

#[test]
fn a_script_without_thresholds_proves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("s.js");
    std::fs::write(&script, "export default function () {}").expect("writable");
    let mut command = test(folder.path(), "smoke");
    let ended = run(command.arg("--script").arg(script));
    assert_eq!(ended.code, Some(5), "{}", ended.stdout);
    let said = "The test has no requirements";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
}

/// N-01, T-5: the interval of a percentile does not depend on the statistics that the script prints.
#[test]
fn a_percentile_is_proved_or_not_whatever_the_script_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("s.js");
    std::fs::write(
        &script,
        "import http from 'k6/http';
         import { Trend } from 'k6/metrics';
         const took = new Trend('took', true);
         export const options = {
           scenarios: { a: { executor: 'shared-iterations', vus: 2, iterations: 120 } },
           summaryTrendStats: ['avg'],
           thresholds: { took: ['p(95)<20000', 'p(99)<20000', 'avg<20000', 'max<20000'] },
         };
         export default function () { took.add(http.get(`${__ENV.PERF_BASE_URL}/health`).timings.duration); }",
    )
    .expect("writable");
    let mut command = test(folder.path(), "smoke");
    let ended = run(command.arg("--script").arg(&script));
    let runs = std::fs::read_dir(folder.path().join("results")).expect("made");
    let mut runs = runs.map(|entry| entry.expect("readable").path());
    let report = read(
        &runs
            .find(|it| it.is_dir())
            .expect("a run")
            .join("report.json"),
    );
    let test = &report["tests"][0];
    assert_ends(&ended, test, 0);
    let judgement = |asked: &str| {
        let mut all = test["judgements"].as_array().expect("judgements").iter();
        let found = all.find(|it| it["asked"] == asked);
        found.unwrap_or_else(|| panic!("no {asked} in {test}"))
    };
    let bounded = judgement("took p(95)<20000");
    let ends: [f64; 2] = serde_json::from_value(bounded["interval"].clone()).expect("an interval");
    let measured = bounded["measured"].as_f64().expect("a figure");
    assert!(ends[0] <= measured && measured <= ends[1], "{bounded}");
    assert_eq!(bounded["proved"], true, "{bounded}");
    // 368 values bound a 99th percentile.
    let open = judgement("took p(99)<20000");
    assert!(open["measured"].is_number(), "{open}");
    assert_eq!(
        (&open["proved"], &open["needs_more"]),
        (&json!(false), &json!(248))
    );
    assert_eq!(judgement("took avg<20000")["proved"], true);
    assert!(judgement("took max<20000")["proved"].is_null());
    for said in ["proved\n", "not proved: needs 248 more requests"] {
        assert!(
            ended.stdout.contains(said),
            "no {said:?} in {}",
            ended.stdout
        );
    }
}

#[test]
fn a_service_that_cannot_be_reached_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", taken.local_addr().expect("bound"));
    drop(taken);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let drill = folder.path().join("drill.yaml");
    std::fs::write(
        &drill,
        "title: t
steady_state: { for_ms: 600000, expect: {} }
faults: [{ detector: one, patch: { success_rate: 0 }, for_ms: 1 }]
recover: { within_ms: 1 }",
    )
    .expect("writable");
    let mut of_test = test(folder.path(), "smoke");
    let mut of_drill = sparring();
    of_drill
        .arg("drill")
        .arg(&drill)
        .arg("-c")
        .arg(folder.path().join("detectors.yaml"))
        .arg("--results")
        .arg(folder.path());
    for command in [&mut of_test, &mut of_drill] {
        let ended = run(command.env("PERF_BASE_URL", &url));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let said = format!("answers at {url}: connection refused\n");
        assert!(ended.stderr.ends_with(&said), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let ended = run(test(folder.path(), "smoke").env("PERF_BASE_URL", "localhost:8000"));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .stderr
            .contains("`localhost:8000` must start with http://"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_mock_that_is_not_there_is_one_line_before_the_drill_begins() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("detectors.yaml");
    std::fs::write(&fleet, FLEET.replace("localhost:0", "127.0.0.1:9")).expect("writable");
    let drill = folder.path().join("drill.yaml");
    std::fs::write(
        &drill,
        "title: t
steady_state: { for_ms: 600000, expect: {} }
faults: [{ detector: one, patch: { success_rate: 0 }, for_ms: 1 }]
recover: { within_ms: 1 }",
    )
    .expect("writable");
    let mut command = sparring();
    command.arg("drill").arg(&drill).arg("-c").arg(&fleet);
    command.arg("--results").arg(folder.path());
    let ended = run(command.args(["--orchestrator", up.url("orchestrator")]));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    let said = "the mock detector one does not answer at http://127.0.0.1:9: connection refused";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn results_that_cannot_be_written_are_an_error_before_the_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("writable");
    let mut command = test(folder.path(), "smoke");
    command.arg("--results=/dev/null/results");
    let ended = run(&mut command);
    // clap uses the last of two; if it does not, the option is an error of this test.
    assert_ne!(ended.code, Some(0));
    let mut command = sparring();
    command.args(["test", "smoke", "-c"]);
    command.arg(folder.path().join("detectors.yaml"));
    let ended = run(command.arg("--results").arg(file.join("results")));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("a-file/results"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--results"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "nothing was run");
}

#[test]
fn a_verdict_is_printed_although_its_report_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let results = folder.path().join("results");
    let script = folder.path().join("s.js");
    // The folder becomes a file while the script runs.
    std::fs::write(
        &script,
        format!(
            "export const options = {{ iterations: 1, thresholds: {{ iterations: ['count>0'] }} }};
             export default function () {{}}
             export function handleSummary() {{ return {{ {:?}: 'x' }}; }}",
            results.display().to_string() + "/performance_test_results_x"
        ),
    )
    .expect("writable");
    let mut command = test(folder.path(), "smoke");
    command.arg("--script").arg(&script);
    std::fs::create_dir(&results).expect("writable");
    let watched = results.clone();
    let replace = std::thread::spawn(move || {
        while !watched.join("performance_test_results_x").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::remove_dir_all(&watched).expect("it is there");
        std::fs::write(&watched, "").expect("writable");
    });
    let ended = run(&mut command);
    replace.join().expect("no panic");
    if ended.code == Some(0) {
        // The report was faster than the thread that removes its folder.
        return;
    }
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("verdict: PASSED"), "{}", ended.stdout);
    let said = "results/performance_test_results_";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn the_target_rate_is_judged_by_an_open_test() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let throughput = |rate: &str, latency_ms: &str, p95_ms: &str| {
        let mut command = test(folder.path(), "throughput");
        let fleet = FLEET.replace("ms: 2", &format!("ms: {latency_ms}"));
        std::fs::write(folder.path().join("detectors.yaml"), fleet).expect("writable");
        command
            .env("SPARRING_PERFORMANCE_TARGETS__THROUGHPUT_RPS", rate)
            .env("SPARRING_PERFORMANCE_TARGETS__P95_RESPONSE_TIME_MS", p95_ms)
            .env("SPARRING_PERFORMANCE_TARGETS__SUCCESS_RATE", "0.5")
            .env("K6_THROUGHPUT_DURATION", "3s");
        run(&mut command)
    };
    let newest = || {
        let folders = std::fs::read_dir(folder.path().join("results")).expect("made");
        let reports = folders.flatten().map(|it| it.path().join("report.json"));
        let newest = reports.filter(|path| path.is_file()).max();
        read(&newest.expect("a run"))["tests"][0].clone()
    };
    let ended = throughput("8", "2", "5000");
    assert_ends(&ended, &newest(), 0);
    let said = "held     answered_requests";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    assert!(ended.stdout.contains("count>=12"), "{}", ended.stdout);
    let ended = throughput("8", "1900", "100");
    assert_ends(&ended, &newest(), 99);
    let said = "CROSSED  orchestrate_duration";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let ended = throughput("0", "2", "5000");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("throughput_rps is 0"),
        "{}",
        ended.stderr
    );
}

#[test]
fn check_reads_the_file_that_every_command_reads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("other.yaml");
    std::fs::write(&fleet, "detectors: { a: { endpoint: 'ftp://x/' } }").expect("writable");
    let mut command = sparring();
    command.arg("check").current_dir(folder.path());
    let ended = run(command.env("SPARRING_CONFIG", &fleet));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("other.yaml has 1 error"),
        "{}",
        ended.stderr
    );
    // A named file takes precedence.
    let named = folder.path().join("named.yaml");
    std::fs::write(&named, "detectors: { a: { endpoint: 'http://x/' } }").expect("writable");
    let mut command = sparring();
    command.arg("check").arg(&named);
    let ended = run(command.env("SPARRING_CONFIG", &fleet));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn variables_that_are_no_settings_stop_no_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = sparring();
    command.arg("check").current_dir(folder.path());
    for (name, value) in [
        ("SPARRING_PORT", "tcp://10.0.0.7:8000"),
        ("SPARRING_PORT_8000_TCP_ADDR", "10.0.0.7"),
        ("SPARRING_SERVICE_HOST", "10.0.0.7"),
        ("SPARRING_SERVICE", "{}"),
        ("SPARRING_IMAGE", "sparring:local"),
        ("SPARRING__", "x"),
    ] {
        command.env(name, value);
    }
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let ended = run(command.env("SPARRING_SERVCE__PORT", "9"));
    assert_eq!(ended.code, Some(1));
    let said = "servce: unknown field; did you mean `service`? (from SPARRING_SERVCE__PORT)";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let mut command = sparring();
    command.arg("check").current_dir(folder.path());
    let ended = run(command.env("SPARRING_SERVICE__PROT", "9"));
    let said = "service.prot: unknown field; did you mean `port`? (from SPARRING_SERVICE__PROT)";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn connections_are_refused_only_where_that_can_be_reverted() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("detectors.yaml");
    std::fs::write(&fleet, FLEET.replace("http://localhost:0", up.url("one"))).expect("writable");
    let fault = |more: &[&str]| {
        let mut command = sparring();
        command
            .args(["fault", "one"])
            .args(more)
            .arg("-c")
            .arg(&fleet);
        run(&mut command)
    };
    for forever in [
        &["--refuse"][..],
        &["--patch", r#"{"connection": {"refused": true}}"#],
    ] {
        let ended = fault(forever);
        assert_eq!(ended.code, Some(1), "{forever:?}");
        assert!(ended.stderr.contains("--for"), "{}", ended.stderr);
    }
    let ended = fault(&["--refuse", "--for", "200ms"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let said = "one: revision 2, connection.refused true, for 200ms";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let detect = || ureq::get(format!("{}/__admin", up.url("one"))).call();
    while detect().is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    // The detector works again.
    let (status, _) = up.post(
        "/orchestrate",
        &json!({"content": "x", "content_type": "text", "tenant_id": "t"}),
    );
    assert_eq!(status, 200);
}

/// The limit of descriptors for a generator, most of which it needs for itself.
const FEW: libc::rlim_t = 40;

#[test]
fn a_generator_without_descriptors_does_not_blame_the_service() {
    use std::os::unix::process::CommandExt;

    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("s.js");
    std::fs::write(
        &script,
        "import http from 'k6/http';
         export const options = {
           scenarios: { a: { executor: 'per-vu-iterations', vus: 60, iterations: 2 } },
           thresholds: { http_req_failed: ['rate<0.05'] },
         };
         export default function () { http.get(`${__ENV.PERF_BASE_URL}/health`); }",
    )
    .expect("writable");
    let mut command = test(folder.path(), "smoke");
    command.arg("--script").arg(&script);
    let few = || {
        let limit = libc::rlimit {
            rlim_cur: FEW,
            rlim_max: FEW,
        };
        // SAFETY: the pointer is to a live value of the right type.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: setrlimit(2) is a plain system call: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(few) };
    let ended = run(command.env("PERF_BASE_URL", up.url("orchestrator")));
    assert_ne!(ended.code, Some(0), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("ulimit -n"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    let reports = std::fs::read_dir(folder.path().join("results")).expect("made");
    let mut reports = reports.map(|entry| entry.expect("readable").path());
    let path = reports.find(|path| path.is_file()).expect("a report");
    let text = std::fs::read_to_string(path).expect("readable");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let why = report["results"]["smoke"]["invalid_because"].to_string();
    assert!(why.contains("file descriptors"), "{why}");
}
