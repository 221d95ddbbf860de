//! `--dry`: a plan as a table.

use report::record::LoadModel;
use suite::plan::{Plan, PlannedTest, lint};
use suite::preflight::files_of;

use crate::terminal::say;

/// Prints how the command line was understood and the plan, then remarks on it. Without a `url`, the system is started
/// in this process.
pub fn print(plan: &Plan, understood: &str, url: Option<&str>) {
    let system = match (url, &plan.system) {
        (Some(url), _) => url.to_owned(),
        (None, Some(name)) => format!("the simulated system {name}"),
        (None, None) => "the orchestrator with mock detectors".to_owned(),
    };
    say!(
        "suite {}, {system}, time scale {}",
        plan.suite,
        plan.time_scale
    );
    say!("understood as {understood}");
    for test in &plan.tests {
        print_test(test);
    }
    let longest: f64 = plan.tests.iter().map(|test| test.longest_s).sum();
    say!(
        "{}, at most {} without the pauses between them",
        match plan.tests.len() {
            1 => "1 test".to_owned(),
            several => format!("{several} tests"),
        },
        time(longest)
    );
    for remark in lint(plan).into_iter().chain(files_of(plan, url.is_none())) {
        say!("remark: {remark}");
    }
}

fn print_test(test: &PlannedTest) {
    let classes: Vec<String> = test
        .classes
        .iter()
        .map(|class| match peak(test, &class.name) {
            Some(users) if test.classes.len() > 1 => format!("{} {users}", class.name),
            _ => class.name.clone(),
        })
        .collect();
    say!(
        "\n{}  {} {}  {}",
        test.label(),
        test.model,
        test.content,
        classes.join(", ")
    );
    for phase in &test.phases {
        let level = match (phase.users, phase.rate_per_s) {
            (Some(users), _) => format!("{users} users"),
            (None, Some(rate)) => format!("{rate}/s"),
            (None, None) => String::new(),
        };
        let judged = if phase.judged { "judged" } else { "" };
        let (begin, end) = (time(phase.begin_s), time(phase.end_s));
        say!(
            "  {begin:>9} - {end:<9}  {:16}  {level:>12}  {judged}",
            phase.name
        );
    }
    if let Some(search) = &test.search {
        let (from, until, each) = (search.from, search.until, time(search.each_s));
        say!(
            "  search of {} from {from} to {until}, {each} a step, at most {} steps",
            search.of,
            search.most_steps
        );
    }
    for drill in &test.drills {
        say!("  drill {}", drill.display());
    }
    for fault in &test.faults {
        let (lasts, within) = (time(fault.for_s), time(fault.recover_within_s));
        say!("  fault {}, {lasts}, recovery within {within}", fault.name);
    }
}

/// The maximum number of users of a class, by its scenario.
fn peak(test: &PlannedTest, class: &str) -> Option<u64> {
    let stages = test.options["scenarios"][class]["stages"].as_array()?;
    let targets = stages.iter().filter_map(|stage| stage["target"].as_u64());
    targets.max().filter(|_| test.model == LoadModel::Closed)
}

/// `12.5s`, `10m`, `1h10m`.
fn time(seconds: f64) -> String {
    let whole = seconds.floor() as u64;
    let (hours, minutes, rest) = (
        whole / 3600,
        whole / 60 % 60,
        seconds - (whole / 60 * 60) as f64,
    );
    let rest = (rest * 10.0).round() / 10.0;
    let mut text = String::new();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if rest > 0.0 || text.is_empty() {
        text.push_str(&format!("{rest}s"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_only_the_units_that_they_need() {
        for (seconds, text) in [
            (0.0, "0s"),
            (12.5, "12.5s"),
            (600.0, "10m"),
            (4200.0, "1h10m"),
            (3601.0, "1h1s"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
