//! Results of the analysis of whole tests.

use analysis::closed_network::machine_repair;
use report::record::{Outcome, ResourceSample, Standing, TestRecord};
use serde_json::json;

use super::super::sample::{Sample, phase};
use super::super::{Met, Tried, Until, compare_with_truth, tried};
use super::judgement;
use crate::file::Judge;

/// The built-in `acso` by machine repair (G-05): users think for 5 s, wait 0.3216 s for resources without a
/// queue, and share 8 cores for 40 ms each.
fn ladder() -> Sample {
    let mut sample = Sample::of("acso", "scalability");
    let steps = [
        5.0, 10.0, 25.0, 50.0, 100.0, 200.0, 350.0, 500.0, 750.0, 1000.0, 1200.0,
    ];
    sample.record.phases = steps
        .iter()
        .enumerate()
        .map(|(place, users)| {
            let solved = machine_repair(*users as u32, 5.3216, 0.04, 8).expect("a solution");
            let per_s = solved.throughput_per_s;
            let ms = (solved.mean_response_s + 0.3216) * 1_000.0;
            let mut step = phase(&users.to_string(), *users, per_s, ms);
            (step.begin_s, step.end_s) = (place as f64 * 60.0, place as f64 * 60.0 + 60.0);
            step
        })
        .collect();
    let busy = |at: u64| {
        sample.record.phases[(at / 60) as usize]
            .figures
            .requests_per_s
            .unwrap_or(0.0)
            / 200.0
    };
    sample.record.observed.target = (0..660)
        .flat_map(|at| {
            let of = |host: &str, cpu: f64| ResourceSample {
                at_s: at as f64,
                host: Some(host.to_owned()),
                cpu_ratio: Some(cpu),
                ..ResourceSample::default()
            };
            [of("agents", busy(at)), of("bus", busy(at) / 8.0)]
        })
        .collect();
    sample
}

/// A search without names is judged by its capacity interval.
#[test]
fn a_search_without_names_is_judged_by_its_capacity() {
    let standing = |names: &[&str]| {
        let mut sample = Sample::of("aiaas", "breakpoint");
        let of = |rate: f64, ms| {
            let mut step = phase(&rate.to_string(), rate, rate, ms);
            (step.users, step.rate_per_s) = (None, Some(rate));
            step
        };
        sample.record.phases = vec![of(500.0, 60.0), of(1000.0, 4000.0)];
        sample.test.judge.names = names.iter().map(|name| (*name).to_owned()).collect();
        let record = sample.judged();
        let named = record.judgements.iter();
        let capacities = named.filter(|it| it.id.ends_with("named.capacity"));
        capacities.map(|it| it.standing).collect::<Vec<_>>()
    };
    assert_eq!(standing(&[]), [Standing::Held]);
    assert_eq!(standing(&["failure_mode"]), [Standing::Held]);
    assert_eq!(standing(&["capacity"]), [Standing::Held]);
}

/// Steps after a ladder's end, and steps that were cut short, appear in the record and nowhere else.
#[test]
fn a_step_that_is_not_judged_is_not_part_of_the_ladder() {
    let mut sample = ladder();
    let last = sample.record.phases.last_mut().expect("a step");
    last.judged = false;
    let record = sample.judged();
    let steps = record.analysis["ladder"]["steps"]
        .as_array()
        .expect("steps");
    let users: Vec<f64> = steps
        .iter()
        .filter_map(|step| step["users"].as_f64())
        .collect();
    assert_eq!((users.len(), users.last()), (10, Some(&1000.0)));
    assert_eq!(record.analysis["usl"]["points"], 10);
    assert_eq!(record.analysis["usl"]["largest_load"], 1000.0);
    assert!(
        record
            .judgements
            .iter()
            .all(|it| it.phase.as_deref() != Some("1200"))
    );
    assert_eq!(record.phases.len(), 11);
}

