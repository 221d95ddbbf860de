//! The completed tests of an interrupted run, judged again from their evidence.

use indexmap::IndexMap;
use report::record::TestRecord;

use super::evidence::RunEvidence;
use super::resume::Resumption;

/// The completed tests.
pub struct Finished {
    /// The records, without judgements that span tests.
    pub tests: Vec<TestRecord>,
    /// The evidence from which they are computed.
    pub evidence: RunEvidence,
    /// The checksums of its files, as they were written.
    pub sums: IndexMap<String, String>,
}

impl Finished {
    pub fn of(resumption: &Resumption) -> Self {
        let file = |name: &str| resumption.file(name);
        let read = RunEvidence::read(&file);
        let all = read.ok().flatten().unwrap_or_default();
        let titles: Vec<String> = resumption.complete().map(TestRecord::title).collect();
        let evidence = RunEvidence {
            tests: of_titles(all.tests, &titles),
            locust: of_titles(all.locust, &titles),
            ..RunEvidence::default()
        };
        let sums = resumption.record.iter().flat_map(|record| &record.evidence);
        let sums = sums.filter(|(file, _)| evidence.tests.values().any(|it| it == *file));
        let sums = sums
            .map(|(file, sum)| (file.clone(), sum.clone()))
            .collect();
        let again = |test: &TestRecord| evidence.test(&test.title(), &file).ok();
        let tests = resumption.complete();
        let tests = tests.map(|test| again(test).unwrap_or_else(|| test.clone()));
        Self {
            tests: tests.collect(),
            evidence,
            sums,
        }
    }
}

fn of_titles<T>(all: IndexMap<String, T>, titles: &[String]) -> IndexMap<String, T> {
    let all = all.into_iter();
    all.filter(|(title, _)| titles.contains(title)).collect()
}
