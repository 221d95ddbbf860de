//! The documents' requirements on single tests: lengths, users, waits, asserted numbers. The ids are those
//! of the documents' checklists (`cargo xtask seeds`).

use std::time::Duration;

use report::record::TestContent;
use suite::builtin::{BUILT_IN, built_in};
use suite::file::{Grade, Judge, SuiteFile};
use suite::plan::{LoadOverride, PlannedTest, Selection, lint, plan};

fn file(name: &str) -> SuiteFile {
    built_in(name)
        .expect("a built-in suite")
        .unwrap_or_else(|error| panic!("{error}"))
}

fn tests(suite: &str, name: &str) -> Vec<PlannedTest> {
    let selection = Selection {
        tests: vec![name.to_owned()],
        ..Selection::default()
    };
    let planned = plan(&file(suite), &selection, &|_| None);
    planned.unwrap_or_else(|error| panic!("{error}")).tests
}

fn part(suite: &str, name: &str, part: &str) -> PlannedTest {
    let mut found = tests(suite, name).into_iter();
    found
        .find(|test| test.part.as_deref() == Some(part))
        .unwrap_or_else(|| panic!("{suite} {name}/{part}"))
}

/// Minutes of load of all parts together.
fn minutes(suite: &str, name: &str) -> f64 {
    let tests = tests(suite, name);
    let ends = tests.iter().filter_map(|test| test.phases.last());
    ends.map(|phase| phase.end_s).sum::<f64>() / 60.0
}

/// The highest level of a test.
fn most(test: &PlannedTest) -> f64 {
    test.phases
        .iter()
        .map(suite::plan::PlannedPhase::level)
        .fold(0.0, f64::max)
}

/// AIA-03..06: each category has its length. AIA-01: each layer of the pyramid exists.
#[test]
fn categories_of_the_platform_last_as_long_as_documented() {
    for (name, least, most) in [
        ("load", 10.0, 30.0),
        ("stress", 30.0, 60.0),
        ("spike", 5.0, 15.0),
        ("volume", 30.0, 120.0),
    ] {
        let minutes = minutes("aiaas", name);
        assert!(
            (least..=most).contains(&minutes),
            "{name}: {minutes} minutes"
        );
    }
    let all = file("aiaas").all;
    assert!(
        ["benchmark", "load", "stress"]
            .iter()
            .all(|layer| all.iter().any(|it| it == layer))
    );
}

/// AIA-02: benchmarks run on every change, so each is a count of samples or a few seconds.
#[test]
fn benchmarks_are_short() {
    for test in tests("aiaas", "benchmark") {
        let seconds = test.phases.last().map_or(0.0, |phase| phase.end_s);
        assert!(
            test.content == TestContent::Samples || seconds <= 10.0,
            "{}",
            test.label()
        );
    }
}

/// ACIS-06, ACIS-07: users, spawn rates and minutes of stress and background use.
#[test]
fn stress_and_background_use_are_those_of_the_document() {
    let stress = &tests("acis", "stress")[0];
    assert!((500.0..=1000.0).contains(&most(stress)));
    assert!((5.0..=15.0).contains(&minutes("acis", "stress")));
    assert_eq!(stress.phases[0].end_s, 500.0 / 50.0, "50 users per second");
    let background = &tests("acis", "background")[0];
    assert!((5.0..=20.0).contains(&most(background)));
    assert!((30.0..=60.0).contains(&minutes("acis", "background")));
    let classes = file("acis").classes;
    let tasks = |class: &str| {
        classes[class]
            .tasks
            .keys()
            .cloned()
            .collect::<Vec<String>>()
    };
    assert_eq!(tasks("ACISStressTestUser"), ["predict", "optimise", "bulk"]);
    assert_eq!(
        tasks("ACISBackgroundJobUser"),
        ["train", "fetch", "rebalance"]
    );
}

