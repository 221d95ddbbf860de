//! The commands, settings and outputs in the documents, through the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::binary::{Ended, sparring};
use crate::suite_ends::Running;
use crate::suite_runs::{Bench, assert_ends, json as read, passed};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn ended(command: &mut Command) -> Ended {
    Ended::from(
        command
            .output()
            .expect("the binary was built for this test"),
    )
}

/// ACSO-05: the tasks for which the document installs four packages need no other program.
#[test]
fn charts_and_process_figures_need_no_other_program() {
    let bench = Bench::new();
    let mut command = bench.test(&["lab.yaml", "smoke", "--time-scale", "0.5"]);
    let run = ended(command.env("PATH", ""));
    passed(&run, &bench.report());
    let page = std::fs::read_to_string(bench.run_folder().join("report.html")).expect("a page");
    for shown in ["<svg", "Throughput", "Processor of the generator"] {
        assert!(page.contains(shown), "no {shown}");
    }
    let report = bench.report();
    let samples = report["tests"][0]["observed"]["generator"]
        .as_array()
        .cloned();
    let samples = samples.expect("samples");
    for figure in ["cpu_cores", "memory_bytes", "threads", "descriptors"] {
        let known = samples
            .iter()
            .any(|sample| sample[figure].as_f64() > Some(0.0));
        assert!(known, "no {figure} in {samples:?}");
    }
}