/// G-05, ACSO-22..24, ACSO-27, ACSO-36..39, ACSO-48, ACSO-51, N-03, N-04.
#[test]
fn a_ladder_has_its_figures_four_estimates_and_its_bottleneck() {
    let mut record = ladder().judged();
    let figures = &record.analysis["ladder"];
    assert_eq!(figures["max_stable_users"], 750.0, "{figures}");
    let saturation = figures["saturation_point"].as_f64().expect("a point");
    assert!(
        (saturation / 1193.0 - 1.0).abs() < 0.05,
        "{saturation} {figures:#}"
    );
    assert!(figures["correlation"].as_f64().is_some_and(|it| it > 0.95));
    assert_eq!(judgement(&record, "row.retention").standing, Standing::Held);
    assert_eq!(
        judgement(&record, "row.max_stable_users").standing,
        Standing::Held
    );
    assert_eq!(judgement(&record, "users.at_least").measured, Some(750.0));
    let bottleneck = &record.analysis["bottleneck"];
    assert_eq!(
        (&bottleneck["class"], &bottleneck["of"]),
        (&json!("CPU"), &json!("agents"))
    );
    let methods: Vec<&str> = record.analysis["capacities"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["method"].as_str())
        .collect();
    assert!(methods.contains(&"service_demand"), "{methods:?}");
    // It bends too late for Kneedle; the knee is where efficiency falls to 0.9.
    assert!(methods.contains(&"usl_peak"), "{methods:?}");
    assert_eq!(judgement(&record, "named.knee").standing, Standing::Held);
    let truth = json!({ "capacity_per_s": { "value": 200.0, "exact": true },
        "classes": [{ "knee_users": { "value": 1072.3, "exact": true } }],
        "bottleneck": { "of": "agents", "resource": "cpu", "class": "CPU" } });
    compare_with_truth(&mut record, &truth);
    let agrees = |what: &str| {
        let found = record.truth.iter().find(|it| it.what == what);
        found
            .unwrap_or_else(|| panic!("{what} in {:?}", record.truth))
            .agrees
    };
    assert_eq!(agrees("bottleneck"), Some(true));
    assert_eq!(agrees("capacity_per_s by service_demand"), Some(true));
    assert_eq!(agrees("capacity_per_s by the highest step"), Some(true));
    assert_eq!(agrees("knee_users by asymptotic bounds"), Some(true));
    let crossing = record.analysis["knee_by_bounds"]["users"].as_f64();
    // 200/s times 5.3216 s without queueing and 40 ms.
    assert!(
        crossing.is_some_and(|it| (it / 1_072.3 - 1.0).abs() < 0.01),
        "{crossing:?}"
    );
}

/// While a queue grows, half-done work is not counted; the interval of the saturation point accounts for it.
#[test]
fn the_interval_of_the_saturation_point_holds_what_is_in_flight_at_the_edges() {
    let interval = |seconds: f64| {
        let mut sample = ladder();
        let last = sample.record.phases.last_mut().expect("a step");
        last.end_s = last.begin_s + seconds;
        last.figures.seconds = seconds;
        last.figures.requests = (191.9 * seconds) as u64;
        last.figures.requests_per_s = Some(191.9);
        last.figures.latency.as_mut().expect("a latency").mean = 1_305.0;
        let ladder = &sample.judged().analysis["ladder"];
        [0, 1].map(|end| ladder["saturation_interval"][end].as_f64())
    };
    let ([lower, upper], [_, narrow]) = (interval(8.0), interval(600.0));
    assert!(lower.is_some_and(|it| it < 1122.0), "{lower:?}");
    assert!(upper.is_none_or(|it| it > 1193.0), "{upper:?}");
    assert!(narrow.is_some_and(|it| it < 1193.0), "{narrow:?}");
}

/// Users that begin at once send one iteration more than fits a short step: the base of all efficiencies is that of the
/// response-time law, unless the users' waits differ from the suite's.
#[test]
fn the_edges_of_a_short_first_step_are_not_counted() {
    let first = |more: u64| {
        let mut sample = ladder();
        sample.record.phases[0].figures.requests += more;
        let ladder = &sample.judged().analysis["ladder"];
        let throughput = ladder["steps"][0]["throughput_per_s"].as_f64();
        throughput.expect("a throughput")
    };
    let (exact, edges, others) = (first(0), first(4), first(14));
    assert!((exact / 0.94 - 1.0).abs() < 0.03, "{exact}");
    assert!((edges / exact - 1.0).abs() < 1e-9, "{edges} {exact}");
    assert!(others > 1.2 * exact, "{others} {exact}");
}