/// AIA-23, AIA-30, A360-07..09: how long users wait.
#[test]
fn users_wait_as_long_as_documented() {
    for (suite, class, wait_s) in [
        ("aiaas", "AIaaSUser", [1.0, 3.0]),
        ("aiaas", "HighLoadUser", [0.1, 0.5]),
        ("agent360", "BasicLoadTest", [1.0, 3.0]),
        ("agent360", "WorkflowLoadTest", [2.0, 5.0]),
        ("agent360", "StressTest", [0.1, 0.5]),
    ] {
        assert_eq!(file(suite).classes[class].wait_s, wait_s, "{class}");
    }
    assert_eq!(file("aiaas").classes["HighLoadUser"].tasks["chat"], 10);
}

fn asks(judge: &Judge, metric: &str, expressions: &[&str]) {
    assert_eq!(judge.thresholds[metric], expressions, "{metric}");
}

/// AIA-33..35: the numbers that the document asserts of the router.
#[test]
fn router_benchmarks_assert_what_the_document_does() {
    let latency = part("aiaas", "benchmark", "router_latency");
    asks(
        &latency.judge,
        "router_decision_ms",
        &["p(50)<50", "p(95)<100", "p(99)<200"],
    );
    let scenarios = &latency.options["scenarios"];
    assert_eq!(scenarios["Router"]["iterations"], 100);
    assert_eq!(scenarios["Router_warm_up"]["iterations"], 10);
    let throughput = part("aiaas", "benchmark", "router_throughput");
    assert_eq!(throughput.env["BURST"], "1000");
    assert_eq!(throughput.judge.rows["requests_per_s"], ">1000");
    assert_eq!(throughput.judge.checks, Some(1.0), "all complete");
    for at_once in ["10", "50", "100", "200"] {
        let test = part(
            "aiaas",
            "benchmark",
            &format!("router_concurrency_{at_once}"),
        );
        assert_eq!(test.env["BURST"], at_once);
        asks(&test.judge, "time_per_request", &["max<100"]);
        assert_eq!(test.judge.checks, Some(1.0));
    }
}

fn cells(part: &str, axis: &str) -> Vec<f64> {
    let tests = tests("aiaas", "benchmark");
    let own = tests
        .iter()
        .filter(|test| test.part.as_deref() == Some(part));
    own.filter_map(|test| test.cell[axis].as_f64()).collect()
}

/// AIA-38..41: instances, memory and cores that the document varies, and its bounds.
#[test]
fn scaling_benchmarks_vary_what_the_document_does() {
    assert_eq!(
        cells("router_memory", "router.memory_mb"),
        [512.0, 1024.0, 2048.0, 4096.0]
    );
    assert_eq!(
        cells("router_cores", "router.cpu_cores"),
        [0.5, 1.0, 2.0, 4.0]
    );
    for instances in [1_u32, 2, 4, 8] {
        let routers = part(
            "aiaas",
            "benchmark",
            &format!("router_instances_{instances}"),
        );
        assert_eq!(routers.cell["router.instances"], instances);
        let least = format!(">={}", f64::from(instances) * 0.8 * 100.0);
        assert_eq!(routers.judge.rows["requests_per_s"], least);
        asks(&routers.judge, "http_req_duration", &["avg<100"]);
    }
    for instances in [1_u32, 2, 4] {
        let databases = part(
            "aiaas",
            "benchmark",
            &format!("database_instances_{instances}"),
        );
        assert_eq!(databases.cell["database.instances"], instances);
        let least = format!(">={}", f64::from(instances) * 0.8 * 1000.0);
        assert_eq!(databases.judge.rows["queries_per_s"], least);
        assert_eq!(databases.env["QUERIES"], "1000");
        asks(&databases.judge, "database_query_ms", &["avg<50"]);
    }
    let memory = part("aiaas", "benchmark", "router_memory");
    asks(&memory.judge, "http_req_duration", &["avg<100"]);
    let cores = part("aiaas", "benchmark", "router_cores");
    asks(&cores.judge, "http_req_duration", &["avg<100"]);
    assert_eq!(
        cores.judge.names,
        ["monotone"],
        "it should improve with more"
    );
}

