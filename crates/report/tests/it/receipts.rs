//! Verification and explanation of figures.

use report::export::Format;
use report::record::{Conclusion, LedgerEntry, Standing};
use report::verify::{Verified, verify};
use report::{Outcome, RunRecord, baseline, explain};
use serde_json::{Value, json};

use report::testing;

fn alone(run: &RunRecord) -> Verified {
    verify(run, &|_| None)
}

/// The paths of the errors after an edit.
fn errors(edit: impl Fn(&mut RunRecord)) -> Vec<String> {
    let mut run = testing::whole();
    edit(&mut run);
    alone(&run)
        .errors
        .into_iter()
        .map(|error| error.path)
        .collect()
}

#[test]
fn a_record_that_nobody_edited_is_sound() {
    let verified = alone(&testing::whole());
    assert_eq!(verified.errors, []);
    assert!(verified.checked > 3000, "{}", verified.checked);
}

#[test]
fn an_explanation_names_no_bound_and_no_value_that_there_is_not() {
    let explained = |edit: &dyn Fn(&mut report::record::Judgement)| {
        let mut run = testing::whole();
        run.tests[1].analysis.insert(
            "capacity".to_owned(),
            json!({ "passed": 200.0, "failed": 250.0, "end": "bracketed" }),
        );
        edit(&mut run.tests[1].judgements[0]);
        explain::explain(&run, "load.p95_ms")
            .unwrap_or_else(|error| panic!("{error}"))
            .to_string()
    };
    let flag = explained(&|judgement| {
        (judgement.measured, judgement.bound, judgement.interval) = (None, None, None);
    });
    assert!(flag.contains("decides without a single figure"), "{flag}");
    let bracket = explained(&|judgement| {
        (judgement.measured, judgement.bound) = (Some(200.0), None);
        judgement.interval = Some([200.0, 250.0]);
    });
    assert!(bracket.contains("without a bound in numbers"), "{bracket}");
    assert!(bracket.contains("(bracket: the highest level"), "{bracket}");
    let undecided = explained(&|judgement| {
        (judgement.measured, judgement.bound, judgement.interval) = (Some(9.0), None, None);
        judgement.standing = Standing::Inconclusive;
    });
    assert!(
        undecided.contains("the measurement does not decide it"),
        "{undecided}"
    );
    for text in [&flag, &bracket, &undecided] {
        assert!(!text.contains("side of"), "{text}");
        assert!(!text.contains("95 %"), "{text}");
    }
    let usual = explained(&|_| {});
    assert!(usual.contains("is on the good side of 350 ms"), "{usual}");
    assert!(usual.contains("(95 %)"), "{usual}");
}

#[test]
fn an_edited_number_is_named() {
    let check = |path: &str, edit: &dyn Fn(&mut RunRecord)| {
        let found = errors(edit);
        assert!(
            found.iter().any(|found| found.starts_with(path)),
            "{path} is not in {found:?}"
        );
    };
    check("tests[1].figures.requests", &|run| {
        run.tests[1].figures.requests += 1;
    });
    check("tests[1].figures.failures", &|run| {
        run.tests[1].figures.failures -= 1;
    });
    check("tests[1].figures.requests_per_s", &|run| {
        run.tests[1].figures.requests_per_s = Some(95.0);
    });
    check("tests[1].figures.latency.percentiles.p95", &|run| {
        let latency = run.tests[1].figures.latency.as_mut().expect("measured");
        latency.percentiles.insert("p95".to_owned(), 20.0);
    });
    check("tests[1].endpoints[2].figures.requests", &|run| {
        run.tests[1].endpoints[2].figures.requests += 5;
    });
    check("tests[1].figures.requests", &|run| {
        run.tests[1].seconds[7].requests += 1;
    });
    check("tests[1].judgements[1] (load.p99_ms)", &|run| {
        run.tests[1].judgements[1].standing = Standing::Held;
    });
    check("tests[1].judgements[0] (load.p95_ms)", &|run| {
        run.tests[1].judgements[0].measured = Some(360.0);
    });
    check("tests[1].judgements[4] (load.row.rate_per_s)", &|run| {
        let judgement = requested(run, 20.0);
        run.tests[1].judgements.push(judgement);
    });
    check("tests[1].outcome", &|run| {
        run.tests[1].outcome = Outcome::Passed;
    });
    check("outcome", &|run| run.outcome = Outcome::Passed);
    check("tests[0].outcome", &|run| {
        run.tests[0].ledger = vec![LedgerEntry {
            what: "clock".to_owned(),
            conclusion: Conclusion::Invalid,
            text: String::new(),
        }];
    });
    check("tests[2].analysis.ladder.retention", &|run| {
        run.tests[2]
            .analysis
            .insert("ladder".to_owned(), json!({ "retention": 0.99 }));
    });
}

