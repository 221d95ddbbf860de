//! The settings of flags, and of the words of the command line.

use clap::ArgMatches;
use clap::parser::ValueSource;
use suite::builtin::BUILT_IN;

use super::source::{Setting, Source};
use crate::commands::test::{Arguments, Planned};

/// Flags with their names here and in clap, without those that choose tests and load.
const FLAGS: [(&str, &str); 14] = [
    ("config", "--config"),
    ("time_scale", "--time-scale"),
    ("base_url", "--base-url"),
    ("script", "--script"),
    ("results", "--results"),
    ("seed", "--seed"),
    ("pid", "--pid"),
    ("cgroup", "--cgroup"),
    ("prometheus", "--prometheus"),
    ("with_locust", "--with-locust"),
    ("profile", "--profile"),
    ("keep_going", "--keep-going"),
    ("html", "--html"),
    ("quiet", "--quiet"),
];

/// The suite, its tests and classes, and each flag.
pub fn settings(
    matches: Option<&ArgMatches>,
    arguments: &Arguments,
    planned: &Planned,
) -> Vec<Setting> {
    let mut settings = vec![suite(arguments, planned), tests(arguments, planned)];
    let classes = &planned.resolved.selection.classes;
    if !classes.is_empty() {
        let source = Source::Flag("command line".to_owned());
        settings.push(Setting::new("classes", classes.join(", "), source));
    }
    let of_flag = |(id, flag): &(&str, &str)| match (*id, matches) {
        ("base_url", _) => base_url(matches, arguments, planned),
        (_, Some(matches)) => flag_of(matches, id, flag).unwrap_or_else(|| of_file(id, planned)),
        (_, None) => of_file(id, planned),
    };
    settings.extend(FLAGS.iter().map(of_flag));
    settings
}

fn suite(arguments: &Arguments, planned: &Planned) -> Setting {
    let name = planned.resolved.file.suite.clone();
    let source = if arguments.names_suite() {
        Source::Flag("command line".to_owned())
    } else if arguments.otherwise().is_some_and(|system| system == name) {
        Source::Variable("PERF_SYSTEM".to_owned())
    } else {
        Source::Default
    };
    Setting::new("suite", name, source)
}

fn tests(arguments: &Arguments, planned: &Planned) -> Setting {
    let mut names: Vec<&str> = Vec::new();
    for test in &planned.plan.tests {
        if !names.contains(&test.name.as_str()) {
            names.push(&test.name);
        }
    }
    let source = if arguments.names_tests() {
        Source::Flag("command line".to_owned())
    } else {
        suite_file(planned)
    };
    Setting::new("tests", names.join(", "), source)
}

/// The suite file as the source of a value.
pub fn suite_file(planned: &Planned) -> Source {
    let name = &planned.resolved.file.suite;
    let is_built_in =
        planned.resolved.folder.is_none() && BUILT_IN.iter().any(|(it, _)| it == name);
    let kind = if is_built_in {
        "built-in suite"
    } else {
        "suite file of"
    };
    Source::File(format!("{kind} {name}"))
}

/// The value of a flag from the command line or its variable, or else its default.
fn flag_of(matches: &ArgMatches, id: &str, flag: &str) -> Option<Setting> {
    let source = match matches.value_source(id)? {
        ValueSource::CommandLine => Source::Flag(flag.to_owned()),
        ValueSource::EnvVariable => Source::Variable(variable_of(id).to_owned()),
        _ => Source::Default,
    };
    let raw = matches.get_raw(id)?;
    let value: Vec<String> = raw
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    // clap reports a switch that was not given.
    Some(Setting::new(id, value.join(", "), source))
}

fn variable_of(id: &str) -> &'static str {
    match id {
        "config" => "SPARRING_CONFIG",
        _ => "PERF_BASE_URL",
    }
}

fn base_url(matches: Option<&ArgMatches>, arguments: &Arguments, planned: &Planned) -> Setting {
    let given = matches
        .and_then(|matches| flag_of(matches, "base_url", "--base-url"))
        .filter(|setting| setting.value.as_deref().is_some_and(|url| !url.is_empty()));
    let of_locust = || {
        let url = arguments.base_url()?;
        let source = Source::Variable("LOCUST_HOST".to_owned());
        Some(Setting::new("base_url", url, source))
    };
    let of_suite = || {
        let url = planned.resolved.file.base_url.clone()?;
        Some(Setting::new("base_url", url, suite_file(planned)))
    };
    given
        .or_else(of_locust)
        .or_else(of_suite)
        .unwrap_or_else(|| {
            Setting::unset("base_url").about("the system under test is started in this process")
        })
}

/// The setting of the suite file, if no flag sets it.
fn of_file(id: &str, planned: &Planned) -> Setting {
    use suite::file::Resources;

    let file = &planned.resolved.file;
    let value = match (id, &file.resources) {
        ("pid", Some(Resources::Pid(pid))) => Some(pid.to_string()),
        ("cgroup", Some(Resources::Cgroup(name))) => Some(name.display().to_string()),
        ("prometheus", _) => file.prometheus.as_ref().and_then(|it| it.url.clone()),
        _ => None,
    };
    match (id, value) {
        (_, Some(value)) => Setting::new(id, value, suite_file(planned)),
        ("time_scale", None) => Setting::new(id, "1", Source::Default),
        ("with_locust" | "keep_going" | "quiet", None) => {
            Setting::new(id, "false", Source::Default)
        }
        (_, None) => Setting::unset(id),
    }
}