/// AIA-14..22: rates and resources at normal, peak and burst load.
#[test]
fn throughput_rows_are_those_of_the_table() {
    for (name, rate, cpu, memory, disk, network) in [
        ("api_1000", ">=1000", "<0.6", "<2", "<1000", "<100"),
        ("api_2000", ">=2000", "<0.8", "<4", "<2000", "<200"),
        ("api_5000", ">=5000", "<0.9", "<8", "<5000", "<500"),
    ] {
        let rows = part("aiaas", "throughput", name).judge.rows;
        let row = |name: &str| rows[name].clone();
        assert_eq!(row("rate_per_s"), rate);
        assert_eq!([row("cpu_ratio"), row("memory_gb")], [cpu, memory]);
        assert_eq!(
            [row("disk_iops"), row("network_mbit_per_s")],
            [disk, network]
        );
    }
    for rate in ["10000", "20000", "50000"] {
        let rows = part("aiaas", "throughput", &format!("database_{rate}"))
            .judge
            .rows;
        assert_eq!(rows["queries_per_s"], format!(">={rate}"));
    }
    for rate in ["100", "200", "500"] {
        let rows = part("aiaas", "throughput", &format!("workflows_{rate}"))
            .judge
            .rows;
        assert_eq!(rows["workflows_per_s"], format!(">={rate}"));
    }
    for (rate, users) in [("5000", 100.0), ("10000", 200.0), ("25000", 500.0)] {
        let test = part("aiaas", "throughput", &format!("messages_{rate}"));
        assert_eq!(test.judge.rows["messages_per_s"], format!(">={rate}"));
        assert_eq!(most(&test), users, "each sends a little more than fifty");
    }
}

/// AIA-15: ten thousand connections, and with `--full` twenty and fifty thousand.
#[test]
fn sockets_are_as_many_as_documented_the_larger_numbers_on_demand() {
    let sockets = |full| {
        let selection = Selection {
            tests: vec!["throughput".to_owned()],
            full,
            ..Selection::default()
        };
        let planned = plan(&file("aiaas"), &selection, &|_| None).expect("a plan");
        let users = planned.tests.iter().map(PlannedTest::sampling_users);
        users.filter(|users| *users > 0).collect::<Vec<u64>>()
    };
    assert_eq!(sockets(false), [10_000]);
    assert_eq!(sockets(true), [10_000, 20_000, 50_000]);
}

/// `--full` is refused where it adds nothing, with what it means and where it adds something.
#[test]
fn full_is_refused_where_there_are_no_larger_parts() {
    let refused = |suite: &str, test: &str| {
        let selection = Selection {
            tests: vec![test.to_owned()],
            full: true,
            ..Selection::default()
        };
        let planned = plan(&file(suite), &selection, &|_| None);
        planned.err().map(|error| error.to_string())
    };
    assert_eq!(refused("aiaas", "all"), None);
    assert_eq!(
        refused("aiaas", "load").as_deref(),
        Some(
            "--full adds parts that need a prepared machine; the selected tests of suite aiaas have none and are complete \
             without it: leave out --full, or add throughput"
        )
    );
    for suite in ["orchestrator", "acso", "acis", "agent360"] {
        let said = format!(
            "--full adds parts that need a prepared machine; suite {suite} has none and is complete without it: leave out --full"
        );
        assert_eq!(refused(suite, "all-tests"), Some(said));
    }
}

/// The volumes that scripts send are those of the suite's description.
#[test]
fn volumes_are_in_what_scripts_read() {
    let env = |suite: &str, name: &str| tests(suite, name)[0].env.clone();
    assert_eq!(env("orchestrator", "volume")["PERF_CONTENT_KB"], "50");
    assert_eq!(env("aiaas", "volume")["AIAAS_MESSAGE_KB"], "32");
    assert_eq!(env("aiaas", "volume")["AIAAS_WORKFLOW_NODES"], "100");
    assert_eq!(env("acis", "volume")["ACIS_LIMIT"], "200");
}

