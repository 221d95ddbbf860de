//! A run as annotations of Grafana: phases and faults as regions, verdicts at the ends.

use jiff::Timestamp;
use serde::Serialize;

use crate::content::{events, overview};
use crate::record::{RunRecord, TestRecord};

/// The body of `POST /api/annotations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// Milliseconds since 1970.
    pub time: i64,
    /// The end of a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_end: Option<i64>,
    /// `sparring`, the kind (`phase`, `fault`, `verdict`), and `suite:…`, `run:…`, `test:…`.
    pub tags: Vec<String>,
    pub text: String,
}

/// The phases, the faults and the verdict of a test.
pub fn of_test(run: &RunRecord, test: &TestRecord) -> Vec<Annotation> {
    let Some(began) = began_ms(run) else {
        return Vec::new();
    };
    let title = test.title();
    let at = |seconds: f64| began + ((test.begin_s + seconds) * 1e3) as i64;
    let tags = |what: &str| tags(run, what, Some(&title));
    let phases = test.phases.iter().map(|phase| Annotation {
        time: at(phase.begin_s),
        time_end: Some(at(phase.end_s)),
        tags: tags("phase"),
        text: format!("{title}: {}", phase.name),
    });
    let faults = events::faults(test).into_iter();
    let faults = faults.map(|(name, from, to)| Annotation {
        time: at(from),
        time_end: Some(at(to)),
        tags: tags("fault"),
        text: format!("{title}: fault {name}"),
    });
    let mut lines = vec![format!("{title}: {}", test.outcome.word())];
    lines.extend(test.reasons.iter().take(3).cloned());
    let verdict = Annotation {
        time: at(test.duration_s),
        time_end: None,
        tags: tags("verdict"),
        text: lines.join("\n"),
    };
    phases.chain(faults).chain([verdict]).collect()
}

/// The verdict of a run, from its begin to its end.
pub fn of_run(run: &RunRecord) -> Vec<Annotation> {
    let verdict = began_ms(run).map(|time| Annotation {
        time,
        time_end: Some(time + (run.duration_s * 1e3) as i64),
        tags: tags(run, "verdict", None),
        text: format!(
            "{} {}: {}. {}",
            run.suite,
            run.run,
            run.outcome.word(),
            overview::sentence(run)
        ),
    });
    verdict.into_iter().collect()
}

/// All annotations of a run.
pub fn all(run: &RunRecord) -> Vec<Annotation> {
    let tests = run.tests.iter().flat_map(|test| of_test(run, test));
    tests.chain(of_run(run)).collect()
}

fn began_ms(run: &RunRecord) -> Option<i64> {
    let began: Timestamp = run.began.parse().ok()?;
    Some(began.as_millisecond())
}

fn tags(run: &RunRecord, what: &str, test: Option<&str>) -> Vec<String> {
    let mut tags = vec![
        "sparring".to_owned(),
        what.to_owned(),
        format!("suite:{}", run.suite),
        format!("run:{}", run.run),
    ];
    tags.extend(test.map(|test| format!("test:{test}")));
    tags
}
