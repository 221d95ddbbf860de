//! The requests of the suites' scripts: data by seed, tasks by the suite's weights, callers by their variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::captor::{Captor, Request};
use crate::k6_diff::find_k6;
use crate::suite_ends::Running;
use crate::suite_runs::Bench;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/k6")
        .join(name)
}

/// Runs a script for some iterations of some users, with variables.
fn run(name: &str, (iterations, users): (u32, u32), variables: &[(&str, &str)]) -> Ended {
    let mut command = sparring();
    command.args([
        "run",
        "--quiet",
        "--no-thresholds",
        "--vus",
        &users.to_string(),
        "--iterations",
        &iterations.to_string(),
    ]);
    command.arg(script(name));
    command.env("K6_WAIT_FACTOR", "0");
    command.envs(variables.iter().copied());
    ended(&mut command)
}

fn ended(command: &mut Command) -> Ended {
    Ended::from(
        command
            .output()
            .expect("the binary was built for this test"),
    )
}

/// The requests of `acso.js` to a server of this test.
fn operations(variables: &[(&str, &str)]) -> Vec<Request> {
    let captor = Captor::answering(200, "{}");
    let mut all = vec![("PERF_BASE_URL", captor.url.as_str())];
    all.extend(variables);
    let ended = run("acso.js", (300, 1), &all);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    captor.requests()
}

fn bodies(asked: &[Request]) -> Vec<&Value> {
    asked.iter().map(|one| &one.body).collect()
}

fn shares(asked: &[Request]) -> BTreeMap<&str, f64> {
    let mut shares = BTreeMap::new();
    for one in asked {
        *shares.entry(one.route.as_str()).or_default() += 1.0 / asked.len() as f64;
    }
    shares
}

