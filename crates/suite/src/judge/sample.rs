//! Small records for tests: one steady phase of a built-in suite's test, with methods to change it.

use indexmap::IndexMap;
use report::record::{
    Check, Endpoint, Figures, Latency, LoadModel, Observed, Outcome, PhaseKind, PhaseRecord,
    ResourceSample, Second, TestRecord,
};
use serde_json::json;

use super::{Known, judge_with};
use crate::builtin::built_in;
use crate::file::{Judge, SuiteFile};
use crate::plan::{PlannedTest, Selection, plan};

pub(super) const SECONDS: u64 = 60;

#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub file: SuiteFile,
    pub test: PlannedTest,
    pub record: TestRecord,
}

impl Sample {
    /// The first part of a built-in test, with 60 s at its level and 100 responses per second of 50 ms.
    pub fn of(suite: &str, name: &str) -> Self {
        let file = built_in(suite)
            .expect("a built-in suite")
            .unwrap_or_else(|error| panic!("{error}"));
        let selection = Selection {
            tests: vec![name.to_owned()],
            ..Selection::default()
        };
        let planned = plan(&file, &selection, &|_| None).unwrap_or_else(|error| panic!("{error}"));
        let test = planned.tests.into_iter().next().expect("a test");
        let record = record(&test);
        Self { file, test, record }.rate(100.0).latency(50.0)
    }

    pub fn asking(mut self, judge: Judge) -> Self {
        self.test.judge = judge;
        self
    }

    pub fn level(mut self, level: f64) -> Self {
        let phase = &mut self.record.phases[0];
        let open = self.test.model == LoadModel::Open;
        phase.users = (!open).then_some(level);
        phase.rate_per_s = open.then_some(level);
        self
    }

    pub fn rate(mut self, per_s: f64) -> Self {
        let requests = (per_s * SECONDS as f64).round() as u64;
        self.each_figures(|figures| {
            figures.requests = requests;
            figures.requests_per_s = Some(requests as f64 / SECONDS as f64);
        });
        let mut left = requests;
        for (place, second) in self.record.seconds.iter_mut().enumerate() {
            second.requests = left / (SECONDS - place as u64);
            left -= second.requests;
        }
        self.record.k6_summary["metrics"]["iterations"] =
            json!({ "type": "counter", "values": { "count": requests } });
        self
    }

    /// The same share of failures in each second.
    pub fn failing(mut self, share: f64) -> Self {
        let requests = self.record.figures.requests;
        let failures = (share * requests as f64).round() as u64;
        self.each_figures(|figures| figures.failures = failures);
        for second in &mut self.record.seconds {
            second.failures = (share * second.requests as f64).round() as u64;
        }
        self
    }

    /// This number of responses has this status.
    pub fn answered(mut self, status: &str, count: u64) -> Self {
        let endpoint = &mut self.record.endpoints[0];
        endpoint.statuses.insert(status.to_owned(), count);
        let endpoints = self.record.endpoints.clone();
        self.record.phases[0].endpoints = endpoints;
        self
    }

    /// All percentiles at one value, with narrow intervals.
    pub fn latency(mut self, ms: f64) -> Self {
        let latency = latency(ms);
        self.each_figures(|figures| figures.latency = Some(latency.clone()));
        for second in &mut self.record.seconds {
            [second.mean_ms, second.p50_ms, second.p95_ms, second.p99_ms] = [Some(ms); 4];
        }
        self
    }

    pub fn cpu(self, ratio: f64) -> Self {
        self.each_sample(|sample| sample.cpu_ratio = Some(ratio))
    }

    pub fn memory(self, ratio: f64) -> Self {
        self.each_sample(|sample| sample.memory_ratio = Some(ratio))
    }

    pub fn disk(self, ratio: f64) -> Self {
        self.each_sample(|sample| sample.disk_ratio = Some(ratio))
    }

    pub fn network(self, ratio: f64) -> Self {
        self.each_sample(|sample| sample.network_ratio = Some(ratio))
    }

    pub fn other(self, name: &str, value: f64) -> Self {
        self.each_sample(|sample| {
            sample.other.insert(name.to_owned(), value);
        })
    }