/// G-08: passes 200, fails 400.
#[test]
fn a_breakpoint_is_enclosed_and_its_failure_named() {
    let mut sample = Sample::of("acis", "breakpoint");
    let steps = [
        (100.0, 120.0, 230.0),
        (200.0, 220.0, 310.0),
        (400.0, 227.0, 1160.0),
        (800.0, 227.0, 2900.0),
    ];
    sample.record.phases = steps
        .map(|(users, per_s, ms)| phase(&users.to_string(), users, per_s, ms))
        .into();
    let record = sample.judged();
    let capacity = judgement(&record, "named.capacity");
    assert_eq!(capacity.standing, Standing::Held);
    assert_eq!(capacity.interval, Some([200.0, 400.0]));
    assert!(
        capacity.asked.contains("between 200 and 400 users"),
        "{}",
        capacity.asked
    );
    let mode = judgement(&record, "named.failure_mode");
    assert!(
        mode.asked.contains("avg_ms is 1160 ms at 400"),
        "{}",
        mode.asked
    );
    assert_eq!(
        judgement(&record, "users.at_least").standing,
        Standing::Held
    );
    let mut until = Until::new(&sample.test, &sample.file);
    let mut until_at = |place: usize| until.step(&sample.record, &sample.record.phases[place]);
    assert_eq!(until_at(1), None);
    assert_eq!(until_at(2), None);
    let met = |ends| {
        let rule = "poor: avg_ms is 2900".to_owned();
        Some(Met { rule, ends })
    };
    assert_eq!(until_at(3), met(false), "once is not enough");
    assert_eq!(
        record.analysis["ladder"]["ended_at"],
        serde_json::Value::Null
    );
    assert_eq!(until_at(3), met(true));
}

/// S-12: the judge finds the end of a ladder at the same step as the runner, because it applies the same
/// rule.
#[test]
fn a_ladder_ends_after_two_poor_steps_in_a_row() {
    let ended_at = |means: [f64; 4]| {
        let mut sample = Sample::of("acis", "breakpoint");
        sample.record.phases = [100.0, 200.0, 400.0, 800.0]
            .iter()
            .zip(means)
            .map(|(users, ms)| phase(&users.to_string(), *users, 200.0, ms))
            .collect();
        sample.judged().analysis["ladder"]["ended_at"].clone()
    };
    assert_eq!(ended_at([200.0, 2900.0, 2900.0, 2900.0]), "400");
    assert_eq!(ended_at([200.0, 2900.0, 200.0, 2900.0]), json!(null));
    assert_eq!(ended_at([200.0, 2900.0, 200.0, 200.0]), json!(null));
}

/// the steps of a search, and the interval that they enclose.
#[test]
fn a_search_encloses_a_capacity() {
    let mut sample = Sample::of("aiaas", "breakpoint");
    let mut steps: Vec<_> = [
        (500.0, 60.0),
        (1000.0, 70.0),
        (2000.0, 4000.0),
        (1500.0, 90.0),
    ]
    .map(|(rate, ms)| {
        let mut step = phase(&rate.to_string(), rate, rate, ms);
        (step.users, step.rate_per_s) = (None, Some(rate));
        step
    })
    .into();
    steps.push(phase("nothing", 0.0, 0.0, 0.0));
    sample.record.phases = steps;
    let tried_at = |place: usize, limited: Option<&str>| {
        let (test, file) = (&sample.test, &sample.file);
        let limited = limited.map(str::to_owned);
        tried(
            test,
            file,
            &sample.record,
            &sample.record.phases[place],
            limited,
        )
    };
    assert_eq!(tried_at(0, None), Tried::Passed);
    let failed = |why: &str| Tried::Failed(why.to_owned());
    assert_eq!(tried_at(2, None), failed("p95 4000 ms, 0.0 % failed"));
    assert_eq!(tried_at(4, None), failed("no request was answered"));
    // A limited generator does not excuse a failure.
    let limited = Tried::GeneratorLimited("late".to_owned());
    assert_eq!(tried_at(0, Some("late")), limited);
    assert_eq!(
        tried_at(2, Some("late")),
        failed("p95 4000 ms, 0.0 % failed")
    );
    // A second of 500 responses proves nothing about failures below a thousandth, and fewer prove even
    // less.
    let mut short = sample.record.clone();
    short.phases[0].figures.requests = 500;
    let text = match tried(&sample.test, &sample.file, &short, &short.phases[0], None) {
        Tried::TooFew(text) => text,
        other => panic!("{other:?}"),
    };
    assert!(
        text.starts_with("500 requests are too few to prove it"),
        "{text}"
    );
    let mut dropping = sample.record.clone();
    dropping.seconds[3].dropped_iterations = 600;
    let (test, file) = (&sample.test, &sample.file);
    let text = match tried(test, file, &dropping, &dropping.phases[0], None) {
        Tried::Failed(text) => text,
        other => panic!("{other:?}"),
    };
    assert!(
        text.ends_with("% of the arrivals found no free user"),
        "{text}"
    );
    sample.record.phases.pop();
    let record = sample.judged();
    assert_eq!(
        judgement(&record, "named.capacity").interval,
        Some([1500.0, 2000.0])
    );
    assert_eq!(record.outcome, Outcome::Passed, "{:?}", record.reasons);
}

