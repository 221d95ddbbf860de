//! One value in the protocol of StatsD.

use std::fmt::Write;

use load_metrics::{Kind, Metric, Sample};

use super::config::Config;

/// Writes samples as messages.
#[derive(Debug)]
pub(super) struct Messages {
    namespace: String,
    /// The tags that are not sent; `None` if no tags are sent.
    blocked: Option<Vec<String>>,
}

impl Messages {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            namespace: config.namespace.clone(),
            blocked: config.enable_tags.then(|| config.tag_blocklist.clone()),
        }
    }

    /// Appends one sample, without a line break. A value that is not a number cannot be written: nothing is appended,
    /// and the result is false.
    pub(super) fn push(&self, out: &mut String, metric: &Metric, sample: &Sample) -> bool {
        if !sample.value.is_finite() {
            return false;
        }
        out.push_str(&self.namespace);
        let check = sample.tags.get("check").filter(|check| !check.is_empty());
        // Writing to a string cannot fail.
        match (metric.kind, check) {
            (Kind::Rate, Some(check)) => {
                out.push_str("check.");
                push_plain(out, check, &[':', '|', '@']);
                let result = if sample.value == 0.0 { "fail" } else { "pass" };
                let _ = write!(out, ".{result}:1|c");
            }
            (kind, _) => {
                push_plain(out, &metric.name, &[':', '|', '@']);
                let letters = match kind {
                    Kind::Counter | Kind::Rate => "c",
                    Kind::Gauge => "g",
                    Kind::Trend => "ms",
                };
                let _ = write!(out, ":{}|{letters}", sample.value);
            }
        }
        self.push_tags(out, sample);
        true
    }

    fn push_tags(&self, out: &mut String, sample: &Sample) {
        let Some(blocked) = &self.blocked else {
            return;
        };
        let tags = sample.tags.iter();
        let sent =
            tags.filter(|(key, value)| !value.is_empty() && !blocked.iter().any(|tag| tag == key));
        let mut separator = "|#";
        for (key, value) in sent {
            out.push_str(separator);
            push_plain(out, key, &[',', '|', ':']);
            out.push(':');
            push_plain(out, value, &[',', '|']);
            separator = ",";
        }
    }
}

/// Appends text; the protocol's delimiters become underscores.
fn push_plain(out: &mut String, text: &str, special: &[char]) {
    let plain = |c: char| {
        if c.is_control() || special.contains(&c) {
            '_'
        } else {
            c
        }
    };
    out.extend(text.chars().map(plain));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use load_metrics::{Contains, Registry, Tags, UnixNanos};

    use super::super::config::Dialect;
    use super::*;
    use crate::output::Environment;

    fn message(dialect: Dialect, kind: Kind, tags: &[(&str, &str)], value: f64) -> Option<String> {
        let config = Config::read(dialect, "", &Environment::new()).unwrap();
        let registry = Registry::new();
        let metric = registry.register("mine", kind, Contains::Default).unwrap();
        let sample = Sample {
            metric,
            at: UnixNanos(0),
            value,
            tags: Arc::new(tags.iter().copied().collect::<Tags>()),
            metadata: None,
        };
        let mut out = String::new();
        let written = Messages::new(&config).push(&mut out, &registry.metric(metric), &sample);
        written.then_some(out)
    }

    fn check(kind: Kind, value: f64, wanted: &str) {
        let tags = [("url", "http://h"), ("name", "x")];
        let found = message(Dialect::StatsD, kind, &tags, value);
        assert_eq!(found.as_deref(), Some(wanted));
    }

    #[test]
    fn every_kind_has_its_letters() {
        check(Kind::Counter, 2.0, "k6.mine:2|c");
        check(Kind::Counter, 0.25, "k6.mine:0.25|c");
        check(Kind::Gauge, 3.0, "k6.mine:3|g");
        check(Kind::Trend, 1.5, "k6.mine:1.5|ms");
        check(Kind::Rate, 1.0, "k6.mine:1|c");
        check(Kind::Rate, 0.0, "k6.mine:0|c");
    }

    #[test]
    fn a_check_is_counted_by_its_result() {
        let check = |name, value| message(Dialect::StatsD, Kind::Rate, &[("check", name)], value);
        let found = check("is 200", 1.0);
        assert_eq!(found.as_deref(), Some("k6.check.is 200.pass:1|c"));
        let found = check("a:b|c\nd", 0.0);
        assert_eq!(found.as_deref(), Some("k6.check.a_b_c_d.fail:1|c"));
    }

    fn check_tags(tags: &[(&str, &str)], wanted: &str) {
        let found = message(Dialect::Datadog, Kind::Counter, tags, 1.0);
        assert_eq!(found, Some(format!("k6.mine:1|c{wanted}")));
    }

    #[test]
    fn tags_are_sent_but_those_of_the_list() {
        check_tags(&[], "");
        check_tags(&[("vu", "1"), ("iter", "2"), ("url", "http://h")], "");
        check_tags(
            &[("b", "1"), ("a", "http://h:1/x"), ("empty", "")],
            "|#a:http://h:1/x,b:1",
        );
        check_tags(&[("a:b,c", "x,y|z")], "|#a_b_c:x_y_z");
    }

    #[test]
    fn a_value_that_is_not_a_number_is_not_sent() {
        let found = message(Dialect::StatsD, Kind::Trend, &[], f64::INFINITY);
        assert_eq!(found, None);
    }
}