/// ACSO-07, ACSO-40: a configuration in JSON sets load, scaling, limits of stress, targets, optimisations and
/// monitoring.
#[test]
fn a_configuration_file_in_json_sets_all_of_its_sections() {
    let bench = Bench::new();
    let script = repository("tests/k6/acso.js");
    let config = json!({
        "suite": "acso", "system": "acso", "default": ["load"], "all": ["load", "scalability", "stress"],
        "classes": { "User": { "script": script, "exec": "mixed", "wait_s": [4, 6],
                               "tasks": { "threats": 2, "services": 1, "finance": 1 } } },
        "grades": { "ops_per_s": { "target": 30 }, "avg_ms": { "target": 2500, "poor": 9000 } },
        "tests": {
            "load": { "about": "Load parameters, targets and what is watched.", "model": "closed", "users": ["User"],
                "phases": [{ "ramp": { "to": 8, "at_per_s": 4 } }, { "steady": { "for": "33s" } }],
                "judge": { "grades": "target", "rows": { "cpu_ratio": "<0.6", "memory_ratio": "<0.7" },
                           "alerts": ["cpu_usage_high", "memory_usage_high"] } },
            "scalability": { "about": "Ranges and increments.", "model": "closed", "users": ["User"],
                "ladder": { "levels": [3, 6, 9], "at_per_s": 3, "each": "10s" },
                "judge": { "rows": { "retention": ">=0.5" } } },
            "stress": { "about": "Limits of failure, and optimisations.", "model": "closed", "users": ["User"],
                "before": { "toggle": { "agent_caching": true, "bus_batching": false } },
                "ladder": { "levels": [10, 20], "at_per_s": 10, "each": "10s", "until": ["success_rate<0.5", "poor"] },
                "judge": { "names": ["capacity"] } },
        },
    });
    bench.write("performance_config.json", &config.to_string());
    let plan = bench.run(&["--config", "performance_config.json", "all", "--plan-json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).expect("JSON");
    let [load, scalability, stress] = [0, 1, 2].map(|place| &plan["tests"][place]);
    assert_eq!(load["phases"][1]["users"], 8.0);
    assert_eq!(load["phases"][1]["end_s"], 35.0);
    assert_eq!(load["classes"][0]["tasks"]["threats"], 2);
    assert_eq!(load["judge"]["grades"], "target");
    assert_eq!(load["judge"]["rows"]["cpu_ratio"], "<0.6");
    assert_eq!(
        load["judge"]["alerts"],
        json!(["cpu_usage_high", "memory_usage_high"])
    );
    let steps = scalability["phases"].as_array().expect("phases").iter();
    let levels: Vec<&Value> = steps
        .filter(|it| it["kind"] == "steady")
        .map(|it| &it["users"])
        .collect();
    assert_eq!(levels, [3.0, 6.0, 9.0]);
    assert_eq!(stress["until"], json!(["success_rate<0.5", "poor"]));
    let toggles = json!({ "agent_caching": true, "bus_batching": false });
    assert_eq!(stress["before"]["toggle"], toggles);
    // An unknown field is an error with its place.
    let wrong = config.to_string().replace("\"levels\"", "\"lvels\"");
    bench.write("wrong.json", &wrong);
    let refused = bench.run(&["--config", "wrong.json", "--dry"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("did you mean `levels`?"),
        "{}",
        refused.stderr
    );
}

/// ACSO-08, ACSO-10, ACSO-53, ACSO-54: the two steps of CI, as the document writes them.
#[test]
fn the_steps_of_ci_write_results_and_compare_them() {
    let bench = Bench::new();
    let step = |script: &str, arguments: &[&str]| {
        let mut python = Command::new("python3");
        python
            .arg(repository("tests/performance").join(script))
            .args(arguments)
            .current_dir(bench.folder.path())
            .env("SPARRING", env!("CARGO_BIN_EXE_sparring"));
        ended(&mut python)
    };
    let quick = [
        "--quick-check",
        "--output",
        "perf_results.json",
        "--time-scale",
        "0.1",
    ];
    let check = step("run_performance_tests.py", &quick);
    let results = read(&bench.folder.path().join("perf_results.json"));
    for key in [
        "total_operations",
        "success_rate",
        "avg_throughput",
        "max_throughput",
        "avg_response_time",
        "p95_response_time",
    ] {
        assert!(!results["summary"][key].is_null(), "{key} in {results}");
    }
    assert!(
        results["summary"]["total_operations"].as_u64() > Some(100),
        "{results}"
    );
    assert!(results["scalability_analysis"].is_object() && results["recommendations"].is_array());
    let run = std::fs::read_dir(bench.folder.path().join("results")).expect("made");
    let run = run
        .flatten()
        .map(|it| it.path())
        .find(|it| it.is_dir())
        .expect("a run");
    let report = read(&run.join("report.json"));
    let code = match report["outcome"].as_str() {
        Some("passed") => 0,
        // Six seconds of a ladder's steps are mostly inconclusive.
        Some("inconclusive") => 4,
        other => panic!("{other:?}: {}{}", check.stdout, check.stderr),
    };
    assert_eq!(check.code, Some(code), "{}{}", check.stdout, check.stderr);
    let same = step(
        "check-performance-regression.py",
        &["perf_results.json", "perf_results.json"],
    );
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
}

/// ACSO-11, ACSO-16: `--verbose` with LOG_LEVEL=DEBUG logs more than alone, LOG_LEVEL=WARNING less.
#[test]
fn log_levels_of_the_document_are_obeyed() {
    let log = |level: Option<&str>, arguments: &[&str]| {
        let bench = Bench::new();
        let mut all = vec!["lab.yaml", "parts", "--time-scale", "0.02"];
        all.extend(arguments);
        let mut command = bench.test(&all);
        command.env_remove("LOG_LEVEL").env_remove("RUST_LOG");
        command.envs(level.map(|level| ("LOG_LEVEL", level)));
        let run = ended(&mut command);
        passed(&run, &bench.report());
        run.stderr
    };
    let debug = log(Some("DEBUG"), &["--verbose"]);
    assert!(debug.contains("DEBUG"), "{debug}");
    let told = log(None, &["--verbose"]);
    assert!(!told.contains("DEBUG"), "{told}");
    let quiet = log(Some("WARNING"), &[]);
    assert!(
        !quiet.contains("INFO") && !quiet.contains("DEBUG"),
        "{quiet}"
    );
}

/// A suite on the simulated ACSO whose users have short waits.
fn operations(bench: &Bench) {
    let suite = format!(
        "suite: own\nsystem: acso\ndefault: [some]\nall: [some]\nclasses:\n  \
         User: {{ script: {}, exec: mixed, wait_s: [0.1, 0.2], tasks: {{ threats: 1, services: 1, finance: 1 }} }}\n\
         tests:\n  some: {{ about: Operations., model: closed, users: [User], \
         phases: [{{ ramp: {{ to: 8 }} }}, {{ steady: {{ for: 6s }} }}], judge: {{ thresholds: {{ http_req_failed: ['rate<0.05'] }} }} }}\n",
        repository("tests/k6/acso.js").display()
    );
    bench.write("operations.yaml", &suite);
}

/// Runs [`operations`] with variables. Returns its result and its report.
fn with_variables(variables: &[(&str, &str)]) -> (Ended, Value) {
    let bench = Bench::new();
    operations(&bench);
    let mut command = bench.test(&["operations.yaml"]);
    command.envs(variables.iter().copied());
    let ended = ended(&mut command);
    (ended, bench.report())
}

/// ACSO-15, ACSO-16: variables of the document are recorded with the run.
#[test]
fn variables_of_the_document_are_in_the_record() {
    let (usual, report) = with_variables(&[("AWS_REGION", "us-east-1"), ("LOG_LEVEL", "WARNING")]);
    assert_ends(&usual, &report["tests"][0], 0);
    assert_eq!(report["environment"]["AWS_REGION"], "us-east-1");
    assert_eq!(report["environment"]["LOG_LEVEL"], "WARNING");
}

/// ACSO-14, ACSO-17: the optimisations and the timeouts of the system that is started.
#[test]
fn variables_of_the_document_reach_the_system() {
    let capacity = |report: &Value| {
        let truth = &report["tests"][0]["analysis"]["truth"];
        let capacity = truth["capacity_per_s"]["value"].as_f64();
        capacity.expect("a capacity")
    };
    let (_, usual) = with_variables(&[]);
    let (_, slowed) = with_variables(&[("ACSO_PERFORMANCE_MODE", "false")]);
    assert_eq!(slowed["environment"]["ACSO_PERFORMANCE_MODE"], "false");
    let (usual, slowed) = (capacity(&usual), capacity(&slowed));
    assert!(slowed < usual, "{slowed} of {usual}");
    // Deadlines of 15 s become 15 ms, which no operation meets.
    let (cut, report) = with_variables(&[("PERFORMANCE_TIMEOUT_MULTIPLIER", "0.001")]);
    let multiplier = &report["environment"]["PERFORMANCE_TIMEOUT_MULTIPLIER"];
    assert_eq!(multiplier, "0.001");
    assert_ends(&cut, &report["tests"][0], 99);
    let figures = &report["tests"][0]["figures"];
    assert_eq!(figures["failures"], figures["requests"], "{figures}");
}

/// ACSO-29, ACSO-30: the times of responses and workflows, and their resource usage. ACSO-28: operations, completed
/// workflows, messages and the operations of each agent, as series.
#[test]
fn throughput_is_recorded_by_operation_workflow_message_and_agent() {
    let bench = Bench::new();
    operations(&bench);
    let ended = bench.run(&["operations.yaml"]);
    let report = bench.report();
    let samples = report["tests"][0]["observed"]["target"].as_array().cloned();
    let samples = samples.expect("samples").into_iter();
    let throughput: Vec<Value> = samples.filter(|it| it["host"] == "throughput").collect();
    assert!(throughput.len() >= 3, "{throughput:?} {}", ended.stdout);
    let has = |name: &str| {
        let rates = throughput
            .iter()
            .flat_map(|it| it["other"].as_object().cloned().unwrap_or_default());
        let mut own = rates.filter(|(series, _)| series.starts_with(name));
        own.any(|(_, rate)| rate.as_f64() > Some(0.0))
    };
    for name in [
        "acso_operations_total",
        "acso_workflows_completed_total",
        "acso_messages_processed_total",
        "acso_agent_operations_total{agent=\"triage\"}",
        "acso_agent_operations_total{agent=\"plan\"}",
        "acso_agent_operations_total{agent=\"model\"}",
    ] {
        assert!(has(name), "no {name} in {:?}", throughput.last());
    }
    assert!(report["tests"][0]["figures"]["requests_per_s"].as_f64() > Some(0.0));
    times_and_resources_are_recorded(&report["tests"][0]);
}

/// The times of responses and of whole workflows in milliseconds; processor, memory, network and disk of some host.
fn times_and_resources_are_recorded(test: &Value) {
    let latency = &test["figures"]["latency"];
    let workflow = &test["k6_summary"]["trends"]["workflow_duration"]["values"];
    for time in [
        &latency["mean"],
        &latency["percentiles"]["p95"],
        &latency["percentiles"]["p99"],
        &workflow["avg"],
        &workflow["p(99)"],
    ] {
        assert!(time.as_f64() > Some(0.0), "{latency} {workflow}");
    }
    let samples = test["observed"]["target"].as_array().expect("samples");
    for resource in ["cpu_ratio", "memory_ratio", "network_ratio", "disk_ratio"] {
        let mut shares = samples.iter().filter_map(|it| it[resource].as_f64());
        assert!(shares.any(|share| share > 0.0), "no {resource}");
    }
}

/// DET-34, ACIS-22: the figures of `htop` and `docker stats` for the target's process, and those of
/// `pg_stat_activity`: its connections to the database.
#[test]
fn the_targets_process_and_its_connections_are_watched() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let bench = Bench::new();
    let pid = target.id().to_string();
    let run = |arguments: &[&str]| {
        let mut all = vec!["acis", "smoke", "--time-scale", "0.1", "--base-url", &url];
        all.extend(arguments);
        let bench = Bench::new();
        bench.run(&all);
        bench.report()["tests"][0]["observed"].clone()
    };
    let watched = run(&["--pid", &pid]);
    assert_eq!(watched["target_source"], "pid");
    let samples = watched["target"].as_array().expect("samples").iter();
    let used = samples
        .clone()
        .any(|it| it["cpu_cores"].as_f64() > Some(0.0));
    assert!(
        used && samples
            .clone()
            .all(|it| it["memory_bytes"].as_u64() > Some(1 << 20))
    );
    assert!(samples.clone().all(|it| it["threads"].as_u64() > Some(0)));
    // The simulating process is distinguished from the simulated system.
    let played = run(&[]);
    assert_eq!(played["target_source"], "simulated");
    let simulator = played["simulator"].as_array().expect("samples").iter();
    assert!(
        simulator
            .clone()
            .any(|it| it["cpu_cores"].as_f64() > Some(0.0)),
        "{played}"
    );
    assert!(
        simulator
            .clone()
            .all(|it| it["memory_bytes"].as_u64() > Some(1 << 20))
    );
    let pools = played["target"].as_array().expect("samples").iter();
    let mut pools = pools.filter(|it| it["host"] == "pools");
    assert!(
        pools.any(|it| it["other"]["pool_db_ratio"].is_number()),
        "{played}"
    );
    drop(bench);
}

/// A360-05: the compose file of the load test, with the limits of the document.
#[test]
fn the_compose_file_of_the_load_test_has_the_documents_limits() {
    let text =
        std::fs::read_to_string(repository("docker-compose.load-test.yml")).expect("readable");
    let file = live_config::read::yaml(&text).expect("YAML");
    assert_eq!(file["version"], "3.8");
    for (service, cpus, memory) in [
        ("agent360", "2", "4G"),
        ("cassandra", "4", "8G"),
        ("redis", "2", "4G"),
    ] {
        let limits = &file["services"][service]["deploy"]["resources"]["limits"];
        assert_eq!(
            limits,
            &json!({ "cpus": cpus, "memory": memory }),
            "{service}"
        );
    }
    assert_eq!(
        file["services"]["agent360"]["environment"]["ENVIRONMENT"],
        "load-test"
    );
}

/// A360-06: the two metrics, with the labels of the document.
#[test]
fn agent360_exports_the_metrics_of_its_document() {
    let mut target =
        Running::start(sparring().args(["target", "agent360", "--port", "0", "--quiet"]));
    let url = target.url();
    let post = |body: &str| {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        let request = ureq::Agent::from(agent).post(format!("{url}/agent/execute"));
        let answer = request
            .header("Content-Type", "application/json")
            .send(body);
        answer.expect("it answers").status().as_u16()
    };
    assert_eq!(post(r#"{ "query": "q", "tools": ["database_tool"] }"#), 200);
    assert_eq!(post(r#"{ "query": "q" }"#), 422);
    let metrics = ureq::get(format!("{url}/metrics"))
        .call()
        .expect("it answers");
    let metrics = metrics.into_body().read_to_string().expect("text");
    assert!(
        metrics.contains("# TYPE request_latency_seconds histogram"),
        "{metrics}"
    );
    assert!(
        metrics.contains("# TYPE request_errors_total counter"),
        "{metrics}"
    );
    let has = |name: &str, labels: &[&str]| {
        let mut lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.any(|line| labels.iter().all(|label| line.contains(label)) && !line.ends_with(" 0"))
    };
    assert!(
        has("request_latency_seconds_count", &["endpoint="]),
        "{metrics}"
    );
    assert!(
        has("request_errors_total", &["endpoint=", "error_type="]),
        "{metrics}"
    );
}

/// AIA-32, ACIS-20: the files that a Locust command line names, for one test with all of its users.
#[test]
fn a_command_line_of_locust_writes_the_files_that_it_names() {
    for (system, page, prefix) in [
        ("aiaas", "load-test-report.html", "load-test"),
        ("acis", "performance-report.html", "performance-results"),
    ] {
        let bench = Bench::new();
        let html = format!("--html={page}");
        let line = [
            "--system",
            system,
            "--users=6",
            "--spawn-rate=6",
            "--run-time=9s",
            "--headless",
        ];
        let ended = bench.run(&[&line[..], &[&html, "--csv", prefix]].concat());
        let said = format!("{}{}", ended.stdout, ended.stderr);
        let report = bench.report();
        let tests = report["tests"].as_array().expect("tests");
        assert_eq!(tests.len(), 1, "{said}");
        let classes = tests[0]["classes"].as_array().expect("classes");
        assert_eq!(
            classes.len(),
            if system == "aiaas" { 2 } else { 3 },
            "{said}"
        );
        for name in ["stats", "stats_history", "failures", "exceptions"] {
            let path = bench.folder.path().join(format!("{prefix}_{name}.csv"));
            assert!(path.is_file(), "{} is missing: {said}", path.display());
        }
        let page = std::fs::read_to_string(bench.folder.path().join(page)).expect("a page");
        assert!(page.contains("<html"), "{said}");
    }
}