/// N-11, A360-03, ACSO-45: a leak has to be found if there is one, and only then.
#[test]
fn soaks_find_leaks_and_nothing_else() {
    let of = |part: usize, grows: bool| {
        let mut sample = Sample::of("agent360", "soak");
        let selection = crate::plan::Selection {
            tests: vec!["soak".to_owned()],
            ..Default::default()
        };
        let planned = crate::plan::plan(&sample.file, &selection, &|_| None).expect("a plan");
        sample.test = planned.tests[part].clone();
        sample.record.phases[0].end_s = 600.0;
        sample.record.observed.target = (0..600_i32)
            .map(|at| {
                // A little noise without a trend.
                let mut drawn = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                drawn ^= drawn >> 27;
                let noise = (drawn % 101) as f64 * 1e4;
                let leaked = if grows {
                    f64::from(at) * 100_000.0
                } else {
                    0.0
                };
                let bytes = 1e8 + noise + leaked;
                ResourceSample {
                    at_s: f64::from(at),
                    host: Some("agent360".to_owned()),
                    memory_bytes: Some(bytes as u64),
                    memory_ratio: Some(bytes / 4e9),
                    ..ResourceSample::default()
                }
            })
            .collect();
        sample.judged()
    };
    let standing = |record: &TestRecord| judgement(record, "named.leak").standing;
    let sound = of(0, false);
    assert_eq!(
        standing(&sound),
        Standing::Held,
        "{:?}",
        sound.analysis["soak"]
    );
    assert_eq!(standing(&of(0, true)), Standing::Crossed);
    assert_eq!(standing(&of(1, false)), Standing::Crossed);
    let mut leaking = of(1, true);
    assert_eq!(standing(&leaking), Standing::Held);
    assert!(leaking.findings.iter().any(|it| it.rule == "leak"));
    let truth = json!({ "memory": [{ "host": "agent360", "leak_mb_per_s": { "value": 100_000.0 / 1_048_576.0 } }] });
    compare_with_truth(&mut leaking, &truth);
    assert_eq!(leaking.truth[0].agrees, Some(true), "{:?}", leaking.truth);
}

/// ACSO-21, S-14: 40 : 35 : 25 by χ².
#[test]
fn the_mix_is_judged_by_its_counts() {
    let of = |counts: [u64; 3]| {
        let mut sample = Sample::of("acso", "smoke");
        sample.test.judge.names = vec!["mix".to_owned()];
        let endpoint = sample.record.endpoints[0].clone();
        let names = [
            "POST /threats/analyse",
            "POST /services/deliver",
            "POST /finance/analyse",
        ];
        sample.record.endpoints = names
            .iter()
            .zip(counts)
            .map(|(name, count)| {
                let mut endpoint = endpoint.clone();
                (*name).clone_into(&mut endpoint.name);
                endpoint.figures.requests = count;
                endpoint
            })
            .collect();
        judgement(&sample.judged(), "named.mix").standing
    };
    assert_eq!(of([400, 350, 250]), Standing::Held);
    assert_eq!(of([410, 345, 245]), Standing::Held);
    assert_eq!(of([334, 333, 333]), Standing::Crossed);
    assert_eq!(of([0, 0, 0]), Standing::NoData);
}

/// S-17, N-08, ACIS-27.
#[test]
fn the_load_is_described() {
    let sample = Sample::of("acis", "load")
        .level(65.0)
        .rate(100.0)
        .latency(50.0);
    let record = sample.judged();
    let law = &record.analysis["response_time_law"][0];
    assert_eq!(law["holds"], true, "{law}");
    assert_eq!(law["open_equivalent_per_s"], 100.0);
    assert_eq!(record.analysis["apdex"]["score"], 1.0);
    let slow = Sample::of("acis", "load").latency(1000.0).judged();
    assert_eq!(slow.analysis["apdex"]["score"], 0.5);
}

/// ACSO-56: the phase is long enough for a steady state, and it is reported if there is none.
#[test]
fn a_phase_without_a_steady_state_is_reported() {
    let of = |requests: fn(u64) -> u64| {
        let mut sample = Sample::of("acis", "load");
        sample.record.phases[0].end_s = 600.0;
        sample.record.seconds = (0..600)
            .map(|at| report::record::Second {
                at_s: at as f64,
                requests: requests(at),
                ..report::record::Second::default()
            })
            .collect();
        sample.judged().analysis["steady_state"][0]["steady"].clone()
    };
    assert_eq!(of(|at| 100 + at * 7919 % 11), true);
    assert_eq!(of(|at| 100 + at), false);
}