/// A rate that the test itself requests, held although as many requests as this are missing in its phase,
/// where about 8 are in flight.
fn requested(run: &mut RunRecord, missing: f64) -> report::record::Judgement {
    let phase = &mut run.tests[1].phases[1];
    (phase.users, phase.rate_per_s) = (None, phase.figures.requests_per_s);
    let rate = phase.rate_per_s.expect("it has requests");
    let measured = rate - missing / phase.figures.seconds;
    testing::judgement(
        "load.row.rate_per_s",
        &format!("rate_per_s >= {rate} per second @steady"),
        Standing::Held,
        (measured, [measured - 0.1, measured + 0.1], rate),
        "per second",
    )
}

#[test]
fn a_requested_rate_is_met_within_what_is_in_flight() {
    let held = |missing| {
        errors(|run| {
            let judgement = requested(run, missing);
            run.tests[1].judgements.push(judgement);
        })
    };
    assert_eq!(held(4.0), [""; 0]);
    assert_eq!(held(12.0), ["tests[1].judgements[4] (load.row.rate_per_s)"]);
    let mut run = testing::whole();
    let judgement = requested(&mut run, 4.0);
    run.tests[1].judgements.push(judgement);
    let text = explain::explain(&run, "load.row.rate_per_s").expect("it is there");
    let text = text.to_string();
    assert!(text.contains("which its interval contains"), "{text}");
    assert!(text.contains("an interval without the bound"), "{text}");
}

/// Efficiencies are relative to the first step. With think time, the first step's throughput is that of the
/// law.
#[test]
fn a_ladder_whose_base_is_that_of_a_law_is_computed_again_with_it() {
    let told = |ladder: Value| {
        let mut run = testing::whole();
        run.tests[2].analysis.insert("ladder".to_owned(), ladder);
        let errors = alone(&run).errors.into_iter();
        let mut errors = errors.filter(|error| error.path == "tests[2].analysis.ladder.retention");
        errors.next().map(|error| error.text)
    };
    let computed = |ladder: Value| -> f64 {
        let text = told(ladder).expect("it differs");
        let (_, right) = text.split_once("but ").expect("what is right");
        let number = right.split(' ').next().expect("a number");
        number.parse().expect("a number")
    };
    let counted = computed(json!({ "retention": 99.0 }));
    let by_law = computed(json!({ "retention": 99.0, "base_think_s": 2.0 }));
    let first = &testing::whole().tests[2].phases[0].figures;
    let mean_s = first.latency.as_ref().expect("measured").mean / 1_000.0;
    let base = 5.0 / (2.0 + mean_s);
    let expected = counted * first.successes_per_s().expect("measured") / base;
    assert!(
        (by_law / expected - 1.0).abs() < 1e-6,
        "{by_law} {expected}"
    );
    let sound = json!({ "retention": by_law, "base_think_s": 2.0 });
    assert_eq!(told(sound), None);
}

#[test]
fn derived_files_reveal_any_edit_of_the_record() {
    let run = testing::whole();
    let files: Vec<_> = [Format::Csv, Format::Html]
        .iter()
        .flat_map(|format| format.artefacts(&run))
        .collect();
    let folder = |name: &str| {
        files
            .iter()
            .find(|file| file.name == name)
            .map(|file| file.bytes.clone())
    };
    assert_eq!(verify(&run, &folder).errors, []);
    let mut edited = run;
    // No other part of the record contradicts this.
    edited.tests[1].seconds[100].p50_ms = Some(61.0);
    assert!(alone(&edited).is_sound());
    let verified = verify(&edited, &folder);
    let paths: Vec<&str> = verified
        .errors
        .iter()
        .map(|error| error.path.as_str())
        .collect();
    assert!(
        paths.contains(&"figures.csv: 2026-08-14T09-30-00Z-acis / load / second / 100 / p50 / ms"),
        "{paths:?}"
    );
}

#[test]
fn samples_reveal_an_edited_count() {
    let run = testing::run(vec![testing::short()]);
    let mut samples =
        "test,second,method,name,class,status,failed,requests,mean_ms,max_ms\n".to_owned();
    for endpoint in &run.tests[0].endpoints {
        let latency = endpoint.figures.latency.as_ref().expect("measured");
        samples.push_str(&format!(
            "smoke,0,{},\"{}\",ACISAPIUser,200,false,{},{:.3},{:.3}\n",
            endpoint.method,
            endpoint.name.replace('"', "\"\""),
            endpoint.figures.requests,
            latency.mean,
            latency.max
        ));
    }
    let folder = |name: &str| (name == "samples.csv").then(|| samples.clone().into_bytes());
    assert_eq!(verify(&run, &folder).errors, []);
    let mut edited = run;
    edited.tests[0].endpoints[1]
        .figures
        .latency
        .as_mut()
        .expect("measured")
        .mean *= 0.9;
    let paths: Vec<String> = verify(&edited, &folder)
        .errors
        .into_iter()
        .map(|error| error.path)
        .collect();
    assert_eq!(paths, ["tests[0].endpoints[1].figures.latency.mean"]);
}

