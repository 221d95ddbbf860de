//! `sparring target` as a user calls it.

use serde_json::Value;

use crate::binary::{Ended, call, sparring};
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
        (vec!["target", "truth", "acos"], "did you mean `acso`?"),
        (
            vec!["target", "truth", "missing.yaml"],
            "missing.yaml cannot be read",
        ),
        (
            vec!["target", "truth", "lab", "--mix", "mm2"],
            "unknown mix or endpoint `mm2`",
        ),
        (
            vec!["target", "truth", "lab", "--rate", "0"],
            "a rate of 0 is not above 0",
        ),
        (
            vec!["target", "truth", "acso", "--toggle", "agent_cachin=on"],
            "did you mean `agent_caching`?",
        ),
        (
            vec!["target", "truth", "acso", "--toggle", "agent_caching=maybe"],
            "`maybe` is neither on nor off",
        ),
        (
            vec![
                "target",
                "truth",
                "acso",
                "--set",
                "hosts.agents.cpu_cors=1",
            ],
            "did you mean `cpu_cores`? (from --set)",
        ),
        (
            vec![
                "target",
                "simulate",
                "lab",
                "--endpoint",
                "mm2",
                "--rate",
                "1",
            ],
            "unknown endpoint `mm2`",
        ),
        (
            vec!["target", "simulate", "lab", "--endpoint", "mm1"],
            "--rate",
        ),
        (
            vec!["target", "simulate", "lab", "--users", "0"],
            "--users 0 is not between 1 and 1000000",
        ),
    ] {
        let ended = ended(&arguments);
        assert_ne!(ended.code, Some(0), "{arguments:?}");
        assert!(
            ended.stderr.contains(part),
            "{arguments:?}: no {part:?} in {}",
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
