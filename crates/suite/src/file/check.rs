//! Checks that serde cannot do: names that must exist, ranges of numbers, one content per part.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use live_config::read::nearest;
use live_config::{Check, ConfigErrors};

use super::{
    Before, Class, Content, Judge, Ladder, Matrix, Model, Part, Phase, Search, Sink, SuiteFile,
    SystemFault, Test, fault,
};

/// More users or arrivals per second than this are a mistake.
const HIGHEST_LEVEL: f64 = 1e6;

/// Adds every error of the file, each with its path.
pub fn check(file: &SuiteFile, errors: &mut ConfigErrors) {
    for (list, names) in [("default", &file.default), ("all", &file.all)] {
        for (place, name) in names.iter().enumerate() {
            let stands_for_several = list == "default" && (name == "all" || name == "all-tests");
            if !stands_for_several {
                known(
                    &format!("{list}[{place}]"),
                    "test",
                    name,
                    file.tests.keys(),
                    errors,
                );
            }
        }
        if names.is_empty() {
            errors.add(list, "names no test");
        }
    }
    check_addresses(file, errors);
    if let Some(locust) = &file.locust {
        check_users(file, "locust", &locust.users, errors);
    }
    for (name, class) in &file.classes {
        check_class(&format!("classes.{name}"), class, errors);
    }
    for (name, test) in &file.tests {
        if name == "all" || name == "all-tests" {
            errors.add(format!("tests.{name}"), "is a reserved name");
        }
        check_test(file, &format!("tests.{name}"), test, errors);
    }
}

