//! The tests of an interrupted run that came to their end, judged again from their evidence.

use indexmap::IndexMap;
use report::record::TestRecord;

use super::evidence::RunEvidence;
use super::resume::Resumption;

/// What came to its end.
pub struct Finished {
    /// The records, without what was judged over several of them.
    pub tests: Vec<TestRecord>,
    /// What they are computed from.
    pub evidence: RunEvidence,
    /// The sums of its files, as they were written.
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
