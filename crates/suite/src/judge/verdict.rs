//! The sheet that the parts of a judgement fill.

use indexmap::IndexMap;
use report::record::{Event, EventKind, Finding, Judgement, LedgerEntry, Standing, TestRecord};
use serde_json::Value;

use super::decide::Decision;
use super::expression::Bound;

/// The results of the judgement of one test so far.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    title: String,
    pub judgements: Vec<Judgement>,
    pub findings: Vec<Finding>,
    pub ledger: Vec<LedgerEntry>,
    pub events: Vec<Event>,
    pub analysis: IndexMap<String, Value>,
}

/// A requirement, before it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub kind: &'static str,
    /// The suffix of the id, such as `p95_ms`.
    pub name: &'a str,
    pub phase: Option<&'a str>,
    pub unit: &'static str,
    /// The rule with its source.
    pub rule: &'a str,
}

impl Sheet {
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..Self::default()
        }
    }

    /// The id, unique within the run: the test's title, the requirement, and the phase.
    pub fn id(&self, kind: &str, name: &str, phase: Option<&str>) -> String {
        let place = phase.map_or_else(String::new, |phase| format!("@{phase}"));
        let id = format!("{}.{kind}.{name}{place}", self.title);
        let taken = |id: &str| {
            self.judgements.iter().any(|known| known.id == id)
                || self.findings.iter().any(|known| known.id == id)
        };
        let numbered = (2..).map(|number| format!("{id}#{number}"));
        std::iter::once(id.clone())
            .chain(numbered)
            .find(|id| !taken(id))
            .unwrap_or(id)
    }

    /// Adds a figure and its bound. A result without a figure, such as "never", has no bound either.
    pub fn answer(
        &mut self,
        question: Question<'_>,
        asked: &str,
        bound: Bound,
        decision: Decision,
    ) -> &mut Judgement {
        let needs_none = matches!(decision.standing, Standing::Held | Standing::Crossed);
        let is_alone = needs_none && decision.measured.is_none();
        self.add(
            question,
            asked,
            (!is_alone).then(|| bound.value()),
            decision,
        )
    }

    /// Adds a result without a numeric bound.
    pub fn add(
        &mut self,
        question: Question<'_>,
        asked: &str,
        bound: Option<f64>,
        decision: Decision,
    ) -> &mut Judgement {
        let id = self.id(question.kind, question.name, question.phase);
        self.judgements.push(Judgement {
            id,
            kind: question.kind.to_owned(),
            asked: asked.to_owned(),
            phase: question.phase.map(str::to_owned),
            standing: decision.standing,
            measured: decision.measured,
            bound,
            interval: decision.interval,
            unit: question.unit.to_owned(),
            grade: None,
            needs_more: decision.needs_more,
            proved: decision.proved,
            rule: question.rule.to_owned(),
        });
        let last = self.judgements.len() - 1;
        &mut self.judgements[last]
    }

    /// Replaces the entries of an earlier judgement and preserves those of others.
    pub fn write_into(self, record: &mut TestRecord) {
        let ours = |id: &str| self.judgements.iter().any(|known| known.id == id);
        record.judgements.retain(|known| !ours(&known.id));
        record.judgements.extend(self.judgements);
        let ours = |id: &str| self.findings.iter().any(|known| known.id == id);
        record.findings.retain(|known| !ours(&known.id));
        record.findings.extend(self.findings);
        let ours = |what: &str| self.ledger.iter().any(|known| known.what == what);
        record.ledger.retain(|known| !ours(&known.what));
        record.ledger.extend(self.ledger);
        if !self.events.is_empty() {
            let is_alert =
                |event: &Event| matches!(event.kind, EventKind::Alert | EventKind::AlertResolved);
            record.observed.events.retain(|event| !is_alert(event));
            record.observed.events.extend(self.events);
            let events = &mut record.observed.events;
            events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        }
        record.analysis.extend(self.analysis);
    }

    /// A figure that the analysis has found so far.
    pub fn found(&self, pointer: &str) -> Option<&Value> {
        let mut steps = pointer.split('/');
        let mut value = self.analysis.get(steps.next()?)?;
        for step in steps {
            value = match step.parse::<usize>() {
                Ok(place) if value.is_array() => value.get(place)?,
                _ => value.get(step)?,
            };
        }
        (!value.is_null()).then_some(value)
    }
}

/// Decided without a figure.
pub(super) fn decided(standing: Standing) -> Decision {
    Decision {
        standing,
        ..Decision::NO_DATA
    }
}

/// A number as shown in sentences: four significant digits, no trailing zeros.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_four_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (12.3456, "12.35"),
            (0.012_345_6, "0.01235"),
            (5.0, "5"),
            (200.0, "200"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
