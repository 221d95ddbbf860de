//! Warnings about valid but probably unintended plans.

use super::{Kind, Plan, PlannedTest};

/// Starting a larger share of the users per second hides how the system ramps.
const FASTEST_RAMP: f64 = 0.2;
/// A shorter steady phase seldom shows a steady state.
const SHORTEST_STEADY_S: f64 = 600.0;

/// The usual length of the tests of a category, in minutes.
struct Category {
    test: &'static str,
    least: f64,
    most: f64,
    id: &'static str,
}

const fn category(test: &'static str, [least, most]: [f64; 2], id: &'static str) -> Category {
    Category {
        test,
        least,
        most,
        id,
    }
}

const GENERAL: [Category; 5] = [
    category("benchmark", [1.0, 5.0], "AIA-02"),
    category("load", [10.0, 30.0], "AIA-03"),
    category("stress", [30.0, 60.0], "AIA-04"),
    category("spike", [5.0, 15.0], "AIA-05"),
    category("volume", [30.0, 120.0], "AIA-06"),
];
const ACIS: [Category; 3] = [
    category("load", [10.0, 30.0], "ACIS-05"),
    category("stress", [5.0, 15.0], "ACIS-06"),
    category("background", [30.0, 60.0], "ACIS-07"),
];

/// The categories of a suite: those of its own document, or none if the document has lengths but no
/// categories.
fn categories(suite: &str) -> &'static [Category] {
    match suite {
        "acis" => &ACIS,
        "orchestrator" | "acso" | "agent360" => &[],
        _ => &GENERAL,
    }
}

/// Warnings about a plan, one line each.
pub fn lint(plan: &Plan) -> Vec<String> {
    let mut remarks: Vec<String> = plan.tests.iter().flat_map(remarks_on).collect();
    remarks.extend(
        categories(&plan.suite)
            .iter()
            .filter_map(|it| outside(plan, it)),
    );
    if plan.time_scale < 1.0 {
        remarks.push(format!(
            "times are multiplied by {}; the result cannot become a baseline",
            plan.time_scale
        ));
    }
    remarks
}

/// Warns of a test that is shorter or longer than its category. A test of samples has no length, and a scaled one not
/// its own.
fn outside(plan: &Plan, category: &Category) -> Option<String> {
    let parts = plan.tests.iter().filter(|it| it.name == category.test);
    let ends = parts.map(|it| it.phases.last().map(|phase| phase.end_s));
    let ends: Option<Vec<f64>> = ends.collect();
    let minutes = ends?.into_iter().sum::<f64>() / 60.0;
    let Category {
        test,
        least,
        most,
        id,
    } = category;
    let is_outside = minutes > 0.0 && !(*least..=*most).contains(&minutes);
    (is_outside && plan.time_scale >= 1.0).then(|| {
        let minutes = (minutes * 10.0).round() / 10.0;
        format!(
            "{test}: lasts {minutes} minutes; tests of this category take {least} to {most} ({id})"
        )
    })
}

fn remarks_on(test: &PlannedTest) -> Vec<String> {
    let name = test.label();
    let mut remarks = Vec::new();
    let mut level = 0.0_f64;
    for phase in &test.phases {
        let (to, seconds) = (phase.level(), phase.length().as_secs_f64());
        let change = (to - level).abs();
        if phase.kind == Kind::Ramp && change > FASTEST_RAMP * to.max(level) * seconds.max(1.0) {
            let speed = match change / seconds {
                per_s if per_s.is_finite() => format!("{per_s:.0} per second"),
                _ => format!("{change:.0} at once"),
            };
            remarks.push(format!(
                "{name}: {} changes the load by {speed}, more than 20 % of it",
                phase.name
            ));
        }
        level = to;
    }
    let steady: f64 = judged(test).sum();
    // Half a second of a start is not a shorter test.
    if steady > 0.0 && steady.round() < SHORTEST_STEADY_S {
        remarks.push(format!(
            "{name}: {steady:.0} s of judged load; at least ten minutes are recommended for a steady state"
        ));
    }
    remarks
}

fn judged(test: &PlannedTest) -> impl Iterator<Item = f64> + '_ {
    let phases = test.phases.iter().filter(|phase| phase.judged);
    phases.map(|phase| phase.end_s - phase.begin_s)
}

impl PlannedTest {
    /// The test's name with its part and cell, as in `scalability/instances model.instances=2`.
    pub fn label(&self) -> String {
        let mut label = self.name.clone();
        if let Some(part) = &self.part {
            label = format!("{label}/{part}");
        }
        for (name, value) in &self.cell {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            label = format!("{label} {name}={value}");
        }
        label
    }
}
