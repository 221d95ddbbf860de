//! One closed test of several classes, as a command line of Locust makes it, whatever parts the test has.

use super::EffectivePart;
use super::select::parts;
use crate::file::{Content, Model, SuiteFile};

/// A test without its parts: what is judged, prepared and set comes from the closed part of phases that has exactly these
/// classes, else from the first one. `None`: there is no such part.
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

/// Whether one of those parts has all of these classes among its own.
pub(crate) fn has_all(file: &SuiteFile, name: &str, classes: &[String]) -> bool {
    let has = |part: &EffectivePart<'_>| classes.iter().all(|class| part.users.contains(&class));
    closed(file, name).iter().any(has)
}

/// The parts of a test whose users Locust could have.
fn closed<'a>(file: &'a SuiteFile, name: &'a str) -> Vec<EffectivePart<'a>> {
    let mut parts = parts(file, name, false);
    parts.retain(|part| part.model == Model::Closed && matches!(part.content, Content::Phases(_)));
    parts
}

/// Whether there is such a part.
pub(crate) fn can_be(file: &SuiteFile, name: &str) -> bool {
    !closed(file, name).is_empty()
}
