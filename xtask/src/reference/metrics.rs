//! Every metric that is registered with a name and a help text.

use std::fmt::Write;
use std::path::Path;

use super::source;

const HEAD: &str = "\
# Metrics

Written by `cargo xtask reference` from the help texts in the code.

Names and labels are a contract: dashboards, alerts and scripts rely on them. Label values that a client
controls (tenant, policy) are bounded; past the bound they fold into `other`. Counters and histograms are there from
the start, at 0, so that a rate sees the first event: all but those whose labels a client chooses, those of Redis while
no `redis_url` is set, and those of a queue or a shadow that is not configured. The load driver pushes k6's own names
(`k6_http_reqs_total`, `k6_http_req_duration_p95`, …) by remote write.
";

/// A server, the prefix of its metrics in the sources, and the sources.
const PARTS: [(&str, &str, &[&str]); 3] = [
    (
        "Orchestrator, `GET /metrics` on port 8000",
        "",
        &[
            "crates/orchestrator/src/metrics.rs",
            "crates/job-store/src/redis/mod.rs",
            "crates/service-runtime/src/process.rs",
        ],
    ),
    (
        "Mock detectors, `GET /metrics` on each; all carry `detector`",
        "",
        &["crates/mock-detectors/src/metrics.rs"],
    ),
    (
        "Simulated systems, `GET /metrics` on each; a system's document declares more of its own",
        "sparring_target_",
        &["crates/target-systems/src/serve/metrics.rs"],
    ),
];

/// Labels of the metrics for the state of a system, whose series are made one by one.
const OF_A_STATE: [(&str, &str); 15] = [
    ("instances", "host"),
    ("cpu_busy_seconds_total", "host instance"),
    ("disk_operations_total", "host instance"),
    ("disk_busy_seconds_total", "host instance"),
    ("network_bytes_total", "host instance"),
    ("network_busy_seconds_total", "host instance"),
    ("restarts_total", "host instance"),
    ("cpu_cores", "host instance"),
    ("memory_limit_bytes", "host instance"),
    ("memory_bytes", "host instance part"),
    ("pool_in_use", "pool"),
    ("pool_waiting", "pool"),
    ("pool_timeouts_total", "pool"),
    ("store_entries", "store"),
    ("evicted_total", "store"),
];

#[derive(Debug, PartialEq)]
struct Metric {
    name: String,
    kind: &'static str,
    labels: Vec<String>,
    help: String,
}

pub fn page(root: &Path) -> String {
    let mut page = HEAD.to_owned();
    for (title, prefix, files) in PARTS {
        let metrics = files
            .iter()
            .flat_map(|file| metrics(&source(root, file), prefix));
        let _ = write!(
            page,
            "\n## {title}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n"
        );
        for Metric {
            name,
            kind,
            labels,
            help,
        } in metrics
        {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                page,
                "| `{name}` | {kind} | {} | {help} |",
                labels.join(" ")
            );
        }
    }
    page
}

/// A metric is a name and a help text as neighbouring literals, perhaps followed by a list of
/// labels: the form of every constructor in use.
fn metrics(source: &str, prefix: &str) -> Vec<Metric> {
    let literals = literals(source);
    let mut found = Vec::new();
    for (index, pair) in literals.windows(2).enumerate() {
        let [(name, begin, end), (help, help_begin, help_end)] = pair else {
            continue;
        };
        let between = source[*end..*help_begin].trim();
        if !is_metric(name, prefix) || between != "," || !help.contains(' ') {
            continue;
        }
        let behind = source[*help_end..].trim_start_matches([',', ')', ' ', '\n']);
        let list = behind
            .strip_prefix("&[")
            .and_then(|rest| rest.split(']').next());
        let labels = list.map_or(0, |list| list.matches('"').count() / 2);
        found.push(Metric {
            name: format!("{prefix}{name}"),
            kind: kind(name, &source[..*begin]),
            labels: match OF_A_STATE.iter().find(|(known, _)| known == name) {
                Some((_, labels)) if !prefix.is_empty() => {
                    labels.split_whitespace().map(str::to_owned).collect()
                }
                _ => literals[index + 2..]
                    .iter()
                    .take(labels)
                    .map(|each| each.0.to_owned())
                    .collect(),
            },
            help: one_line(help).replace('|', "\\|"),
        });
    }
    found
}

/// The value of a literal in several lines, without the indentation after a backslash.
fn one_line(literal: &str) -> String {
    let parts = literal.split("\\\n");
    parts.map(str::trim_start).collect()
}

/// If its file has a prefix, a name may be a single word.
fn is_metric(name: &str, prefix: &str) -> bool {
    (name.contains('_') || !prefix.is_empty())
        && !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
}

fn kind(name: &str, before: &str) -> &'static str {
    let call = before.trim_end().trim_end_matches('(');
    let is_histogram = ["histogram", "histograms", "times"]
        .iter()
        .any(|name| call.ends_with(name))
        || name.ends_with("_error_seconds");
    if name.ends_with("_total") {
        "counter"
    } else if is_histogram {
        "histogram"
    } else {
        "gauge"
    }
}

/// String literals outside comments: the text, and begin and end with the quotes.
fn literals(source: &str) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = source[at..].find(['"', '/']) {
        let begin = at + step;
        if source[begin..].starts_with("//") {
            at = begin + source[begin..].find('\n').unwrap_or(source.len() - begin);
        } else if source[begin..].starts_with('"') {
            let Some(length) = source[begin + 1..].find('"') else {
                break;
            };
            let end = begin + length + 2;
            found.push((&source[begin + 1..end - 1], begin, end));
            at = end;
        } else {
            at = begin + 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_with_kind_and_labels() {
        let source = r#"
            // "not_this", "A comment."
            let a = make.counters("a_b_total", "What is counted.", &["x", "y"])?;
            let b = histogram(
                "a_c_ms",
                "Time of it.",
                &BUCKETS,
            )?;
            let c = Opts::new("a_d", "A state."), &["z"];
        "#;
        let found: Vec<_> = metrics(source, "")
            .into_iter()
            .map(|m| (m.name, m.kind, m.labels.join(",")))
            .collect();
        let expected = [
            ("a_b_total", "counter", "x,y"),
            ("a_c_ms", "histogram", ""),
            ("a_d", "gauge", "z"),
        ];
        assert_eq!(
            found,
            expected.map(|(n, k, l)| (n.to_owned(), k, l.to_owned()))
        );
    }
}
