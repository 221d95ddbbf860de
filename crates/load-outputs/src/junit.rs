//! `-o junit[=file]`: the verdict as JUnit XML, a test case for every threshold and every check.
//!
//! Not in k6. Written once, at the end; the default file is `junit.xml`, `-` is the standard output.

use std::time::Duration;

use load_metrics::Sample;

use crate::sample_file::SampleFile;
use load_engine::{CheckResult, ThresholdResult};

use crate::output::{Output, OutputError, RunEnd, Setup};

/// Writes thresholds and checks as test cases.
pub struct Junit {
    path: String,
    file: Option<SampleFile>,
}

impl Junit {
    /// Test cases in the file `path`.
    pub fn new(path: &str) -> Self {
        let path = if path.is_empty() { "junit.xml" } else { path };
        Self {
            path: path.to_owned(),
            file: None,
        }
    }
}

impl Output for Junit {
    fn description(&self) -> String {
        format!("junit ({})", self.path)
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        self.file = Some(SampleFile::create(&self.path, &setup.stdout)?);
        Ok(())
    }

    fn consume(&mut self, _: &[Sample]) -> Result<(), OutputError> {
        Ok(())
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write(&report(end))?;
        file.finish()
    }
}

/// The whole document.
pub fn report(end: &RunEnd) -> String {
    let thresholds: Vec<String> = end.thresholds.iter().map(threshold).collect();
    let checks: Vec<String> = end.checks.iter().map(check).collect();
    let crossed = end.thresholds.iter().filter(|one| !one.passed).count();
    let failed = end.checks.iter().filter(|one| one.fails > 0).count();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" \
         failures=\"{}\" time=\"{:.3}\">\n{}{}</testsuites>\n",
        escape(&end.script),
        thresholds.len() + checks.len(),
        crossed + failed,
        end.duration.as_secs_f64(),
        suite("thresholds", crossed, &thresholds),
        suite("checks", failed, &checks),
    )
}

fn suite(name: &str, failures: usize, cases: &[String]) -> String {
    format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">\n{}  </testsuite>\n",
        cases.len(),
        cases.concat(),
    )
}

fn threshold(threshold: &ThresholdResult) -> String {
    let observed = threshold
        .observed
        .map_or("there were no samples".to_owned(), |value| {
            format!("observed {value}")
        });
    let failure =
        (!threshold.passed).then(|| format!("{} is crossed: {observed}", threshold.expression));
    case(&threshold.metric, &threshold.expression, failure)
}

fn check(check: &CheckResult) -> String {
    let total = check.passes + check.fails;
    let failure = (check.fails > 0).then(|| format!("failed {} of {total} times", check.fails));
    case(&format!("checks{}", check.group), &check.name, failure)
}

fn case(class: &str, name: &str, failure: Option<String>) -> String {
    let (class, name) = (escape(class), escape(name));
    match failure {
        None => format!("    <testcase classname=\"{class}\" name=\"{name}\"/>\n"),
        Some(why) => format!(
            "    <testcase classname=\"{class}\" name=\"{name}\">\n      <failure \
             message=\"{}\"/>\n    </testcase>\n",
            escape(&why)
        ),
    }
}

/// Text for an attribute; characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_and_check_is_a_test_case() {
        let end = RunEnd {
            script: "a&b.js".to_owned(),
            duration: Duration::from_millis(1500),
            thresholds: vec![ThresholdResult {
                metric: "http_req_duration".to_owned(),
                expression: "p(95)<200".to_owned(),
                passed: false,
                observed: Some(250.5),
            }],
            checks: vec![CheckResult {
                name: "is \"ok\"\u{1}".to_owned(),
                group: "::g".to_owned(),
                passes: 3,
                fails: 0,
            }],
            ended_early: None,
            dropped_samples: 0,
        };
        let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites name=\"a&amp;b.js\" tests=\"2\" failures=\"1\" time=\"1.500\">\n  \
            <testsuite name=\"thresholds\" tests=\"1\" failures=\"1\">\n    \
            <testcase classname=\"http_req_duration\" name=\"p(95)&lt;200\">\n      \
            <failure message=\"p(95)&lt;200 is crossed: observed 250.5\"/>\n    \
            </testcase>\n  </testsuite>\n  \
            <testsuite name=\"checks\" tests=\"1\" failures=\"0\">\n    \
            <testcase classname=\"checks::g\" name=\"is &quot;ok&quot;\u{fffd}\"/>\n  \
            </testsuite>\n</testsuites>\n";
        assert_eq!(report(&end), wanted);
    }
}
