//! Users, spawn rate and length of each test, and the performance targets of the orchestrator.

use report::record::LoadModel;
use suite::file::Overrides;
use suite::plan::{Kind, PlannedPhase, PlannedTest};

use super::flags::suite_file;
use super::source::{Setting, Source};
use crate::commands::test::{Arguments, Planned};
use crate::environment;

pub fn settings(arguments: &Arguments, planned: &Planned) -> Vec<Setting> {
    let mut settings: Vec<Setting> = planned
        .plan
        .tests
        .iter()
        .filter(|test| !test.phases.is_empty())
        .flat_map(|test| of_test(test, arguments, planned))
        .collect();
    settings.extend(targets(planned));
    settings
}

fn of_test(test: &PlannedTest, arguments: &Arguments, planned: &Planned) -> Vec<Setting> {
    let load = &planned.resolved.selection.load;
    let nothing = Overrides::default();
    let file = &planned.resolved.file;
    let overrides = file
        .tests
        .get(&test.name)
        .map_or(&nothing, |test| &test.overrides);
    let source = |flag: Option<&str>, names: &[String]| -> Source {
        if let Some(flag) = flag {
            return Source::Flag(flag.to_owned());
        }
        let set = names.iter().find(|name| environment::is_set(name));
        match set.map_or_else(|| stress(test), |name| Some(name.clone())) {
            Some(name) => Source::Variable(name),
            None => suite_file(planned),
        }
    };
    let level = test
        .phases
        .iter()
        .map(PlannedPhase::level)
        .fold(0.0, f64::max);
    let length = test.phases.last().map_or(0.0, |phase| phase.end_s);
    let label = test.label();
    let what = if test.model == LoadModel::Open {
        "rate_per_s"
    } else {
        "users"
    };
    let scaled = arguments.is_scaled();
    let length = Setting::new(
        format!("{label}: length_s"),
        number(length),
        source(load.run_time.map(|_| "--run-time"), &overrides.duration),
    );
    let mut settings = vec![
        Setting::new(
            format!("{label}: {what}"),
            number(level),
            source(load.users.map(|_| "--users"), &overrides.users),
        ),
        if scaled {
            length.about("multiplied by --time-scale")
        } else {
            length
        },
    ];
    let ramp = test
        .phases
        .iter()
        .find(|phase| phase.kind == Kind::Ramp && phase.end_s > phase.begin_s);
    if let Some(ramp) = ramp.filter(|_| test.model == LoadModel::Closed) {
        let rate = ramp.level() / (ramp.end_s - ramp.begin_s);
        settings.push(Setting::new(
            format!("{label}: spawn_rate"),
            number(rate),
            source(
                load.spawn_rate.map(|_| "--spawn-rate"),
                &overrides.spawn_rate,
            ),
        ));
    }
    settings
}

/// The variables of the orchestrator's stress test.
fn stress(test: &PlannedTest) -> Option<String> {
    let names = [
        "K6_STRESS_PEAK_VUS",
        "K6_STRESS_START_VUS",
        "K6_STRESS_DURATION",
    ];
    let name = names.into_iter().find(|name| environment::is_set(name))?;
    (test.name == "stress").then(|| name.to_owned())
}

/// The performance targets of the orchestrator.
fn targets(planned: &Planned) -> Vec<Setting> {
    let Some(fleet) = &planned.fleet else {
        return Vec::new();
    };
    let targets = &fleet.performance_targets;
    let of_fleet = || match &fleet.path {
        Some(path) => Source::File(format!("fleet file {}", path.display())),
        None => Source::Default,
    };
    let target = |name: &str, variable: &str, value: f64| match environment::nonempty_text(variable)
    {
        Some(text) => Setting::new(name, text, Source::Variable(variable.to_owned())),
        None => Setting::new(name, number(value), of_fleet()),
    };
    vec![
        target(
            "p95_response_time_ms",
            "PERF_P95_RESPONSE_TIME_MS",
            targets.p95_response_time_ms as f64,
        ),
        target("success_rate", "PERF_SUCCESS_RATE", targets.success_rate),
        target(
            "throughput_rps",
            "PERF_THROUGHPUT_RPS",
            targets.throughput_rps,
        ),
    ]
}

/// At most three decimals.
fn number(value: f64) -> String {
    ((value * 1e3).round() / 1e3).to_string()
}
