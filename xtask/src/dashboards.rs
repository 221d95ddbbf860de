//! Checks of dashboards and rules: the form of every panel, a panel for every metric, metrics that runs send and, with a
//! running Prometheus, data for every query and every rule.

mod board;
mod covered;
mod driver;
mod http;
mod lint;
mod live;
mod promql;

use std::path::Path;

use clap::Args;

use board::Dashboard;

#[derive(Debug, Default, Args)]
pub struct Arguments {
    /// Also run every query and check every rule on this Prometheus, such as `127.0.0.1:9090`
    #[arg(long, value_name = "HOST:PORT")]
    prometheus: Option<String>,
    /// Omit dashboards by file name, such as `load-test-results` if no driver has run
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Rules may read this metric although it is not exported yet; once it is, the option is a finding
    #[arg(long, value_name = "METRIC")]
    absent: Vec<String>,
}

/// Prints the findings. Returns whether there are none.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    let boards = match board::read_all(&root.join("grafana/dashboards")) {
        Ok(boards) => boards,
        Err(error) => return print(&[error]),
    };
    let mut found: Vec<String> = boards.iter().flat_map(lint::check).collect();
    match std::fs::read_to_string(root.join("docs/METRICS.md")) {
        Ok(page) => found.extend(covered::check(&page, &boards)),
        Err(error) => found.push(format!("docs/METRICS.md: {error}")),
    }
    found.extend(driver::check_all(root, &boards));
    if let Some(address) = &arguments.prometheus {
        let chosen: Vec<&Dashboard> = boards
            .iter()
            .filter(|board| !arguments.without.contains(&board.name))
            .collect();
        found.extend(live::check(address, &chosen, &arguments.absent));
        let queries: usize = chosen.iter().map(|board| board.queries().count()).sum();
        println!("dashboards: {queries} queries sent to {address}");
    }
    print(&found)
}

fn print(found: &[String]) -> bool {
    for finding in found {
        println!("dashboards: {finding}");
    }
    found.is_empty()
}

#[cfg(test)]
mod tests {
    /// DET-27, ACIS-21.
    #[test]
    fn the_dashboards_keep_the_rules_of_form() {
        let boards = super::board::read_all(&crate::root().join("grafana/dashboards"))
            .expect("dashboards that can be read");
        assert!(boards.len() >= 4, "only {} dashboards", boards.len());
        let found: Vec<String> = boards.iter().flat_map(super::lint::check).collect();
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_alert_has_a_unit_test_in_which_it_fires() {
        let read = |file: &str| {
            let path = crate::root().join("prometheus/rules").join(file);
            std::fs::read_to_string(path).expect("a rule file")
        };
        let (alerts, tests) = (read("alerts.yml"), read("tests/alerts_test.yml"));
        // The text of a test between the names of two alerts.
        let tried: Vec<&str> = tests.split("alertname: ").skip(1).collect();
        let names: Vec<&str> = alerts
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- alert: "))
            .collect();
        assert!(names.len() >= 10, "{names:?}");
        for name in names {
            let fires = |it: &&&str| it.lines().next() == Some(name) && it.contains("exp_labels");
            assert!(
                tried.iter().find(fires).is_some(),
                "{name} is never seen to fire"
            );
        }
    }
}
