//! Other formats, header by header and key by key.

use report::export::{Artefact, Format, junit, locust, long, markdown};
use report::record::Standing;

use report::testing;

pub fn text(files: &[Artefact], name: &str) -> String {
    let file = files.iter().find(|file| file.name == name);
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let file = file.unwrap_or_else(|| panic!("no {name} in {names:?}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

#[test]
fn locusts_headers_are_byte_for_byte() {
    let run = testing::run(vec![testing::load()]);
    let files = locust(&run, &run.tests[0], "p");
    let first = |name: &str| {
        text(&files, name)
            .split("\r\n")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        first("p_stats.csv"),
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
         Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
    );
    assert_eq!(
        first("p_stats_history.csv"),
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
         Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
         Total Min Response Time,Total Max Response Time,Total Average Content Size"
    );
    assert_eq!(
        first("p_failures.csv"),
        "Method,Name,Error,Occurrences,First Seen,Last Seen"
    );
    assert_eq!(first("p_exceptions.csv"), "Count,Message,Traceback,Nodes");
}

#[test]
fn locusts_rows_have_as_many_fields_as_their_headers_and_the_records_values() {
    let run = testing::run(vec![testing::load()]);
    let test = &run.tests[0];
    for file in locust(&run, test, "p") {
        let mut reader = csv::ReaderBuilder::new().from_reader(file.bytes.as_slice());
        // The reader reports rows of a different length as errors.
        let rows: Vec<csv::StringRecord> = reader
            .records()
            .map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", file.name)))
            .collect();
        match file.name.as_str() {
            "p_stats.csv" => {
                assert_eq!(rows.len(), test.endpoints.len() + 1);
                assert_eq!(&rows[0][1], "/api/clients");
                let last = &rows[rows.len() - 1];
                assert_eq!((&last[0], &last[1]), ("", "Aggregated"));
                assert_eq!((&rows[0][8], &last[8]), ("1700", "1700"));
                assert_eq!(last[2], test.figures.requests.to_string());
                assert_eq!(
                    last[16].parse(),
                    Ok(test.figures.percentile("p95").expect("measured"))
                );
            }
            "p_stats_history.csv" => {
                assert_eq!(rows.len(), test.seconds.len());
                assert_eq!(&rows[0][0], "1786699800");
                assert_eq!(&rows[0][7], "N/A", "66 % is not kept by second");
                let last = &rows[rows.len() - 1];
                assert_eq!(last[17], test.figures.requests.to_string());
                assert_eq!((&last[19], &last[23]), ("N/A", "1700"));
                let extremes = test.seconds.iter().flat_map(|it| [it.min_ms, it.max_ms]);
                let [min, max] =
                    [f64::min, f64::max].map(|of| extremes.clone().flatten().reduce(of));
                let parsed = [21, 22].map(|place: usize| last[place].parse().ok());
                assert_eq!(parsed, [min, max]);
            }
            "p_failures.csv" => assert!(rows[0][2].contains("\"queue full\""), "{:?}", rows[0]),
            _ => {
                let exception = &test.exceptions[0];
                let expected = ["3", &exception.message, &exception.traceback, "local"];
                assert_eq!(rows[0], csv::StringRecord::from(expected.to_vec()));
                assert_eq!(rows.len(), test.exceptions.len());
            }
        }
    }
}

#[test]
fn the_long_table_has_one_figure_a_row_and_none_that_was_not_measured() {
    let run = testing::whole();
    let table = long(&run);
    let header = table.lines().next().unwrap_or_default();
    assert_eq!(
        header,
        "run,test,scope,phase,at_s,class,method,name,figure,unit,value"
    );
    assert!(
        table.contains("percentile_method,,rank"),
        "the method is stated"
    );
    let p95 = run.tests[1].figures.percentile("p95").expect("measured");
    assert!(table.contains(&format!(
        "2026-08-14T09-30-00Z-acis,load,test,,,,,,p95,ms,{p95}\n"
    )));
    assert!(!table.contains("NaN"));
    let empty = long(&testing::run(vec![testing::test("nothing", 0.0)]));
    assert!(!empty.contains("p95"), "{empty}");
}

#[test]
fn junit_counts_what_it_has() {
    let mut run = testing::whole();
    run.tests[0].checks.push(report::record::Check {
        name: "a \u{0} <control> & \"quote\"".to_owned(),
        passes: 1,
        fails: 1,
    });
    let text = junit(&run);
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut cases, mut failures, mut skipped, mut stated) = (0, 0, 0, String::new());
    loop {
        use quick_xml::events::Event;
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
        {
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                b"testcase" => cases += 1,
                b"failure" => failures += 1,
                b"skipped" => skipped += 1,
                b"testsuites" => stated = String::from_utf8_lossy(&element).into_owned(),
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    let expected =
        format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"");
    assert!(stated.contains(&expected), "{stated} but {expected}");
    assert!(failures >= 3 && skipped == 1, "{failures} {skipped}");
    assert!(text.contains("a \u{fffd} &lt;control&gt;"), "{text}");
}

/// Failures and errors in `testsuites`, and the text.
fn red(run: &report::RunRecord) -> (bool, String) {
    let text = junit(run);
    let head = text.lines().nth(1).unwrap_or_default();
    let is_red = !(head.contains("failures=\"0\"") && head.contains("errors=\"0\""));
    (is_red, text)
}

#[test]
fn junit_is_red_when_the_run_itself_came_to_its_outcome() {
    use report::Outcome;
    let whole = testing::run(vec![testing::short()]);
    assert!(!red(&whole).0, "{}", red(&whole).1);
    let outcomes = [
        Outcome::Interrupted,
        Outcome::Internal,
        Outcome::Usage,
        Outcome::Untrusted,
        Outcome::Regression,
        Outcome::ThresholdsCrossed,
    ];
    for outcome in outcomes {
        let mut run = whole.clone();
        run.outcome = outcome;
        let (is_red, text) = red(&run);
        assert!(
            is_red && text.contains(outcome.word()),
            "{outcome:?}: {text}"
        );
    }
    let mut run = whole.clone();
    run.complete = false;
    run.outcome = Outcome::Interrupted;
    run.incomplete_because = Some("interrupted".to_owned());
    run.not_run = vec!["load".to_owned(), "soak[n=2]".to_owned()];
    let (_, text) = red(&run);
    assert!(text.contains("errors=\"3\""), "{text}");
    for expected in [
        "<testsuite name=\"load\" tests=\"1\" failures=\"0\" errors=\"1\"",
        "<testsuite name=\"soak[n=2]\"",
        "<error message=\"did not run: interrupted\">",
        "<error message=\"INTERRUPTED: interrupted\">",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    let text = markdown(&run);
    assert!(
        text.contains("1 of 3 planned tests passed, 2 did not run"),
        "{text}"
    );
    assert!(text.contains("Did not run: load, soak"), "{text}");
}

#[test]
fn a_failed_check_that_nothing_judges_is_no_failure() {
    let failed = report::record::Check {
        name: "predict: status 200".to_owned(),
        passes: 1967,
        fails: 1302,
    };
    let never = report::record::Check {
        name: "never".to_owned(),
        passes: 0,
        fails: 0,
    };
    let mut run = testing::run(vec![testing::short()]);
    run.tests[0].checks = vec![failed, never];
    let (is_red, text) = red(&run);
    assert!(!is_red, "{text}");
    let note =
        "<system-out>failed 1,302 of 3,269 times; no threshold covers this check</system-out>";
    assert!(text.contains(note), "{text}");
    assert!(
        text.contains("<skipped message=\"the check never ran\"/>"),
        "{text}"
    );
    let mut crossed = testing::load().judgements[1].clone();
    crossed.asked = "checks >= 0.95".to_owned();
    run.tests[0].judgements.push(crossed);
    let (_, text) = red(&run);
    assert!(
        text.contains("<failure message=\"failed 1,302 of 3,269 times\">"),
        "{text}"
    );
}

#[test]
fn markdown_has_the_verdict_first_and_tables_that_hold() {
    let text = markdown(&testing::whole());
    assert!(
        text.starts_with("# acis: FAILED\n\n2 of 4 tests passed"),
        "{text}"
    );
    assert!(text.contains("### Requirements"), "{text}");
    assert!(text.contains("\\<script\\>"), "{text}");
    let mut width = None;
    for line in text.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        if !line.starts_with('|') {
            width = None;
        } else if let Some(width) = width {
            assert_eq!(bars, width, "{line}");
        } else {
            width = Some(bars);
        }
    }
}

#[test]
fn every_format_says_dash_or_null_for_what_was_not_measured() {
    let run = testing::run(vec![testing::test("nothing", 0.0)]);
    for format in Format::ALL {
        for file in format.artefacts(&run) {
            let text = String::from_utf8(file.bytes).expect("text");
            assert!(
                !text.contains("NaN") && !text.contains(",inf") && !text.contains(">inf<"),
                "{}: {text}",
                file.name
            );
        }
    }
    let report = text(&Format::Agent360.artefacts(&run), "load_test_report.md");
    assert!(report.contains("- Error Rate: –\n"), "{report}");
}

#[test]
fn file_names_of_several_tests_are_different() {
    let mut run = testing::run(vec![testing::load(), testing::load(), testing::drill()]);
    run.tests[1].part = Some("../../x".to_owned());
    run.tests.push(run.tests[1].clone());
    let mut names: Vec<String> = Format::Csv
        .artefacts(&run)
        .into_iter()
        .map(|file| file.name)
        .collect();
    let all = names.len();
    assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
    assert!(
        names.contains(&"fault-tolerance_slow-database_stats.csv".to_owned()),
        "{names:?}"
    );
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(
        "pdf"
            .parse::<Format>()
            .expect_err("no such format")
            .to_string()
            .split(';')
            .next(),
        Some("`pdf` is not a format")
    );
    assert!(Standing::Held.outcome() == report::Outcome::Passed);
}
