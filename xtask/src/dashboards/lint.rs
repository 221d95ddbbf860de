//! Rules of form, most of them those of Grafana's own dashboard linter.

use super::board::{Dashboard, Panel};

/// The version of Grafana 10; older dashboards are rewritten when they are opened.
const OLDEST_SCHEMA: u64 = 36;

/// The panels of Grafana that show queries.
const KINDS: [&str; 11] = [
    "bargauge",
    "barchart",
    "gauge",
    "heatmap",
    "histogram",
    "piechart",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "timeseries",
];

/// Grafana's list of alerts, which takes its rules from all data sources and has no query.
const ALERT_LIST: &str = "alertlist";

/// Every violation of a rule, with dashboard and panel.
pub fn check(board: &Dashboard) -> Vec<String> {
    let mut found = Vec::new();
    if board.editable {
        found.push("is editable: changes that are saved there are lost".to_owned());
    }
    if !board
        .variables
        .iter()
        .any(|variable| variable.kind == "datasource")
    {
        found.push("has no variable for its data source".to_owned());
    }
    if board.schema_version < OLDEST_SCHEMA {
        found.push("is written in a form that Grafana has to migrate".to_owned());
    }
    for (place, panel) in board.panels.iter().enumerate() {
        let mut faults = check_panel(board, panel);
        let others = &board.panels[..place];
        faults.extend(others.iter().filter_map(|other| collision(panel, other)));
        found.extend(
            faults
                .iter()
                .map(|fault| format!("{:?} {fault}", panel.title)),
        );
    }
    found
        .iter()
        .map(|fault| format!("{}: {fault}", board.name))
        .collect()
}

/// Two panels that overlap.
fn collision(panel: &Panel, other: &Panel) -> Option<String> {
    let ([x, y, w, h], [x2, y2, w2, h2]) = (panel.place, other.place);
    if panel.id == other.id {
        return Some(format!("has the number of {:?}", other.title));
    }
    let overlap = x < x2 + w2 && x2 < x + w && y < y2 + h2 && y2 < y + h;
    overlap.then(|| format!("lies over {:?}", other.title))
}

fn check_panel(board: &Dashboard, panel: &Panel) -> Vec<String> {
    let mut found = Vec::new();
    let mut rule = |broken: bool, fault: &str| {
        if broken {
            found.push(fault.to_owned());
        }
    };
    rule(panel.title.is_empty(), "has no title");
    let is_alert_list = panel.kind == ALERT_LIST;
    rule(
        !KINDS.contains(&panel.kind.as_str()) && !is_alert_list,
        "is of a kind that Grafana does not have",
    );
    let [left, _, width, height] = panel.place;
    rule(width == 0 || height == 0, "has no size");
    rule(left + width > 24, "is wider than the grid");
    rule(panel.description.is_empty(), "has no description");
    if !is_alert_list {
        rule(panel.unit.is_empty(), "has no unit");
        rule(panel.queries.is_empty(), "asks nothing");
        rule(!panel.by_variable, "has a fixed data source");
    }
    for query in &panel.queries {
        rule(query.is_empty(), "has an empty query");
        rule(
            has_fixed_range(query),
            "has a range other than $__rate_interval",
        );
        rule(
            averages_quantile(query),
            "averages quantiles, which is meaningless",
        );
        rule(
            query.contains("_total") && !query.contains("rate(") && !query.contains("increase("),
            "shows a counter without rate",
        );
    }
    for query in &panel.queries {
        for name in variables(query) {
            let known = board.variables.iter().any(|variable| variable.name == name);
            if !known && name != "__rate_interval" {
                found.push(format!("uses ${name}, which is not a variable"));
            }
        }
    }
    found
}

fn has_fixed_range(query: &str) -> bool {
    query
        .split('[')
        .skip(1)
        .any(|rest| !rest.starts_with("$__rate_interval]"))
}

/// `avg` over a quantile, which is one by its function or its name.
fn averages_quantile(query: &str) -> bool {
    let Some(at) = query.find("avg") else {
        return false;
    };
    let behind = &query[at..];
    ["histogram_quantile", "_p5", "_p9", ":p5", ":p9"]
        .iter()
        .any(|sign| behind.contains(sign))
}

/// Names after `$` in a query.
fn variables(query: &str) -> impl Iterator<Item = &str> {
    query.split('$').skip(1).map(|rest| {
        let rest = rest.trim_start_matches('{');
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::parse;

    fn check(query: &str, fault: Option<&str>) {
        let source = json!({"uid": "${datasource}"});
        let board = json!({
            "editable": false,
            "schemaVersion": 39,
            "templating": {"list": [
                {"name": "datasource", "type": "datasource"},
                {"name": "detector", "type": "query", "definition": "label_values(up, detector)"},
            ]},
            "panels": [{
                "id": 1, "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
                "title": "t", "type": "timeseries", "description": "d", "datasource": source,
                "fieldConfig": {"defaults": {"unit": "ms"}},
                "targets": [{"expr": query, "datasource": source}],
            }],
        });
        let found = super::check(&parse("b", &board));
        match fault {
            Some(fault) => assert!(found.iter().any(|f| f.contains(fault)), "{found:?}"),
            None => assert_eq!(found, Vec::<String>::new()),
        }
    }

    #[test]
    fn a_sound_panel_passes() {
        check(
            r#"sum(rate(a_total{detector=~"$detector"}[$__rate_interval]))"#,
            None,
        );
    }

    #[test]
    fn panels_that_cannot_be_shown_are_found() {
        let panel = |id, x, kind| json!({"id": id, "gridPos": {"x": x, "y": 0, "w": 12, "h": 8}, "title": id, "type": kind});
        for (second, fault) in [
            (panel(1, 12, "stat"), "has the number of"),
            (panel(2, 6, "stat"), "lies over"),
            (panel(2, 18, "stat"), "wider than the grid"),
            (panel(2, 12, "graph"), "of a kind"),
        ] {
            let board = json!({"schemaVersion": 21, "panels": [panel(1, 0, "stat"), second]});
            let found = super::check(&parse("b", &board));
            assert!(found.iter().any(|it| it.contains(fault)), "{found:?}");
            assert!(found.iter().any(|it| it.contains("migrate")), "{found:?}");
        }
    }

    #[test]
    fn a_list_of_alerts_has_no_query() {
        let board = json!({
            "editable": false,
            "schemaVersion": 39,
            "templating": {"list": [{"name": "datasource", "type": "datasource"}]},
            "panels": [{
                "id": 1, "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
                "title": "t", "type": "alertlist", "description": "d",
            }],
        });
        assert_eq!(super::check(&parse("b", &board)), Vec::<String>::new());
    }

    #[test]
    fn a_fixed_range_is_found() {
        check("sum(rate(a_total[1m]))", Some("a range other"));
    }

    #[test]
    fn averaged_quantiles_are_found() {
        check(
            "avg by (name) (k6_http_req_duration_p95)",
            Some("averages quantiles"),
        );
        check(
            "avg(histogram_quantile(0.9, a))",
            Some("averages quantiles"),
        );
    }

    #[test]
    fn a_bare_counter_is_found() {
        check("sum(a_total)", Some("without rate"));
    }

    #[test]
    fn an_unknown_variable_is_found() {
        check(r#"a{x="$tenant"}"#, Some("uses $tenant"));
    }
}
