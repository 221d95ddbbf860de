//! One closed test of several classes, as on a command line of Locust, whatever parts the test has.

use super::EffectivePart;
use super::select::parts;
use crate::file::{Content, Model, SuiteFile};

/// A test without its parts: requirements, preparation and variables come from the closed part of phases with exactly
/// these classes, otherwise from the first closed part of phases. `None`: there is no such part.
pub(super) fn of<'a>(
    file: &'a SuiteFile,
    name: &'a str,
    classes: &[&'a String],
) -> Option<EffectivePart<'a>> {
    let mut closed = closed(file, name);
    let own = closed.iter().position(|part| part.users == classes);
    let whole = closed.drain(..).nth(own.unwrap_or(0))?;
    Some(EffectivePart {
        part: None,
        ..whole
    })
}

/// Whether a test has a closed part of phases of exactly these classes.
pub(crate) fn is_of(file: &SuiteFile, name: &str, classes: &[String]) -> bool {
    let mut closed = closed(file, name).into_iter();
    closed.any(|part| part.users.iter().copied().eq(classes))
}

/// Whether one of those parts includes all of these classes.
pub(crate) fn has_all(file: &SuiteFile, name: &str, classes: &[String]) -> bool {
    let has = |part: &EffectivePart<'_>| classes.iter().all(|class| part.users.contains(&class));
    closed(file, name).iter().any(has)
}

/// The parts of a test that Locust could run.
fn closed<'a>(file: &'a SuiteFile, name: &'a str) -> Vec<EffectivePart<'a>> {
    let mut parts = parts(file, name, false);
    parts.retain(|part| part.model == Model::Closed && matches!(part.content, Content::Phases(_)));
    parts
}

/// Whether a test has such a part.
pub(crate) fn can_be(file: &SuiteFile, name: &str) -> bool {
    !closed(file, name).is_empty()
}
