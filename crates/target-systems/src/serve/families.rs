//! Metric families from figures that are read at once instead of being counted.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// Families by name, in the order in which they come.
pub(super) struct Families {
    prefix: &'static str,
    families: Vec<MetricFamily>,
}

impl Families {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            families: Vec::new(),
        }
    }

    /// Adds a series with its value.
    pub(super) fn add(
        &mut self,
        name: &str,
        help: &str,
        (kind, labels, value): (Kind, &[(&str, &str)], f64),
    ) {
        let name = format!("{}{name}", self.prefix);
        let place = self
            .families
            .iter()
            .position(|family| family.name() == name);
        let place = place.unwrap_or_else(|| {
            let mut family = MetricFamily::default();
            family.set_name(name);
            family.set_help(help.to_owned());
            family.set_field_type(match kind {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
            });
            self.families.push(family);
            self.families.len() - 1
        });
        self.families[place]
            .mut_metric()
            .push(metric(kind, labels, value));
    }

    pub(super) fn into_vec(self) -> Vec<MetricFamily> {
        self.families
    }
}

fn metric(kind: Kind, labels: &[(&str, &str)], value: f64) -> Metric {
    let mut pairs: Vec<LabelPair> = labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect();
    pairs.sort_by(|a, b| a.name().cmp(b.name()));
    let mut metric = Metric::default();
    metric.set_label(pairs);
    match kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        Kind::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
    }
    metric
}
