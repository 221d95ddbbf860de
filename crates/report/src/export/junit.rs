//! The verdict as JUnit XML: a suite for each test, with a case for each judgement, each check, and the
//! outcome of the whole test; one suite for the run if the run itself has an outcome, and one for each
//! planned test that did not run. It is red exactly if the outcome is neither passed nor inconclusive, or
//! the run is incomplete.

use std::io::Result;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::escape::visible;
use crate::number::{count, more_requests, with_unit};
use crate::record::{Check, Judgement, Outcome, RunRecord, Standing, TestRecord};

/// The result of a case.
enum Came {
    Passed,
    /// Passed, with a note that has no effect.
    Noted(String),
    Failure(String),
    Error(String),
    Skipped(String),
}

struct Case {
    name: String,
    came: Came,
}

struct Suite {
    title: String,
    duration_s: f64,
    cases: Vec<Case>,
}

/// Crossed judgements and outcomes of crossed thresholds are failures, missing measurements and tests that
/// did not run are errors, and inconclusive results are skipped with the reason. A failed check is a
/// failure if a judgement on the checks is crossed; otherwise nothing judges it, and its case passes with a
/// note on the standard output.
pub fn junit(run: &RunRecord) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(run, &mut writer).expect("memory can be written");
    let mut text = String::from_utf8(writer.into_inner()).expect("only text was written");
    text.push('\n');
    text
}

