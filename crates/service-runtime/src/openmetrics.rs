//! The `OpenMetrics` 1.0 text format, for scrapers that request it.

use std::fmt::Write;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

/// Its content type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const NAME: &str = "application/openmetrics-text";

/// Whether an `Accept` header prefers it to the older text format.
pub fn is_wanted(accept: &str) -> bool {
    let weight = |wanted: fn(&str) -> bool| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let weight = parts.find_map(|it| it.strip_prefix("q=")?.trim().parse::<f64>().ok());
            wanted(&name).then_some(weight.unwrap_or(1.0))
        });
        ranges.fold(0.0, f64::max)
    };
    let here = weight(|name| name == NAME);
    // A client that accepts anything gets the older, shorter format.
    here > 0.0 && here >= weight(|name| name == "text/plain")
}

/// All families, with the end mark of the format.
pub fn encode(families: &[MetricFamily]) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in families {
        write_family(family, &mut text);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(family: &MetricFamily, text: &mut String) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY | MetricType::UNTYPED => "unknown",
    };
    // A counter's samples carry the suffix, its family does not.
    let name = match kind {
        "counter" => family.name().trim_end_matches("_total"),
        _ => family.name(),
    };
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if !family.help().is_empty() {
        let _ = writeln!(text, "# HELP {name} {}", escaped(family.help()));
    }
    for metric in family.get_metric() {
        let mut sample = |suffix: &str, more: Option<(&str, &str)>, value: f64| {
            let labels = labels(metric.get_label(), more);
            let _ = writeln!(text, "{name}{suffix}{labels} {}", number(value));
        };
        match kind {
            "counter" => sample("_total", None, metric.get_counter().get_value()),
            "gauge" => sample("", None, metric.get_gauge().get_value()),
            "histogram" => write_histogram(metric, &mut sample),
            _ => {}
        }
    }
}

fn write_histogram(metric: &Metric, sample: &mut impl FnMut(&str, Option<(&str, &str)>, f64)) {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count() as f64;
    for bucket in histogram.get_bucket() {
        let bound = bucket.upper_bound();
        if bound.is_finite() {
            let held = bucket.cumulative_count() as f64;
            sample("_bucket", Some(("le", &canonical(bound))), held);
        }
    }
    sample("_bucket", Some(("le", "+Inf")), count);
    sample("_count", None, count);
    sample("_sum", None, histogram.get_sample_sum());
}

/// A bucket bound: whole numbers have a decimal point.
fn canonical(number: f64) -> String {
    format!("{number:?}")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

fn labels(own: &[LabelPair], more: Option<(&str, &str)>) -> String {
    let own = own.iter().map(|pair| (pair.name(), pair.value()));
    let pairs: Vec<String> = own
        .chain(more)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", pairs.join(","))
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

    use super::*;

    #[test]
    fn an_accept_header_chooses_between_the_formats() {
        for (accept, wanted) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                true,
            ),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.5", false),
            ("application/openmetrics-text;q=0", false),
        ] {
            assert_eq!(is_wanted(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn families_are_written_in_the_format() {
        let registry = Registry::new();
        let counters = IntCounterVec::new(Opts::new("a_total", "What \"a\" is."), &["kind"]);
        let counters = counters.expect("a name");
        counters.with_label_values(&["x\\y\n\"z\""]).inc();
        let gauge = IntGauge::new("b", "What b is.").expect("a name");
        let buckets = HistogramOpts::new("c_ms", "What c is.").buckets(vec![0.5, 1.0]);
        let histogram = Histogram::with_opts(buckets).expect("a name");
        histogram.observe(0.75);
        for one in [
            Box::new(counters) as Box<dyn prometheus::core::Collector>,
            Box::new(gauge),
            Box::new(histogram),
        ] {
            registry.register(one).expect("names differ");
        }
        let expected = [
            "# TYPE a counter",
            r#"# HELP a What \"a\" is."#,
            r#"a_total{kind="x\\y\n\"z\""} 1"#,
            "# TYPE b gauge",
            "# HELP b What b is.",
            "b 0",
            "# TYPE c_ms histogram",
            "# HELP c_ms What c is.",
            r#"c_ms_bucket{le="0.5"} 0"#,
            r#"c_ms_bucket{le="1.0"} 1"#,
            r#"c_ms_bucket{le="+Inf"} 1"#,
            "c_ms_count 1",
            "c_ms_sum 0.75",
            "# EOF",
            "",
        ];
        assert_eq!(encode(&registry.gather()), expected.join("\n"));
    }
}