/// Deep in overload cheap failures change the mix: neither a resource that fills up there nor the responses
/// per second there are the target's limit.
#[test]
fn overload_names_neither_bottleneck_nor_capacity() {
    let mut sample = Sample::of("acis", "breakpoint");
    let steps = [
        (100.0, 120.0, 230.0, 0.2),
        (200.0, 220.0, 310.0, 0.35),
        (400.0, 227.0, 1160.0, 0.4),
        (800.0, 475.0, 2900.0, 1.0),
    ];
    sample.record.phases = steps
        .iter()
        .enumerate()
        .map(|(place, (users, per_s, ms, _))| {
            let mut step = phase(&users.to_string(), *users, *per_s, *ms);
            (step.begin_s, step.end_s) = (place as f64 * 60.0, place as f64 * 60.0 + 60.0);
            step
        })
        .collect();
    sample.record.observed.target = (0..240)
        .map(|at: u32| ResourceSample {
            at_s: f64::from(at) + 0.5,
            host: Some("pools".to_owned()),
            other: [("pool_db_ratio".to_owned(), steps[at as usize / 60].3)].into(),
            ..ResourceSample::default()
        })
        .collect();
    let record = sample.judged();
    let bottleneck = &record.analysis["bottleneck"];
    assert_eq!(bottleneck["class"], "application", "{bottleneck}");
    assert_eq!(bottleneck["by"], "exclusion", "{bottleneck}");
    assert_eq!(
        record.analysis["capacity"]["highest_throughput_per_s"],
        220.0
    );
}

/// Five users for six seconds are six requests: no efficiency can be computed relative to them.
#[test]
fn a_first_step_of_a_few_requests_leaves_the_knee_open() {
    let mut sample = ladder();
    for step in &mut sample.record.phases {
        let figures = &mut step.figures;
        figures.requests = (figures.requests / 10).max(1);
        figures.seconds = 6.0;
        figures.requests_per_s = Some(figures.requests as f64 / 6.0);
    }
    let record = sample.judged();
    assert_eq!(
        judgement(&record, "named.knee").standing,
        Standing::Inconclusive
    );
    assert_eq!(
        judgement(&record, "row.retention").standing,
        Standing::Inconclusive
    );
}

/// N-11: a crash frees memory, which looks like a garbage collection; the longest period before one shows
/// the leak.
#[test]
fn a_leak_that_ends_in_crashes_is_found() {
    let of = |seconds_of_life: i32| {
        let mut sample = Sample::of("agent360", "soak");
        sample.test.before.toggle.insert("leak".to_owned(), true);
        sample.record.phases[0].end_s = 300.0;
        sample.record.observed.target = (0..300)
            .map(|at| {
                let bytes =
                    1e9 + 3e9 * f64::from(at % seconds_of_life) / f64::from(seconds_of_life);
                ResourceSample {
                    at_s: f64::from(at),
                    host: Some("agent360".to_owned()),
                    memory_bytes: Some(bytes as u64),
                    memory_ratio: Some(bytes / 4e9),
                    other: [("restarts".to_owned(), f64::from(at / seconds_of_life))].into(),
                    ..ResourceSample::default()
                }
            })
            .collect();
        let record = sample.judged();
        (
            judgement(&record, "named.leak").standing,
            record.analysis["soak"][0].clone(),
        )
    };
    let (standing, soak) = of(60);
    assert_eq!(standing, Standing::Held, "{soak}");
    let slope = soak["slope_per_s"].as_f64().expect("a slope");
    assert!((slope / 5e7 - 1.0).abs() < 0.01, "{slope}");
    assert_eq!(
        of(2).0,
        Standing::Inconclusive,
        "too short a life for a slope"
    );
}

/// N-04, G-06: a resource that is half busy at half the load is the first to be full.
#[test]
fn one_window_names_the_resource_with_the_largest_demand() {
    let of = |network: f64, cpu: f64| {
        let sample = Sample::of("acso", "stress").cpu(cpu).network(network);
        let record = sample
            .asking(Judge {
                names: vec!["bottleneck".to_owned()],
                ..Judge::default()
            })
            .judged();
        let class = record
            .analysis
            .get("bottleneck")
            .map(|it| it["class"].clone());
        (judgement(&record, "named.bottleneck").standing, class)
    };
    assert_eq!(of(0.54, 0.46), (Standing::Held, Some(json!("network"))));
    assert_eq!(of(0.46, 0.54), (Standing::Held, Some(json!("CPU"))));
    assert_eq!(
        of(0.1, 0.05),
        (Standing::Inconclusive, None),
        "too little to tell"
    );
}