fn write(run: &RunRecord, writer: &mut Writer<Vec<u8>>) -> Result<()> {
    let mut suites: Vec<Suite> = run.tests.iter().map(suite).collect();
    suites.extend(run.not_run.iter().map(|title| not_run(run, title)));
    suites.extend(of_run(run));
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .with_attribute(("name", clean(&run.suite).as_str()))
        .with_attributes(borrowed(&counts(all())))
        .with_attribute(("time", format!("{:.3}", run.duration_s).as_str()))
        .write_inner_content(|writer| {
            for suite in &suites {
                write_suite(run, suite, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_suite(run: &RunRecord, suite: &Suite, writer: &mut Writer<Vec<u8>>) -> Result<()> {
    let title = clean(&suite.title);
    writer
        .create_element("testsuite")
        .with_attribute(("name", title.as_str()))
        .with_attributes(borrowed(&counts(suite.cases.iter())))
        .with_attribute(("time", format!("{:.3}", suite.duration_s).as_str()))
        .with_attribute(("timestamp", clean(&run.began).as_str()))
        .write_inner_content(|writer| {
            for case in &suite.cases {
                write_case(case, &title, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_case(case: &Case, class: &str, writer: &mut Writer<Vec<u8>>) -> Result<()> {
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", case.name.as_str()))
        .with_attribute(("classname", class));
    let (kind, message) = match &case.came {
        Came::Passed => {
            element.write_empty()?;
            return Ok(());
        }
        Came::Noted(note) => {
            element.write_inner_content(|writer| {
                let out = writer.create_element("system-out");
                out.write_text_content(BytesText::new(note)).map(|_| ())
            })?;
            return Ok(());
        }
        Came::Failure(message) => ("failure", message),
        Came::Error(message) => ("error", message),
        Came::Skipped(message) => ("skipped", message),
    };
    element.write_inner_content(|writer| {
        let element = writer.create_element(kind);
        let element = element.with_attribute(("message", message.as_str()));
        if kind == "skipped" {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(message))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Attributes of a suite: name and number.
fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> [(&'static str, String); 4] {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.came {
            Came::Passed | Came::Noted(_) => {}
            Came::Failure(_) => failures += 1,
            Came::Error(_) => errors += 1,
            Came::Skipped(_) => skipped += 1,
        }
    }
    [
        ("tests", tests),
        ("failures", failures),
        ("errors", errors),
        ("skipped", skipped),
    ]
    .map(|(name, number)| (name, number.to_string()))
}

fn borrowed<'a>(
    counts: &'a [(&'static str, String); 4],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    counts.iter().map(|(name, number)| (*name, number.as_str()))
}

fn suite(test: &TestRecord) -> Suite {
    Suite {
        title: test.title(),
        duration_s: test.duration_s,
        cases: cases(test),
    }
}

/// A planned test that did not run.
fn not_run(run: &RunRecord, title: &str) -> Suite {
    let why = run.incomplete_because.as_deref();
    let message = why.map_or_else(
        || "did not run".to_owned(),
        |why| format!("did not run: {why}"),
    );
    Suite {
        title: title.to_owned(),
        duration_s: 0.0,
        cases: vec![Case {
            name: "outcome".to_owned(),
            came: Came::Error(clean(&message)),
        }],
    }
}

/// The run, if its outcome does not come from a test.
fn of_run(run: &RunRecord) -> Option<Suite> {
    if run.complete && run.is_decided_by_its_tests() {
        return None;
    }
    let why = run
        .incomplete_because
        .as_deref()
        .unwrap_or(if run.complete {
            "the outcome of the run, not of a single test"
        } else {
            "the run ended before its planned end"
        });
    let came = if run.complete {
        came_to(run.outcome, why)
    } else {
        Came::Error(clean(&format!("{}: {why}", run.outcome.word())))
    };
    Some(Suite {
        title: run.run.clone(),
        duration_s: run.duration_s,
        cases: vec![Case {
            name: "run".to_owned(),
            came,
        }],
    })
}

/// A failed check fails with the judgement on the checks, and does not decide anything by itself.
fn check(check: &Check, are_crossed: bool) -> Case {
    let failed = || {
        let all = count(check.passes + check.fails);
        format!("failed {} of {all} times", count(check.fails))
    };
    Case {
        name: clean(&format!("check: {}", check.name)),
        came: match (check.passes, check.fails) {
            (0, 0) => Came::Skipped("the check never ran".to_owned()),
            (_, 0) => Came::Passed,
            _ if are_crossed => Came::Failure(failed()),
            _ => Came::Noted(format!("{}; no threshold covers this check", failed())),
        },
    }
}

/// Whether a judgement on the checks is crossed: of the suite's `checks`, or of k6's metric.
fn are_checks_crossed(test: &TestRecord) -> bool {
    test.judgements.iter().any(|judgement| {
        let rest = judgement.asked.strip_prefix("checks");
        let is_of_checks = rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        is_of_checks && judgement.standing == Standing::Crossed
    })
}

fn cases(test: &TestRecord) -> Vec<Case> {
    let mut cases: Vec<Case> = test.judgements.iter().map(judgement).collect();
    let are_crossed = are_checks_crossed(test);
    cases.extend(test.checks.iter().map(|it| check(it, are_crossed)));
    cases.push(Case {
        name: "outcome".to_owned(),
        came: came_to(test.outcome, &test.reasons.join("; ")),
    });
    cases
}

fn came_to(outcome: Outcome, reasons: &str) -> Came {
    let message = clean(&format!("{}: {reasons}", outcome.word()));
    match outcome {
        Outcome::Passed => Came::Passed,
        Outcome::Inconclusive | Outcome::Running => Came::Skipped(message),
        Outcome::Untrusted | Outcome::Internal | Outcome::Usage | Outcome::Interrupted => {
            Came::Error(message)
        }
        Outcome::Regression | Outcome::ThresholdsCrossed => Came::Failure(message),
    }
}

fn judgement(judgement: &Judgement) -> Case {
    let measured = judgement.measured.map_or_else(
        || "nothing was measured".to_owned(),
        |measured| format!("measured {}", with_unit(measured, &judgement.unit)),
    );
    let message = clean(&format!("{}: {measured}", judgement.asked));
    let proof = judgement
        .proof()
        .map_or_else(String::new, |proof| format!(" ({proof})"));
    Case {
        name: clean(&format!("{}: {}{proof}", judgement.id, judgement.asked)),
        came: match judgement.standing {
            Standing::Held | Standing::Reported => Came::Passed,
            Standing::Crossed => Came::Failure(message),
            Standing::NoData => Came::Error(message),
            Standing::Inconclusive => Came::Skipped(match judgement.needs_more {
                Some(more) => format!("{message}; inconclusive, needs {}", more_requests(more)),
                None => format!("{message}; inconclusive"),
            }),
        },
    }
}

/// Removes characters that XML does not allow.
fn clean(text: &str) -> String {
    text.chars().map(visible).collect()
}