fn known<'a>(
    path: &str,
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'a String> + Clone,
    errors: &mut ConfigErrors,
) {
    if names.clone().any(|known| known == name) {
        return;
    }
    let hint = match nearest(name, names.clone().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.clone().next().is_none() => "none is defined".to_owned(),
        None => format!(
            "known here: {}",
            names.cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    errors.add(path, format!("unknown {what} `{name}`; {hint}"));
}

fn check_class(path: &str, class: &Class, errors: &mut ConfigErrors) {
    let [least, most] = class.wait_s;
    if !(least >= 0.0 && most >= least && most.is_finite()) {
        errors.add(
            format!("{path}.wait_s"),
            "must be two numbers of seconds, the smaller first",
        );
    }
    within(path, errors, |check| {
        check.at_least("weight", class.weight, 1);
    });
}

fn check_test(file: &SuiteFile, path: &str, test: &Test, errors: &mut ConfigErrors) {
    let own = test.contents();
    check_users(file, path, &test.users, errors);
    check_before(path, &test.before, errors);
    check_judge(path, &test.judge, errors);
    check_faults(path, &test.faults, errors);
    if test.parts.is_empty() {
        let model = test.model.unwrap_or(Model::Closed);
        check_contents(path, &own, errors);
        check_has_users(path, test.users.is_empty(), &own, errors);
        own.iter().for_each(|(name, content)| {
            check_content(&format!("{path}.{name}"), content, model, errors);
        });
        return;
    }
    if own.len() > 1 {
        check_contents(path, &own, errors);
    }
    for (name, part) in &test.parts {
        check_part(file, &format!("{path}.parts.{name}"), test, part, errors);
    }
}

fn check_part(file: &SuiteFile, path: &str, test: &Test, part: &Part, errors: &mut ConfigErrors) {
    let own = part.contents();
    let contents = if own.is_empty() { test.contents() } else { own };
    let contents = contents.as_slice();
    let model = part.model.or(test.model).unwrap_or(Model::Closed);
    check_users(file, path, &part.users, errors);
    if let Some(before) = &part.before {
        check_before(path, before, errors);
    }
    if let Some(judge) = &part.judge {
        check_judge(path, judge, errors);
    }
    check_faults(path, &part.faults, errors);
    check_contents(path, contents, errors);
    check_has_users(
        path,
        part.users.is_empty() && test.users.is_empty(),
        contents,
        errors,
    );
    contents.iter().for_each(|(name, content)| {
        check_content(&format!("{path}.{name}"), content, model, errors);
    });
}

fn check_users(file: &SuiteFile, path: &str, users: &[String], errors: &mut ConfigErrors) {
    for (place, name) in users.iter().enumerate() {
        known(
            &format!("{path}.users[{place}]"),
            "user class",
            name,
            file.classes.keys(),
            errors,
        );
    }
    let scripts: BTreeSet<_> = users
        .iter()
        .filter_map(|name| file.classes.get(name))
        .map(|class| &class.script)
        .collect();
    if scripts.len() > 1 {
        errors.add(
            format!("{path}.users"),
            "the classes of a test come from one script",
        );
    }
}

fn check_contents(path: &str, contents: &[(&'static str, Content<'_>)], errors: &mut ConfigErrors) {
    const KINDS: &str = "phases, ladder, search, matrix, samples or drills";
    match contents {
        [] => errors.add(path, format!("has no content; add one of {KINDS}")),
        [_] => {}
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            errors.add(
                path,
                format!(
                    "has {}; exactly one of {KINDS} is expected",
                    names.join(" and ")
                ),
            );
        }
    }
}

fn check_has_users(
    path: &str,
    none: bool,
    contents: &[(&'static str, Content<'_>)],
    errors: &mut ConfigErrors,
) {
    let needs_none = |(_, content): &(_, Content<'_>)| matches!(content, Content::Drills(_));
    if none && !contents.iter().any(needs_none) {
        errors.add(format!("{path}.users"), "names no user class");
    }
}

fn check_before(path: &str, before: &Before, errors: &mut ConfigErrors) {
    if let Some(factor) = before.ageing {
        within(path, errors, |check| {
            check.positive("before.ageing", factor);
        });
    }
}

fn check_judge(path: &str, judge: &Judge, errors: &mut ConfigErrors) {
    if let Some(share) = judge.checks {
        within(path, errors, |check| check.share("judge.checks", share));
    }
}

fn check_faults(path: &str, faults: &IndexMap<String, SystemFault>, errors: &mut ConfigErrors) {
    for (name, fault) in faults {
        fault::check(&format!("{path}.faults.{name}"), fault, errors);
    }
}

fn check_content(path: &str, content: &Content<'_>, model: Model, errors: &mut ConfigErrors) {
    match content {
        Content::Phases(phases) => check_phases(path, phases, model, errors),
        Content::Ladder(ladder) => check_ladder(path, ladder, errors),
        Content::Search(search) => check_search(path, search, errors),
        Content::Matrix(matrix) => check_matrix(path, matrix, errors),
        Content::Samples(samples) => within(path, errors, |check| {
            check.at_least("iterations", samples.iterations, 1);
            check.at_least("users", samples.users, 1);
        }),
        Content::Drills([]) => errors.add(path, "names no drill"),
        Content::Drills(_) => {}
    }
}

fn check_phases(path: &str, phases: &[Phase], model: Model, errors: &mut ConfigErrors) {
    if !phases.iter().any(|phase| matches!(phase, Phase::Ramp(_))) {
        errors.add(path, "has no ramp, so there is no load");
    }
    let mut names = BTreeSet::new();
    for (place, phase) in phases.iter().enumerate() {
        let path = format!("{path}[{place}]");
        if let Phase::Ramp(ramp) = phase {
            within(&format!("{path}.ramp"), errors, |check| {
                check.between("to", ramp.to, 0.0, HIGHEST_LEVEL);
                if let Some(rate) = ramp.at_per_s {
                    check.positive("at_per_s", rate);
                }
            });
            if ramp.at_per_s.is_some() && ramp.lasts.is_some() {
                errors.add(
                    format!("{path}.ramp"),
                    "has a speed and a time; one of at_per_s and for is expected",
                );
            }
            if model == Model::Closed && ramp.to.fract() != 0.0 {
                errors.add(
                    format!("{path}.ramp.to"),
                    "a whole number of users is expected",
                );
            }
        }
        if let Some(name) = name_of(phase)
            && !names.insert(name)
        {
            errors.add(
                path,
                format!("duplicates the name of an earlier phase, `{name}`"),
            );
        }
    }
}

fn name_of(phase: &Phase) -> Option<&str> {
    match phase {
        Phase::WarmUp(it) | Phase::Steady(it) => it.name.as_deref(),
        Phase::Ramp(it) => it.name.as_deref(),
        Phase::RampDown(it) | Phase::Rest(it) => it.name.as_deref(),
    }
}

/// URLs of services; one with a variable is known only when the test runs.
fn check_addresses(file: &SuiteFile, errors: &mut ConfigErrors) {
    if let Some(url) = &file.base_url {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        let uri: Option<http::Uri> = url.parse().ok();
        if !is_http || uri.is_none_or(|uri| uri.host().is_none_or(str::is_empty)) {
            let hint = "use one such as http://127.0.0.1:8080";
            errors.add("base_url", format!("`{url}` is not a URL; {hint}"));
        }
    }
    let mut check = |path: String, url: &str| {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http && !url.starts_with("${") {
            let hint = "use one such as http://127.0.0.1:9090";
            errors.add(path, format!("`{url}` is not a URL; {hint}"));
        }
    };
    if let Some(url) = file.prometheus.as_ref().and_then(|it| it.url.as_deref()) {
        check("prometheus.url".to_owned(), url);
    }
    for (place, sink) in file.alerts.sinks.iter().enumerate() {
        match sink {
            Sink::Webhook { url, .. } => check(format!("alerts.sinks[{place}].webhook.url"), url),
            Sink::Alertmanager { url, .. } => {
                check(format!("alerts.sinks[{place}].alertmanager.url"), url);
            }
            Sink::Log | Sink::File { .. } => {}
        }
    }
}

/// Checks numbers of the part at this path.
fn within(path: &str, errors: &mut ConfigErrors, check: impl FnOnce(&mut Check<'_>)) {
    let mut part = Vec::new();
    check(&mut Check::new(&mut part));
    errors.add_below(path, part);
}

fn check_ladder(path: &str, ladder: &Ladder, errors: &mut ConfigErrors) {
    if ladder.levels.is_empty() {
        errors.add(format!("{path}.levels"), "names no level");
    }
    within(path, errors, |check| {
        let mut levels = check.at("levels");
        for (place, level) in ladder.levels.iter().enumerate() {
            levels.index(place).between("", *level, 0.0, HIGHEST_LEVEL);
        }
        check.positive("at_per_s", ladder.at_per_s);
    });
    if !ladder.levels.is_sorted() {
        errors.add(format!("{path}.levels"), "levels must increase");
    }
}

fn check_search(path: &str, search: &Search, errors: &mut ConfigErrors) {
    within(path, errors, |check| {
        check.positive("from", search.from);
        check.between("until", search.until, 0.0, HIGHEST_LEVEL);
        check.between("precision", search.precision, 0.001, 0.5);
    });
    if search.until <= search.from {
        errors.add(format!("{path}.until"), "is not above `from`");
    }
}

fn check_matrix(path: &str, matrix: &Matrix, errors: &mut ConfigErrors) {
    match (&matrix.search, matrix.each, matrix.levels.is_empty()) {
        (Some(search), ..) => check_search(&format!("{path}.search"), search, errors),
        (None, Some(_), false) => {}
        (None, ..) => errors.add(path, "has no load; give it levels and each, or a search"),
    }
    let axes = matrix.env.values().map(Vec::len);
    let axes = axes.chain(
        matrix
            .set
            .values()
            .flat_map(|set| set.values().map(Vec::len)),
    );
    if matrix.paired && axes.clone().product::<usize>() != matrix.levels.len() {
        errors.add(
            format!("{path}.levels"),
            "must have as many levels as there are cells, because they are paired",
        );
    }
    if axes.clone().any(|values| values == 0) {
        errors.add(path, "has an axis without values");
    }
}