    pub fn trend(mut self, metric: &str, mean: f64) -> Self {
        self.record.k6_summary["metrics"][metric] = json!({ "type": "trend", "contains": "time",
            "values": { "avg": mean, "min": mean, "med": mean, "p(95)": mean, "p(99)": mean, "max": mean } });
        self
    }

    pub fn checks(mut self, passes: u64, fails: u64) -> Self {
        self.record.checks = vec![Check {
            name: "ok".to_owned(),
            passes,
            fails,
        }];
        self
    }

    pub fn judged(&self) -> TestRecord {
        self.judged_with(Known::default())
    }

    pub fn judged_with(&self, known: Known<'_>) -> TestRecord {
        let mut record = self.record.clone();
        judge_with(&self.test, &self.file, &mut record, known);
        record
    }

    fn each_figures(&mut self, change: impl Fn(&mut Figures)) {
        change(&mut self.record.figures);
        change(&mut self.record.endpoints[0].figures);
        let phases = self.record.phases.iter_mut();
        phases.for_each(|phase| change(&mut phase.figures));
    }

    fn each_sample(mut self, change: impl Fn(&mut ResourceSample)) -> Self {
        let target = &mut self.record.observed.target;
        if target.is_empty() {
            let at = |second| ResourceSample {
                at_s: second as f64,
                ..ResourceSample::default()
            };
            *target = (0..SECONDS).map(at).collect();
        }
        target.iter_mut().for_each(change);
        self
    }
}

pub(super) fn latency(ms: f64) -> Latency {
    let percentiles = report::record::PERCENTILES.iter();
    Latency {
        mean: ms,
        standard_deviation: 0.0,
        min: ms,
        max: ms,
        percentiles: percentiles
            .map(|(key, _)| ((*key).to_owned(), ms))
            .collect(),
        intervals: [].into(),
    }
}

/// A phase at a level with constant figures.
pub(super) fn phase(name: &str, level: f64, per_s: f64, ms: f64) -> PhaseRecord {
    let requests = (per_s * SECONDS as f64).round() as u64;
    PhaseRecord {
        name: name.to_owned(),
        kind: PhaseKind::Steady,
        begin_s: 0.0,
        end_s: SECONDS as f64,
        users: Some(level),
        rate_per_s: None,
        judged: true,
        figures: Figures {
            seconds: SECONDS as f64,
            requests,
            requests_per_s: Some(per_s),
            latency: Some(latency(ms)),
            ..Figures::default()
        },
        endpoints: Vec::new(),
    }
}

fn record(test: &PlannedTest) -> TestRecord {
    let figures = Figures {
        seconds: SECONDS as f64,
        ..Figures::default()
    };
    let endpoint = Endpoint {
        method: "GET".to_owned(),
        name: "/".to_owned(),
        class: test.classes.first().map(|class| class.name.clone()),
        figures: figures.clone(),
        statuses: [].into(),
        errors: Vec::new(),
        error_times: [].into(),
        seconds: Vec::new(),
    };
    let seconds = (0..SECONDS).map(|at| Second {
        at_s: at as f64,
        ..Second::default()
    });
    TestRecord {
        name: test.name.clone(),
        part: test.part.clone(),
        cell: test.cell.clone(),
        model: test.model,
        content: test.content,
        classes: test
            .classes
            .iter()
            .map(|class| class.name.clone())
            .collect(),
        begin_s: 0.0,
        duration_s: SECONDS as f64,
        complete: true,
        outcome: Outcome::Passed,
        reasons: Vec::new(),
        phases: vec![phase("steady", 50.0, 0.0, 0.0)],
        figures,
        endpoints: vec![endpoint],
        seconds: seconds.collect(),
        probes: Vec::new(),
        asked: Vec::new(),
        observed: Observed::default(),
        judgements: Vec::new(),
        findings: Vec::new(),
        truth: Vec::new(),
        ledger: Vec::new(),
        checks: Vec::new(),
        exceptions: Vec::new(),
        k6_summary: json!({ "metrics": {} }),
        locust_result: None,
        analysis: IndexMap::new(),
    }
}