#[test]
fn the_plans_hash_is_that_of_the_plan() {
    let mut run = testing::run(vec![testing::short()]);
    let plan = |name: &str| (name == "plan.json").then(|| b"{ \"tests\": [] }".to_vec());
    let paths: Vec<String> = verify(&run, &plan)
        .errors
        .into_iter()
        .map(|error| error.path)
        .collect();
    assert_eq!(paths, ["plan_hash"]);
    // printf '{"tests":[]}' | sha256sum
    run.plan_hash = "a859fa92726e456a8c2b524306d024f9cef894050a76efc89e39b04cbb7a329c".to_owned();
    assert!(verify(&run, &plan).is_sound());
}

#[test]
fn every_id_is_explained_with_rule_inputs_window_and_what_would_falsify_it() {
    let run = testing::whole();
    let ids = explain::ids(&run);
    assert!(ids.len() > 20, "{ids:?}");
    for id in &ids {
        let text = explain::explain(&run, id).unwrap_or_else(|error| panic!("{error}"));
        let text = text.to_string();
        assert!(text.contains("  rule "), "{id}: {text}");
    }
    let text = explain::explain(&run, "load.p99_ms").expect("a judgement");
    assert_eq!(text.entry["id"], "load.p99_ms", "{text}");
    let text = text.to_string();
    for part in [
        "load.p99_ms: p99 < 300 ms — crossed",
        "order-statistic interval against the bound",
        "steady of load, 1 min to 10 min",
        " requests in 9 min, ",
        "measured     319 ms",
        "304 ms to 341 ms",
        "the whole interval around 319 ms is on the bad side of 300 ms",
        "wrong if",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let text = explain::explain(&run, "load.f1").expect("a finding");
    let text = text.to_string();
    assert!(
        text.contains("wrong if     the p99 of the route alone"),
        "{text}"
    );
    let radius = "fault-tolerance/slow-database.radius.slow_database";
    let text = explain::explain(&run, radius).expect("a fault's control group");
    assert_eq!(text.entry["endpoints"], 2);
    let text = text.to_string();
    for part in [
        "1 endpoint affected by the fault",
        "20 s to 40 s of fault-tolerance/slow-database",
        "control group: 2 endpoints, 480 requests, bad before 1.00 %, meanwhile 2.00 %",
        "GET /api/clients: bad before 1.00 %, during 42.0 %",
        "beyond the control group by 36.0 % to 43.0 %",
        "no worse than the control group: POST /api/orders",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let mut run = run;
    run.tests[0].analysis.extend([
        (
            "drill_reach".to_owned(),
            json!([{ "fault": "drill-dies", "detector": "a", "faulted": true, "bad_before": 0.0, "bad_during": 0.8 }]),
        ),
        (
            "drill_controls".to_owned(),
            json!([{
                "fault": "drill-dies", "detectors": 2, "requests": 400, "bad_before": 0.05, "bad_during": 0.05,
                "spared": "", "requests_beyond_control": 160.0, "id": "smoke.drill.drill-dies.radius",
            }]),
        ),
    ]);
    let drill = explain::explain(&run, "smoke.drill.drill-dies.radius").expect("a control group");
    let text = drill.to_string();
    for part in [
        "1 detector affected by the fault",
        "control group: 2 detectors, 400 calls, bad before 5.00 %, meanwhile 5.00 %",
        "a: bad before 0 %, during 80.0 %",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let error = explain::explain(&run, "R-17")
        .expect_err("no such id")
        .to_string();
    assert!(
        error.contains("has no id `R-17`; known: outcome, smoke.outcome"),
        "{error}"
    );
}

/// AIA-49, T-6: not every run that has not regressed replaces the baseline.
#[test]
fn only_a_whole_trusted_unscaled_run_becomes_a_baseline() {
    let run = testing::whole();
    assert_eq!(baseline::check(&run), Ok(()));
    let check = |part: &str, edit: &dyn Fn(&mut RunRecord)| {
        let mut run = testing::whole();
        edit(&mut run);
        let error = baseline::check(&run).expect_err("unfit").to_string();
        assert!(error.contains(part), "{error}");
    };
    check("not complete", &|run| run.complete = false);
    check("NOT TO BE TRUSTED", &|run| run.outcome = Outcome::Untrusted);
    check("time scale of 0.01", &|run| run.time_scale = 0.01);
    check("no requests", &|run| run.tests.clear());
    check("not valid", &|run| {
        run.tests[1].ledger[0].conclusion = Conclusion::Invalid;
    });
    let key = baseline::key(&run);
    let mut other = run.clone();
    other.target.revision = Some("99".to_owned());
    assert_eq!(
        baseline::key(&other),
        key,
        "a new revision is held against the old baseline"
    );
    other.generator.kernel = Some("6.2.0".to_owned());
    assert_ne!(baseline::key(&other), key);
    assert_eq!(key.testbed.len(), 12);
    assert!(matches!(
        serde_json::to_value(report::view::baseline(&run)),
        Ok(Value::Object(_))
    ));
}