/// AIA-06, AIA-10: a volume that the system rejects or fails on does not count: neither a full store nor a missing
/// response. Without indexes the lists of ACIS have to fail, and the reason is required (ACIS-17).
#[test]
fn volumes_are_judged_by_refusals_and_failures_too() {
    for (suite, _) in BUILT_IN {
        for test in tests(suite, "volume") {
            let (label, judge) = (test.label(), &test.judge);
            assert_eq!(judge.rows["refusals"], "==0", "{suite} {label}");
            let grades = file(suite).grades;
            let graded = judge.grades.is_some()
                && [Grade::ErrorRate, Grade::SuccessRate]
                    .iter()
                    .any(|grade| grades.contains_key(grade));
            let by_threshold = ["http_req_failed", "orchestrate_success"]
                .iter()
                .any(|metric| judge.thresholds.contains_key(*metric));
            let has_to_fail = test.part.as_deref() == Some("unindexed");
            assert_ne!(graded || by_threshold, has_to_fail, "{suite} {label}");
            let names = |name: &str| judge.names.iter().any(|it| it == name);
            let reason = names("failure_mode") && names("bottleneck");
            assert_eq!(reason, has_to_fail, "{suite} {label}");
        }
    }
    let api = &tests("aiaas", "volume")[0].judge;
    asks(api, "http_req_failed", &["rate<0.002"]);
    asks(
        api,
        "http_req_duration",
        &["p(50)<200", "p(95)<1000", "p(99)<2000"],
    );
}

/// ACSO-18..20, ACSO-42..44, ACSO-57: each scenario alone, and each of the twelve optimisations.
#[test]
fn scenarios_run_alone_and_optimisations_one_by_one() {
    let load = tests("acso", "load");
    let parts: Vec<&str> = load
        .iter()
        .filter_map(|test| test.part.as_deref())
        .collect();
    assert_eq!(parts, ["threats", "services", "finance", "mixed"]);
    let toggled: Vec<String> = tests("acso", "optimisation")
        .iter()
        .flat_map(|test| test.before.toggle.keys().cloned().collect::<Vec<String>>())
        .collect();
    for group in ["bus", "agent", "workflow"] {
        let own = toggled.iter().filter(|name| name.starts_with(group));
        assert_eq!(own.count(), 4 * 2, "{group}: each twice");
    }
}

/// ACSO-01..03, ACSO-25, ACSO-26: the suites, the breaking point, and each resource at its limit.
#[test]
fn acso_has_its_three_suites_and_five_exhausted_resources() {
    assert_eq!(file("acso").all, ["load", "scalability", "stress"]);
    let capacity = part("acso", "stress", "capacity");
    assert_eq!(
        capacity.judge.names,
        ["capacity", "failure_mode", "recovery"]
    );
    for resource in ["cpu", "memory", "network", "io", "application"] {
        let test = part("acso", "stress", resource);
        assert_eq!(test.judge.names, ["bottleneck"], "{resource}");
    }
}

/// A360-01, A360-02: normal, peak and sustained load; breaking, recovery and limited resources.
#[test]
fn agent360_has_its_loads_and_its_limits() {
    let levels: Vec<f64> = tests("agent360", "load").iter().map(most).collect();
    assert_eq!(levels, [50.0, 200.0, 500.0]);
    let stress = tests("agent360", "stress");
    assert!(
        stress
            .iter()
            .all(|test| test.judge.names == ["failure_mode", "recovery"])
    );
    let limited = stress.iter().filter(|test| !test.before.set.is_empty());
    assert_eq!(limited.count(), 2, "cores and memory");
}

/// DET-08..10, DET-14: the kinds of test of the orchestrator, and what they are judged by.
#[test]
fn the_orchestrator_has_load_stress_and_faults() {
    let load = &tests("orchestrator", "load")[0];
    assert_eq!(load.phases[0].end_s, 50.0 / 5.0, "five users per second");
    assert_eq!(load.phases[1].end_s, 600.0);
    asks(&load.judge, "orchestrate_duration", &["p(95)<2000"]);
    asks(&load.judge, "orchestrate_success", &["rate>0.95"]);
    assert_eq!(most(&tests("orchestrator", "stress")[0]), 200.0);
    let faults = &tests("orchestrator", "fault-tolerance")[0];
    assert_eq!(faults.drills.len(), 3);
    let benchmark = &tests("orchestrator", "benchmark")[0];
    assert_eq!(benchmark.judge.rows["rate_per_s"], ">=100");
}