/// ACSO-41: threats by complexity, services and analyses, the same from the same seed.
#[test]
fn data_comes_from_a_seed_and_has_its_kinds() {
    let first = operations(&[("SPARRING_SEED", "7")]);
    let again = operations(&[("SPARRING_SEED", "7")]);
    assert_eq!(bodies(&first), bodies(&again));
    let other = operations(&[("SPARRING_SEED", "8")]);
    assert_ne!(bodies(&first), bodies(&other));
    let unseeded = operations(&[]);
    assert_ne!(
        bodies(&unseeded),
        bodies(&first),
        "without a seed each run draws anew"
    );
    let of = |path: &str| {
        let own = first
            .iter()
            .filter(|one| one.route == format!("POST /api/v1/{path}"));
        own.map(|one| one.body.clone()).collect::<Vec<Value>>()
    };
    let kinds = |bodies: &[Value], field: &str| {
        let mut kinds: Vec<String> = bodies.iter().map(|body| body[field].to_string()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    let threats = of("threats/analyze");
    assert_eq!(
        kinds(&threats, "complexity"),
        ["\"high\"", "\"low\"", "\"medium\""]
    );
    assert_eq!(kinds(&threats, "threat_type").len(), 5);
    let indicators = threats
        .iter()
        .map(|body| body["indicators"].as_array().map_or(0, Vec::len));
    let indicators: Vec<usize> = indicators.collect();
    assert!(
        indicators.iter().all(|count| (1..=20).contains(count)),
        "{indicators:?}"
    );
    let services = of("services/orchestrate");
    assert_eq!(kinds(&services, "service").len(), 3);
    let analyses = of("finance/analyze");
    assert_eq!(kinds(&analyses, "analysis").len(), 3);
    let months = analyses.iter().filter_map(|body| body["months"].as_u64());
    assert!(months.clone().all(|months| (1..=12).contains(&months)));
    assert!(months.count() > 10);
}

/// ACSO-41: the ratios of the mix are those of the suite file's class.
#[test]
fn the_mix_of_a_suite_file_is_what_its_script_sends() {
    let plain = operations(&[("SPARRING_SEED", "3")]);
    let usual = shares(&plain);
    assert!(
        (usual["POST /api/v1/threats/analyze"] - 0.4).abs() < 0.1,
        "{usual:?}"
    );
    let bench = Bench::new();
    let path = script("acso.js");
    let suite = |tasks: &str| {
        format!(
            "suite: own\nsystem: acso\ndefault: [mix]\nall: [mix]\nclasses:\n  \
             User: {{ script: {}, exec: mixed, wait_s: [0, 0], tasks: {tasks} }}\ntests:\n  \
             mix: {{ about: A mix., model: closed, users: [User], samples: {{ iterations: 200, users: 2 }}, judge: {{ checks: 1.0 }} }}\n",
            path.display()
        )
    };
    for (tasks, finance, services) in [
        ("{ finance: 1 }", 1.0, 0.0),
        ("{ finance: 1, services: 3 }", 0.25, 0.75),
    ] {
        let captor = Captor::answering(200, "{}");
        bench.write("mix.yaml", &suite(tasks));
        let ended = bench.run(&["mix.yaml", "--base-url", &captor.url, "--seed", "5"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        let asked = captor.requests();
        // The runner's requests before the load are not part of it.
        let load: Vec<Request> = asked
            .into_iter()
            .filter(|one| one.route.starts_with("POST"))
            .collect();
        let shares = shares(&load);
        let of = |path: &str| shares.get(path).copied().unwrap_or(0.0);
        assert!(
            (of("POST /api/v1/finance/analyze") - finance).abs() < 0.12,
            "{shares:?}"
        );
        assert!(
            (of("POST /api/v1/services/orchestrate") - services).abs() < 0.12,
            "{shares:?}"
        );
        assert_eq!(of("POST /api/v1/threats/analyze"), 0.0, "{shares:?}");
    }
}

/// The identity of the orchestrator's script as a caller, and its batches.
fn caller(variables: &[(&str, &str)]) -> Vec<Request> {
    let captor = Captor::answering(200, r#"{"status": "healthy"}"#);
    let mut all = vec![("PERF_BASE_URL", captor.url.as_str())];
    all.extend(variables);
    let ended = run("orchestration_load.js", (60, 6), &all);
    assert!(ended.code.is_some(), "{}", ended.stderr);
    let posts = captor
        .requests()
        .into_iter()
        .filter(|one| one.route.starts_with("POST"));
    let posts: Vec<Request> = posts.collect();
    assert!(posts.len() > 10, "{}", ended.stderr);
    posts
}

/// The requests of a call, a single one or a batch.
fn requests(asked: &Request) -> Vec<&Value> {
    match asked.body["requests"].as_array() {
        Some(batch) => batch.iter().collect(),
        None => vec![&asked.body],
    }
}

fn batch_sizes(posts: &[Request]) -> Vec<usize> {
    let batches = posts
        .iter()
        .filter_map(|one| one.body["requests"].as_array());
    batches.map(Vec::len).collect()
}

/// DET-15..19: tenant, key, the key's header, policy bundle and batch size, by default and by variable.
#[test]
fn the_callers_variables_are_in_its_requests() {
    let usual = caller(&[]);
    for one in &usual {
        assert_eq!(one.header("x-tenant-id"), Some("perf-tenant"));
        assert_eq!(one.header("x-api-key"), Some("test-key"));
        assert!(
            requests(one)
                .iter()
                .all(|it| it["tenant_id"] == "perf-tenant")
        );
        assert!(
            requests(one)
                .iter()
                .all(|it| it["policy_bundle"] == "default")
        );
    }
    let sizes = batch_sizes(&usual);
    assert!(
        !sizes.is_empty() && sizes.iter().all(|size| *size == 5),
        "{sizes:?}"
    );
    let other = caller(&[
        ("ORCHESTRATION_PERF_TENANT_ID", "other-tenant"),
        ("ORCHESTRATION_PERF_API_KEY", "other-key"),
        ("ORCHESTRATION_PERF_API_KEY_HEADER", "X-Other-Key"),
        ("ORCHESTRATION_POLICY_BUNDLE", "strict"),
        ("ORCHESTRATION_PERF_BATCH_SIZE", "3"),
    ]);
    for one in &other {
        assert_eq!(one.header("x-tenant-id"), Some("other-tenant"));
        assert_eq!(one.header("x-other-key"), Some("other-key"));
        assert_eq!(one.header("x-api-key"), None);
        assert!(
            requests(one)
                .iter()
                .all(|it| it["tenant_id"] == "other-tenant")
        );
        assert!(
            requests(one)
                .iter()
                .all(|it| it["policy_bundle"] == "strict")
        );
    }
    let sizes = batch_sizes(&other);
    assert!(
        !sizes.is_empty() && sizes.iter().all(|size| *size == 3),
        "{sizes:?}"
    );
}

/// AIA-31: a request fails by its status, with the text `Status code: N`.
#[test]
fn failures_are_named_by_their_status() {
    let bench = Bench::new();
    let captor = Captor::answering(418, "{}");
    let ended = bench.run(&[
        "lab.yaml",
        "parts",
        "--base-url",
        &captor.url,
        "--csv",
        "out",
    ]);
    assert_eq!(ended.code, Some(99), "{}{}", ended.stdout, ended.stderr);
    let report = bench.report();
    let endpoint = &report["tests"][0]["endpoints"][0];
    assert_eq!(
        endpoint["errors"],
        serde_json::json!([["Status code: 418", 5]])
    );
    let failures = std::fs::read_to_string(bench.folder.path().join("out_failures.csv"));
    let failures = failures.expect("Locust's table of failures");
    assert!(failures.contains("Status code: 418"), "{failures}");
}

/// AIA-36, AIA-37: the tools of payment and email, for 100.0 USD each, within 500 and 1000 ms. A failed payment and an
/// unsent email are outcomes as well (T-12).
#[test]
fn tools_answer_in_time_with_an_outcome() {
    let bench = Bench::new();
    let path = script("aiaas_components.js");
    let suite = format!(
        "suite: own\nsystem: aiaas\ndefault: [tools]\nall: [tools]\nclasses:\n  \
         Payment: {{ script: {0}, exec: payment, wait_s: [0, 0] }}\n  \
         Email: {{ script: {0}, exec: email, wait_s: [0, 0] }}\ntests:\n  \
         tools:\n    about: Payment and email.\n    model: closed\n    parts:\n      \
         payment: {{ users: [Payment], samples: {{ iterations: 100, users: 8 }}, judge: {{ checks: 1.0, thresholds: {{ http_req_duration: ['p(95)<500'] }} }} }}\n      \
         email: {{ users: [Email], samples: {{ iterations: 100, users: 8 }}, judge: {{ checks: 1.0, thresholds: {{ http_req_duration: ['p(95)<1000'] }} }} }}\n",
        path.display()
    );
    bench.write("tools.yaml", &suite);
    let ended = bench.run(&["tools.yaml", "--time-scale", "0.02"]);
    let report = bench.report();
    for (place, name) in ["payment: has an outcome", "email: has an outcome"]
        .iter()
        .enumerate()
    {
        let test = &report["tests"][place];
        let check = serde_json::json!([{ "name": name, "passes": 100, "fails": 0 }]);
        assert_eq!(test["checks"], check, "{}", ended.stdout);
        let judgements = test["judgements"].as_array().expect("judgements").iter();
        let mut thresholds = judgements.filter(|it| it["kind"] == "threshold");
        let p95 = thresholds.next().expect("the threshold");
        assert_eq!(p95["standing"], "held", "{p95}");
    }
    let text = std::fs::read_to_string(&path).expect("readable");
    assert!(text.contains("amount: 100.0,\n  currency: 'USD'"), "{text}");
}

/// AIA-36, AIA-37: the shipped tests of the tools neither fail by chance nor pass tools that are twice as slow.
#[test]
fn the_tests_of_the_tools_tell_slow_tools_from_sound_ones() {
    let output = |arguments: &[&str]| {
        let ended = ended(sparring().args(arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let system = live_config::read::yaml(&output(&["target", "print", "aiaas"])).expect("YAML");
    let plan = output(&["test", "aiaas", "benchmark", "--plan-json"]);
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    for tool in ["payment", "email"] {
        let tests = plan["tests"].as_array().expect("tests").iter();
        let test = tests.clone().find(|it| it["part"] == tool);
        let test = test.unwrap_or_else(|| panic!("no {tool} in {plan}"));
        let scenarios = test["options"]["scenarios"].as_object().expect("scenarios");
        let scenario = scenarios.values().next().expect("a scenario");
        let calls = scenario["iterations"].as_u64().expect("iterations");
        let threshold = &test["judge"]["thresholds"]["http_req_duration"][0];
        let bound_ms = threshold.as_str().and_then(|it| it.strip_prefix("p(95)<"));
        let bound_ms: f64 = bound_ms.and_then(|it| it.parse().ok()).expect("a bound");
        // The p95 of a sample exceeds the bound if a twentieth of the calls does.
        let crossing = calls.div_ceil(20) + 1;
        let law = &system["components"]["tool"]["operations"][tool]["service_ms"]["log_normal"];
        let [median_ms, p99_ms] = ["median_ms", "p99_ms"].map(|it| law[it].as_f64().expect("ms"));
        // The time that the edge, the tool's processor and the network add to the service time.
        const BESIDE_MS: f64 = 5.0;
        let sigma = (p99_ms / median_ms).ln() / analysis::distribution::normal_quantile(0.99);
        let found = |times: f64| {
            let z = ((bound_ms - BESIDE_MS) / (times * median_ms)).ln() / sigma;
            let late = 1.0 - analysis::distribution::normal_cdf(z);
            analysis::distribution::binomial_at_least(calls, late, crossing)
        };
        assert!(found(1.0) < 0.001, "{tool}: {}", found(1.0));
        assert!(found(2.0) > 0.95, "{tool}: {}", found(2.0));
        assert!(found(2.5) > 0.99, "{tool}: {}", found(2.5));
    }
}

/// Every user class of the shipped suites is compatible with its system: no response is an error, whether this driver
/// or, if installed, real k6 runs its script.
#[test]
fn every_class_is_answered_by_its_system() {
    let k6 = find_k6();
    for suite in ["acso", "aiaas", "acis", "agent360"] {
        // Jobs take seconds here, not a minute.
        let mut target = Running::start(
            sparring()
                .args(["target", suite, "--port", "0", "--quiet"])
                .args(match suite {
                    "acis" => &["--set", "components.jobs.operations.train.service_ms=100"][..],
                    _ => &[],
                }),
        );
        let url = target.url();
        let file = suite::builtin::built_in(suite)
            .expect("shipped")
            .expect("sound");
        for (name, class) in &file.classes {
            let options = serde_json::json!({
                "scenarios": { "one": { "executor": "shared-iterations", "vus": 4, "iterations": 12, "exec": class.exec } },
                "thresholds": { "http_req_failed": ["rate==0"], "checks": ["rate==1"] },
            });
            let path = script(
                class
                    .script
                    .file_name()
                    .and_then(|it| it.to_str())
                    .expect("a name"),
            );
            let real = k6.iter().map(Command::new);
            for mut command in std::iter::once(sparring()).chain(real) {
                command.args(["run", "--quiet"]).arg(&path);
                command
                    .env("SPARRING_PLAN", options.to_string())
                    .env("PERF_BASE_URL", &url);
                command.envs([
                    ("K6_WAIT_FACTOR", "0"),
                    ("K6_NO_USAGE_REPORT", "true"),
                    ("HOLD_S", "1"),
                    ("QUERIES", "10"),
                    ("BURST", "10"),
                ]);
                let driver = command.get_program().to_owned();
                let ended = ended(&mut command);
                assert_eq!(
                    ended.code,
                    Some(0),
                    "{suite} {name} with {}: {}{}",
                    driver.display(),
                    ended.stdout,
                    ended.stderr
                );
            }
        }
    }
}
