//! The input of a record, except the driver's measurements of each request.

use indexmap::IndexMap;
use report::record::{Outcome, TestRecord, ThresholdSeries};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file::{Alerts, Grade, GradeBounds, Judge, SuiteFile, View};
use crate::judge::{self, Known, Slo};
use crate::plan::PlannedTest;
use crate::run::drills::{self, Drilled};
use crate::run::measure::{Store, fill_endpoint_seconds};
use crate::run::prometheus;
use crate::run::reconcile::{Calls, Closed};
use crate::run::record::{Gathered, record};
use crate::run::resume::Earlier;
use crate::run::visits::Visits;

/// The facts about a completed test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    pub test: PlannedTest,
    /// Whether a script of the command line ran, which is judged by its own thresholds.
    pub own_script: bool,
    pub rules: Rules,
    pub gathered: Gathered,
    /// The series of thresholds on metrics other than all requests.
    pub asked: Vec<ThresholdSeries>,
    pub earlier: Option<Earlier>,
    pub prometheus: Option<prometheus::Found>,
    /// The results of a search or of probes, by their names in the analysis.
    pub found: IndexMap<String, Value>,
    pub drilled: Vec<Drilled>,
    pub interrupted: bool,
    pub account: Option<Closed>,
    /// For the orchestrator: the account of its detectors' journals.
    #[serde(default)]
    pub calls: Option<Calls>,
    /// The bounds of the target's components.
    pub slo: Option<IndexMap<String, Slo>>,
    /// Completed and failed visits of the target's components during the test.
    #[serde(default)]
    pub visits: Option<Visits>,
    /// The reference of relative bounds.
    pub previous: Option<TestRecord>,
    /// The truth of the target.
    pub truth: Option<Value>,
}

/// The parts of a suite file that the judgement reads in addition to the test itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    suite: String,
    views: Vec<View>,
    grades: IndexMap<Grade, GradeBounds>,
    /// The trend of the latency alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_of: Option<String>,
}

impl Rules {
    pub fn of(file: &SuiteFile) -> Self {
        Self {
            suite: file.suite.clone(),
            views: file.views.clone(),
            grades: file.grades.clone(),
            latency_of: file.alerts.latency_of.clone(),
        }
    }

    /// A suite file with nothing else.
    fn file(&self) -> SuiteFile {
        SuiteFile {
            suite: self.suite.clone(),
            system: None,
            base_url: None,
            description: String::new(),
            views: self.views.clone(),
            default: Vec::new(),
            all: Vec::new(),
            resources: None,
            prometheus: None,
            alerts: Alerts {
                latency_of: self.latency_of.clone(),
                ..Alerts::default()
            },
            locust: None,
            classes: IndexMap::new(),
            grades: self.grades.clone(),
            tests: IndexMap::new(),
        }
    }
}

impl Facts {
    /// The record before its judgement.
    pub fn measured(&self, store: &Store) -> TestRecord {
        let mut record = record(&self.test, store, &self.gathered);
        fill_endpoint_seconds(store, &mut record.endpoints);
        record.asked.clone_from(&self.asked);
        if let Some(earlier) = &self.earlier {
            earlier.write_into(&mut record);
        }
        record
    }

    /// The judged record.
    pub fn judged(&self, store: &Store) -> TestRecord {
        let mut record = self.measured(store);
        if let Some(found) = &self.prometheus {
            found.write_into(&mut record);
        }
        record.analysis.extend(self.found.clone());
        drills::write_into(&self.drilled, &mut record);
        if self.interrupted {
            record.outcome = Outcome::Interrupted;
        }
        if let Some(account) = &self.account {
            record.ledger.extend(account.ledger());
            let compared = account.shown();
            record
                .analysis
                .extend(compared.map(|compared| ("reconciliation".to_owned(), compared)));
        }
        if let Some(calls) = &self.calls {
            record.ledger.push(calls.entry());
            let calls = serde_json::to_value(calls).unwrap_or_default();
            record.analysis.insert("reconciliation".to_owned(), calls);
        }
        let known = Known {
            slo: self.slo.as_ref(),
            visits: self.visits.as_ref(),
            previous: self.previous.as_ref(),
        };
        let asked = self.asked_of(&record);
        judge::judge_with(&asked, &self.rules.file(), &mut record, known);
        if let Some(truth) = &self.truth {
            judge::compare_with_truth(&mut record, truth);
            record.analysis.insert("truth".to_owned(), truth.clone());
        }
        let why = self.gathered.broken_off.iter();
        let said: Vec<String> = why
            .filter(|why| !record.reasons.contains(why))
            .cloned()
            .collect();
        record.reasons.splice(0..0, said);
        record
    }

    /// A script of the command line is judged by its own thresholds.
    fn asked_of(&self, record: &TestRecord) -> PlannedTest {
        if !self.own_script {
            return self.test.clone();
        }
        let metrics = record.k6_summary["metrics"].as_object();
        let expressions = |metric: &Value| -> Vec<String> {
            let thresholds = metric["thresholds"].as_object().into_iter().flatten();
            thresholds
                .map(|(expression, _)| expression.clone())
                .collect()
        };
        let thresholds = metrics.into_iter().flatten();
        let thresholds = thresholds.map(|(name, metric)| (name.clone(), expressions(metric)));
        PlannedTest {
            judge: Judge {
                thresholds: thresholds
                    .filter(|(_, expressions)| !expressions.is_empty())
                    .collect(),
                ..Judge::default()
            },
            ..self.test.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;
    use crate::builtin::{BUILT_IN, built_in};

    #[test]
    fn rules_hold_what_judging_reads_of_a_suite_file() {
        for (name, _) in BUILT_IN {
            let file = built_in(name).expect("built in").expect("sound");
            let text = serde_json::to_string(&Rules::of(&file)).expect("JSON");
            let rules: Rules = serde_json::from_str(&text).expect("rules");
            let kept = rules.file();
            assert_eq!(kept.suite, file.suite);
            assert_eq!(kept.views, file.views, "{name}");
            assert_eq!(kept.grades, file.grades, "{name}");
            assert_eq!(kept.alerts.latency_of, file.alerts.latency_of, "{name}");
        }
    }
}
