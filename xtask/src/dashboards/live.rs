//! Checks on a running stack after load and a fault: every query and every rule has data and no errors.

use serde_json::Value;

use super::board::Dashboard;
use super::{http, promql};

/// Every query without data and every rule with an error.
pub fn check(address: &str, boards: &[&Dashboard], absent: &[String]) -> Vec<String> {
    let mut found: Vec<String> = boards
        .iter()
        .flat_map(|board| check_board(address, board))
        .collect();
    match rules(address) {
        Ok(rules) if rules.is_empty() => found.push("no rules are loaded".to_owned()),
        Ok(rules) => found.extend(
            rules
                .iter()
                .flat_map(|rule| check_rule(address, rule, absent)),
        ),
        Err(error) => found.push(error),
    }
    let there = absent
        .iter()
        .filter(|metric| ask_over_time(address, metric).is_none());
    found.extend(there.map(|metric| format!("{metric} is exported: remove --absent")));
    found
}

fn check_board(address: &str, board: &Dashboard) -> Vec<String> {
    let variables = &board.variables;
    let mut found = Vec::new();
    for (title, query) in board.queries() {
        let fault = ask_over_time(address, &promql::expand(query, variables));
        found.extend(fault.map(|fault| format!("{}: {title:?} {fault}: {query}", board.name)));
    }
    // An annotation may be absent, but not the metrics of its query.
    let marks = board
        .annotations
        .iter()
        .flat_map(|query| promql::selectors(query));
    let offered = board
        .variables
        .iter()
        .filter_map(|variable| variable.metric.clone());
    for series in marks.chain(offered) {
        let fault = ask_over_time(address, &promql::expand(&series, variables));
        found.extend(fault.map(|fault| format!("{}: {fault}: {series}", board.name)));
    }
    found
}

struct Rule {
    name: String,
    query: String,
    health: String,
    error: String,
}

fn rules(address: &str) -> Result<Vec<Rule>, String> {
    let answer = http::get(address, "/api/v1/rules", &[])?;
    let groups = answer["data"]["groups"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let all = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all
        .map(|rule| Rule {
            name: text(&rule["name"]),
            query: text(&rule["query"]),
            health: text(&rule["health"]),
            error: text(&rule["lastError"]),
        })
        .collect())
}

/// The expression of an alert is empty while all is well, but the series that it reads are not.
fn check_rule(address: &str, rule: &Rule, absent: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if rule.health != "ok" {
        found.push(format!(
            "rule {} is {}: {}",
            rule.name, rule.health, rule.error
        ));
    }
    for selector in promql::selectors(&rule.query) {
        // An outcome that has not occurred yet has no series, but its metric has.
        let metric = selector.split('{').next().unwrap_or_default();
        if absent.iter().any(|name| name == metric) {
            continue;
        }
        let fault = ask_over_time(address, metric);
        found.extend(fault.map(|fault| format!("rule {} {fault}: {selector}", rule.name)));
    }
    found
}

/// Queries the last quarter of an hour, as a dashboard does. Returns `None` if there is data.
fn ask_over_time(address: &str, query: &str) -> Option<String> {
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (begin, end) = ((now - 900).to_string(), now.to_string());
    let question = [
        ("query", query),
        ("start", &*begin),
        ("end", &*end),
        ("step", "5"),
    ];
    match http::get(address, "/api/v1/query_range", &question) {
        Err(error) => Some(error),
        Ok(answer) if answer["status"] != "success" => Some(format!("errs ({})", answer["error"])),
        Ok(answer) => judge(&answer["data"]["result"]),
    }
}

/// Whether there is a number; a quotient of zeros is not one.
fn judge(result: &Value) -> Option<String> {
    let series = result.as_array().map_or(&[][..], Vec::as_slice);
    let values = series
        .iter()
        .flat_map(|one| one["values"].as_array().into_iter().flatten());
    let mut numbers = values.filter_map(|pair| pair[1].as_str()?.parse::<f64>().ok());
    match numbers.any(|number| !number.is_nan()) {
        true => None,
        false if series.is_empty() => Some("has no data".to_owned()),
        false => Some("has no number, only NaN".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn nothing_and_nan_are_no_data() {
        let value = |number: &str| json!([{"metric": {}, "values": [[0, number]]}]);
        assert!(super::judge(&json!([])).is_some());
        assert!(super::judge(&value("NaN")).is_some());
        assert_eq!(super::judge(&value("0")), None);
    }
}
