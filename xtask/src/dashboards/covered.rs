//! Every metric of docs/METRICS.md is shown by a panel, or there is a reason that it is not.

use std::collections::BTreeSet;

use super::board::Dashboard;
use super::promql;

/// Metrics without a panel, with the reasons. An entry that is not needed is a finding.
const WITHOUT_PANEL: [(&str, &str); 3] = [
    (
        "sparring_mock_revision",
        "the number of a configuration, which the admin API shows with its content",
    ),
    (
        "sparring_target_revision",
        "the number of a document, which the admin API shows with its content",
    ),
    (
        "sparring_mock_journal_evicted",
        "for readers of the journal; the admin API reports the missing entries",
    ),
];

/// The differences between the page and the dashboards.
pub fn check(page: &str, boards: &[Dashboard]) -> Vec<String> {
    check_with(page, boards, &WITHOUT_PANEL)
}

fn check_with(page: &str, boards: &[Dashboard], exceptions: &[(&str, &str)]) -> Vec<String> {
    let shown: BTreeSet<String> = boards
        .iter()
        .flat_map(Dashboard::queries)
        .flat_map(|(_, query)| promql::selectors(query))
        .map(|selector| metric(&selector).to_owned())
        .collect();
    let listed: Vec<&str> = page.lines().filter_map(name).collect();
    let mut found = Vec::new();
    if listed.is_empty() {
        found.push("docs/METRICS.md lists no metric".to_owned());
    }
    for name in &listed {
        let excused = exceptions.iter().any(|(exception, _)| exception == name);
        match (shown.contains(*name), excused) {
            (false, false) => found.push(format!("{name} has no panel in any dashboard")),
            (true, true) => found.push(format!("{name} has a panel: remove its exception")),
            _ => {}
        }
    }
    let unknown = exceptions.iter().filter(|(name, _)| !listed.contains(name));
    found.extend(unknown.map(|(name, _)| format!("{name} is excused, but not in docs/METRICS.md")));
    found
}

/// The name in a row of the page's tables.
fn name(row: &str) -> Option<&str> {
    let (name, _) = row.strip_prefix("| `")?.split_once('`')?;
    Some(name)
}

/// The metric that a series belongs to: a histogram has series with endings of their own.
fn metric(selector: &str) -> &str {
    let name = selector.split('{').next().unwrap_or_default();
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::{Dashboard, parse};

    const PAGE: &str = "\
## A server\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n\
| `a_total` | counter | `x` | A. |\n| `b_ms` | histogram |  | B. |\n| `c` | gauge |  | C. |\n";

    fn board(queries: &[&str]) -> Dashboard {
        let targets: Vec<_> = queries.iter().map(|it| json!({"expr": it})).collect();
        parse(
            "b",
            &json!({"panels": [{"title": "t", "targets": targets}]}),
        )
    }

    fn check(queries: &[&str], exceptions: &[(&str, &str)], expected: &[&str]) {
        let found = super::check_with(PAGE, &[board(queries)], exceptions);
        assert_eq!(found, expected, "{queries:?}");
    }

    #[test]
    fn a_metric_without_a_panel_is_named() {
        let shown = [
            "sum(rate(a_total[1m]))",
            "histogram_quantile(0.5, b_ms_bucket)",
        ];
        check(&shown, &[], &["c has no panel in any dashboard"]);
        check(&shown, &[("c", "why")], &[]);
        check(
            &["a_total_more / c"],
            &[("b_ms", "why")],
            &["a_total has no panel in any dashboard"],
        );
    }

    #[test]
    fn an_exception_that_is_not_needed_is_named() {
        let shown = ["a_total", "b_ms_sum", "c"];
        let outdated = ["a_total has a panel: remove its exception"];
        check(&shown, &[("a_total", "why")], &outdated);
        let unknown = ["d is excused, but not in docs/METRICS.md"];
        check(&shown, &[("d", "why")], &unknown);
    }

    #[test]
    fn every_metric_of_the_page_has_a_panel_or_a_reason() {
        let root = crate::root();
        let boards = super::super::board::read_all(&root.join("grafana/dashboards"));
        let page = std::fs::read_to_string(root.join("docs/METRICS.md")).expect("the page exists");
        let found = super::check(&page, &boards.expect("dashboards that can be read"));
        assert_eq!(found, Vec::<String>::new());
    }
}