/// AIA-02..06, ACIS-05..07: a length outside of the test's category causes a warning; the built-in tests are
/// inside.
#[test]
fn lengths_outside_of_their_category_are_remarked_on() {
    let remarks = |suite: &str, name: &str, minutes: Option<u64>| {
        let selection = Selection {
            tests: vec![name.to_owned()],
            load: LoadOverride {
                run_time: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
                ..LoadOverride::default()
            },
            as_one: minutes.is_some(),
            ..Selection::default()
        };
        let remarks = lint(&plan(&file(suite), &selection, &|_| None).expect("a plan"));
        let mut own = remarks.into_iter().filter(|it| it.contains("category"));
        own.next()
    };
    for (suite, name, [least, most], id) in [
        ("aiaas", "load", [10, 30], "AIA-03"),
        ("aiaas", "stress", [30, 60], "AIA-04"),
        ("aiaas", "spike", [5, 15], "AIA-05"),
        ("aiaas", "volume", [30, 120], "AIA-06"),
        ("acis", "load", [10, 30], "ACIS-05"),
        ("acis", "stress", [5, 15], "ACIS-06"),
        ("acis", "background", [30, 60], "ACIS-07"),
    ] {
        for minutes in [least, most] {
            assert_eq!(remarks(suite, name, Some(minutes)), None, "{suite} {name}");
        }
        for minutes in [least - 1, most + 1] {
            let said = remarks(suite, name, Some(minutes)).unwrap_or_default();
            let expected = format!(
                "{name}: lasts {minutes} minutes; tests of this category take {least} to {most} ({id})"
            );
            assert_eq!(said, expected, "{suite} {name}");
        }
        // AIaaS's stress test has three minutes of recovery after its half an hour.
        assert_eq!(remarks(suite, name, None), None, "{suite} {name}");
    }
    // AIA-02: a user's own suite has the categories, too.
    let mut own = file("acis");
    own.suite = "own".to_owned();
    let selection = |time_scale| Selection {
        tests: vec!["benchmark".to_owned(), "stress".to_owned()],
        time_scale,
        ..Selection::default()
    };
    let said = |own: &SuiteFile, time_scale| {
        let remarks = lint(&plan(own, &selection(time_scale), &|_| None).expect("a plan"));
        remarks
            .into_iter()
            .filter(|it| it.contains("category"))
            .collect::<Vec<String>>()
    };
    assert_eq!(
        said(&own, 1.0),
        ["stress: lasts 10 minutes; tests of this category take 30 to 60 (AIA-04)"]
    );
    assert_eq!(said(&own, 0.5), [""; 0], "a scaled test has another length");
    for test in own
        .tests
        .get_mut("benchmark")
        .expect("a test")
        .phases
        .iter_mut()
        .flatten()
    {
        if let suite::file::Phase::Steady(steady) = test {
            steady.lasts = Duration::from_secs(301).into();
        }
    }
    assert!(said(&own, 1.0)[0].contains("(AIA-02)"));
}

/// ACIS-23: ramps of at most a fifth of the users per second, ten minutes at least.
#[test]
fn plans_that_ramp_too_fast_or_end_too_early_are_remarked_on() {
    let remarks = |suite: &str, name: &str| {
        let selection = Selection {
            tests: vec![name.to_owned()],
            ..Selection::default()
        };
        lint(&plan(&file(suite), &selection, &|_| None).expect("a plan"))
    };
    let short = remarks("acis", "ci");
    assert!(
        short.iter().any(|it| it.contains("290 s of judged load")),
        "{short:?}"
    );
    let sudden = remarks("orchestrator", "smoke");
    assert!(
        sudden.iter().any(|it| it.contains("more than 20 %")),
        "{sudden:?}"
    );
    assert_eq!(remarks("agent360", "load"), Vec::<String>::new());
    // A ramp without a speed is a jump.
    assert!(
        sudden.iter().any(|it| it.contains("by 5 at once")),
        "{sudden:?}"
    );
    for (suite, _) in BUILT_IN {
        for remark in remarks(suite, "all-tests") {
            let is_number = |word: &str| word.len() < 12 && word != "inf" && word != "NaN";
            assert!(
                remark
                    .split(' ')
                    .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) || *word == "inf")
                    .all(is_number),
                "{remark}"
            );
        }
    }
}
