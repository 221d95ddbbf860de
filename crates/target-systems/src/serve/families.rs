//! Metric families from figures that are read at scrape time instead of being counted.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// One series of a family.
#[derive(Clone, Copy)]
pub(super) struct Series<'a> {
    kind: Kind,
    labels: &'a [(&'a str, &'a str)],
    value: f64,
}

impl<'a> Series<'a> {
    pub(super) fn new(kind: Kind, labels: &'a [(&'a str, &'a str)], value: f64) -> Self {
        Self {
            kind,
            labels,
            value,
        }
    }

    pub(super) fn gauge(labels: &'a [(&'a str, &'a str)], value: f64) -> Self {
        Self::new(Kind::Gauge, labels, value)
    }

    pub(super) fn counter(labels: &'a [(&'a str, &'a str)], value: f64) -> Self {
        Self::new(Kind::Counter, labels, value)
    }
}

/// Families by name, in the order of insertion.
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
    pub(super) fn add(&mut self, name: &str, help: &str, series: Series<'_>) {
        let Series {
            kind,
            labels,
            value,
        } = series;
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
