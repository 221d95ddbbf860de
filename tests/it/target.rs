//! `sparring target` as a user calls it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::{Ended, call, sparring};
use crate::served_target::Target;
use crate::stack::Up;

fn ended(arguments: &[&str]) -> Ended {
    call(arguments)
}

fn json(arguments: &[&str]) -> Value {
    let ended = ended(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn a_printed_system_is_a_sound_file_to_start_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["acso", "aiaas", "acis", "agent360", "lab"] {
        let printed = ended(&["target", "print", name]);
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, &printed.stdout).expect("the folder is writable");
        let path = path.to_str().expect("a path in UTF-8");
        let checked = ended(&["check", path]);
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        assert!(
            checked.stdout.starts_with(&format!("system {name}: ")),
            "{}",
            checked.stdout
        );
        let truth = json(&["target", "truth", path, "--json"]);
        assert_eq!(truth["system"], name);
    }
    let schema = json(&["target", "print", "--schema"]);
    assert!(schema["properties"]["endpoints"].is_object());
}

#[test]
fn a_system_file_with_mistakes_is_reported_with_all_of_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("own.yaml");
    let text = "
system: own
hosts: { a: { cpu_cors: 2 } }
components: { work: { kind: service, host: b, operations: { run: { cpu_ms: 5 } } } }
endpoints: { one: { route: GET /one, flow: [ { visit: wrk.run } ] } }
";
    std::fs::write(&path, text).expect("the folder is writable");
    let path = path.to_str().expect("a path in UTF-8");
    for arguments in [vec!["check", path], vec!["target", "truth", path]] {
        let ended = ended(&arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        for line in [
            "own.yaml has 3 errors",
            "hosts.a.cpu_cors: unknown field; did you mean `cpu_cores`?",
            "components.work.host: unknown host `b`; known here: a",
            "endpoints.one.flow[0].visit: unknown component `wrk`; did you mean `work`?",
        ] {
            assert!(
                ended.stderr.contains(line),
                "no {line:?} in {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn truth_follows_settings_toggles_and_variables() {
    let capacity = |arguments: &[&str]| {
        let mut all = vec!["target", "truth", "acso", "--mix", "mixed", "--json"];
        all.extend(arguments);
        let truth = json(&all);
        truth["capacity_per_s"]["value"]
            .as_f64()
            .expect("a capacity")
    };
    assert!((capacity(&[]) - 200.0).abs() < 1e-6);
    assert!((capacity(&["--set", "hosts.agents.cpu_cores=1"]) - 50.0).abs() < 1e-6);
    assert!(
        (capacity(&[
            "--set",
            "hosts.store.disk_iops=100",
            "--toggle",
            "workflow_batching=off"
        ]) - 25.0)
            .abs()
            < 1e-6
    );
    let output = sparring()
        .args(["target", "truth", "acso", "--json"])
        .env("SPARRING_TARGET__HOSTS__AGENTS__CPU_CORES", "2")
        .output()
        .expect("it runs");
    let truth: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = truth["capacity_per_s"]["value"]
        .as_f64()
        .expect("a capacity");
    assert!((found - 100.0).abs() < 1e-6, "{found}");
    let load = json(&[
        "target",
        "truth",
        "acso",
        "--users",
        "2500",
        "--think-ms",
        "5000",
        "--json",
    ]);
    let refused = load["load"]["refused_share"]["value"]
        .as_f64()
        .expect("a share");
    assert!((refused - 0.375).abs() < 0.001, "{refused}");
}

#[test]
fn a_simulation_has_the_keys_that_tools_read_and_is_the_same_each_time() {
    let arguments = [
        "target",
        "simulate",
        "lab",
        "--endpoint",
        "mm1",
        "--rate",
        "80",
        "--requests",
        "20000",
        "--json",
    ];
    let first = json(&arguments);
    for key in [
        "requests",
        "ok",
        "rejected",
        "throughput_per_s",
        "mean_ms",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "wait_share",
        "utilisation",
    ] {
        assert!(!first[key].is_null(), "{key} in {first}");
    }
    assert_eq!(first["requests"], 20_000);
    assert_eq!(first["rejected"], 0);
    assert_eq!(first, json(&arguments));
    let other = json(&[&arguments[..], &["--seed", "7"]].concat());
    assert_ne!(first["mean_ms"], other["mean_ms"]);
    // M/M/1 at 0.8: 50 ms; the tolerance is that of 20 000 arrivals.
    let mean = first["mean_ms"].as_f64().expect("a mean");
    assert!((30.0..80.0).contains(&mean), "{mean}");
    let used = json(&[
        "target",
        "simulate",
        "acso",
        "--users",
        "500",
        "--think-ms",
        "5000",
        "--requests",
        "5000",
        "--json",
    ]);
    let agents = used["utilisation"]["agents"]["cpu"]
        .as_f64()
        .expect("a share");
    assert!((agents - 0.46).abs() < 0.03, "{agents}");
}

#[test]
fn wrong_calls_say_what_would_be_right() {
    for (arguments, part) in [
        ("target truth acos", "did you mean `acso`?"),
        ("target truth missing.yaml", "cannot read missing.yaml"),
        (
            "target truth lab --mix mm2",
            "unknown mix or endpoint `mm2`",
        ),
        ("target truth lab --rate 0", "a rate of 0 is not above 0"),
        (
            "target truth acso --toggle agent_cachin=on",
            "did you mean `agent_caching`?",
        ),
        (
            "target truth acso --toggle agent_caching=maybe",
            "`maybe` is neither on nor off",
        ),
        (
            "target truth acso --set hosts.agents.cpu_cors=1",
            "did you mean `cpu_cores`? (from --set)",
        ),
        (
            "target simulate lab --endpoint mm2 --rate 1",
            "unknown endpoint `mm2`",
        ),
        ("target simulate lab --endpoint mm1", "--rate"),
        (
            "target truth lab --set hosts.cpu1.cpu_cores=2",
            "hosts.cpu1: `cpu1` is a component; its own host is at components.cpu1.host (from --set)",
        ),
        (
            "target simulate lab --rate 5 --users 5",
            "'--rate <RATE>' cannot be used with '--users <USERS>'",
        ),
        (
            "target simulate lab --rate 5 --think-ms 5",
            "cannot be used with",
        ),
        (
            "target simulate lab --users 5 --paced",
            "cannot be used with",
        ),
        (
            "target simulate lab --rate 1e9",
            "--rate 1000000000 is not between 0.000001 and 10000000 requests per second",
        ),
        (
            "target simulate lab --rate NaN",
            "--rate NaN is not between",
        ),
        (
            "target simulate lab --rate 5 --warm-up 1000000000",
            "--warm-up 1000000000 is above 100000000",
        ),
        (
            "target simulate lab --users 5 --think-ms 1e12",
            "--think-ms 1000000000000 is not between 0 and 86400000 (a day)",
        ),
        (
            "target lab --port 8999 --admin-port 8999",
            "--admin-port 8999 is the port of the system; without --admin-port, it also serves the admin API",
        ),
        (
            "target simulate lab --users 0",
            "--users 0 is not between 1 and 1000000",
        ),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let ended = ended(&words);
        assert_ne!(ended.code, Some(0), "{arguments}");
        assert!(
            ended.stderr.contains(part),
            "{arguments}: no {part:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn systems_run_beside_the_stack_and_end_with_it() {
    let fleet = "detectors: { one: { endpoint: 'http://localhost:0/detect' } }";
    let up = Up::start_with(fleet, &["--system", "lab", "--systems", "acis,agent360"]);
    for (system, endpoint) in [("lab", "mm1"), ("acis", "predict"), ("agent360", "execute")] {
        let url = format!("{}/__admin/plan?endpoint={endpoint}&n=1", up.url(system));
        let mut answer = ureq::get(&url).call().expect("the system answers");
        let plan = answer.body_mut().read_to_string().expect("text");
        let plan: Value = serde_json::from_str(&plan).expect("JSON");
        assert_eq!(plan["endpoint"], endpoint, "{plan}");
    }
    let (status, body) = up.post("/orchestrate", &serde_json::json!({ "content": "x" }));
    assert!(status < 500, "{body}");
    assert_eq!(up.interrupt(), Some(0));
    let unknown = ended(&["up", "--system", "acos"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("did you mean `acso`?"),
        "{}",
        unknown.stderr
    );
}

/// Required inputs of an endpoint without an example in the file are generated, and failures are reported
/// with their causes.
#[test]
fn a_simulation_makes_up_requests_and_tells_of_its_failures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("own.yaml");
    let text = "
system: own
components: { work: { kind: service, queue: { capacity: 0 }, operations: { run: { service_ms: 10 } } } }
stores: { notes: { capacity: 1000 }, jobs: { capacity: 10 } }
endpoints:
  add:
    route: POST /notes
    request: { required: [user], types: { user: string }, max_chars: { user: 10 } }
    flow: [{ state: { append: notes, key: body.user } }]
  list: { route: GET /notes, flow: [{ state: { append: notes, key: query.user } }] }
  busy: { route: GET /busy, flow: [{ visit: work.run }] }
  job: { route: 'GET /jobs/{id}', flow: [{ state: { require: jobs, id: path.id } }] }
";
    std::fs::write(&path, text).expect("the folder is writable");
    let path = path.to_str().expect("a path in UTF-8");
    let simulate = |endpoint: &str, rate: &str| {
        let mut arguments = vec!["target", "simulate", path, "--endpoint", endpoint];
        arguments.extend([
            "--rate",
            rate,
            "--paced",
            "--requests",
            "100",
            "--warm-up",
            "0",
        ]);
        let told = ended(&arguments);
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        (json(&[&arguments[..], &["--json"]].concat()), told.stdout)
    };
    for endpoint in ["add", "list"] {
        let (report, told) = simulate(endpoint, "10");
        assert_eq!(
            (&report["ok"], &report["rejected"]),
            (&100.into(), &0.into()),
            "{told}"
        );
    }
    let (report, told) = simulate("busy", "200");
    assert_eq!(report["failures"][0]["endpoint"], "busy");
    assert_eq!(report["failures"][0]["error_type"], "queue_full");
    assert_eq!(report["failures"][0]["status"], 503);
    assert_eq!(report["failures"][0]["count"], report["rejected"]);
    for part in [
        "50 failed (50.00 %)",
        "50 of busy: queue_full (503), 50.00 %",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    let (_, told) = simulate("job", "10");
    for part in [
        "100 failed (100.00 %)",
        "100 of job: not_found (404)",
        "no request succeeded",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
}

#[test]
fn a_log_is_recomputed_and_what_differs_is_told_by_its_fields() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.json");
    let target = Target::start("lab", &[]);
    for _ in 0..3 {
        let answer = ureq::get(format!("{}/md1", target.url())).call();
        assert!(answer.is_ok(), "{answer:?}");
    }
    let mut answer = ureq::get(format!("{}/__admin/log", target.url()))
        .call()
        .expect("the log");
    let log = answer.body_mut().read_to_string().expect("text");
    let path_text = path.to_str().expect("a path in UTF-8");
    std::fs::write(&path, &log).expect("the folder is writable");
    let same = ended(&["target", "recompute", path_text]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
    let mut log: Value = serde_json::from_str(&log).expect("JSON");
    let end = &mut log["ends"][1];
    end["at_ns"] = (end["at_ns"].as_u64().expect("a time") + 1_000_000).into();
    end["status"] = 503.into();
    std::fs::write(&path, log.to_string()).expect("the folder is writable");
    let other = ended(&["target", "recompute", path_text]);
    assert_eq!(other.code, Some(1));
    let line = other.stdout.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("  request 2: end "), "{line}");
    assert!(
        line.ends_with(" s recomputed; status 503 in the log, 200 recomputed"),
        "{line}"
    );
}

/// Every port is bound before the system is reported as ready.
#[test]
fn a_taken_admin_port_is_reported_before_the_system_is_offered() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let ended = ended(&["target", "lab", "--port", "0", "--admin-port", &port]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "");
    let line = format!(
        "for the admin API: port {port} is already in use by another process; --admin-port takes another one, and 0 a free one"
    );
    assert!(ended.stderr.contains(&line), "{}", ended.stderr);
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).expect("a pid");
    // SAFETY: `kill` only sends a signal, to a child that was not waited for yet.
    unsafe { libc::kill(pid, libc::SIGINT) };
}

#[test]
fn a_stop_says_what_it_waits_for_and_a_second_signal_ends_it() {
    let mut child = sparring()
        .args(["target", "lab", "--port", "0", "--quiet"])
        .args(["--set", "components.md1.operations.run.service_ms=60000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("text");
    let url = line.split_whitespace().find(|word| word.contains("://"));
    let address = url.expect("an address").trim_start_matches("http://");
    let mut client = TcpStream::connect(address).expect("it listens");
    client
        .write_all(b"GET /md1 HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    let admin = format!("http://{address}/__admin");
    let in_flight = || {
        let mut answer = ureq::get(&admin).call().expect("it answers");
        let text = answer.body_mut().read_to_string().expect("text");
        let state: Value = serde_json::from_str(&text).expect("JSON");
        state["in_flight"] == 1
    };
    while !in_flight() {
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("text");
    assert_eq!(
        line.trim_end(),
        "stopping: waiting up to 10 s for 1 request in flight; a second Ctrl-C exits at once"
    );
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
