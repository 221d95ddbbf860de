//! Files of a crate that use each other in a circle: none of them can be understood alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::modules::{ModulePath, Modules, entries, shipped};
use super::sources::shipped_lines;

/// The target for the share of the largest crate in all lines, in percent.
const AIM: usize = 20;

/// The size of circles that are allowed everywhere.
const USUAL: usize = 3;

/// Crates with larger circles. The numbers may only fall; a crate whose circles are no larger than usual is removed.
const LARGER: [(&str, usize); 0] = [];

/// The size of a crate and its circles.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: String,
    /// Lines without tests.
    pub(super) lines: usize,
    /// The files of the largest circle, if there is one.
    pub(super) circle: Vec<String>,
}

/// All crates in `crates/`.
///
/// # Errors
/// A folder that cannot be read, a file that is not Rust.
pub(super) fn standings(root: &Path) -> Result<Vec<Standing>, String> {
    let crates = root.join("crates");
    let mut folders = entries(&crates)?;
    folders.retain(|path| path.join("src").is_dir());
    folders.iter().map(|path| standing(path)).collect()
}

/// Circles that exceed their limit.
pub(super) fn check(standings: &[Standing]) -> Vec<String> {
    standings
        .iter()
        .filter(|standing| standing.circle.len() > allowed(&standing.name))
        .map(|standing| {
            format!(
                "{}: {} files use each other in a circle, {} may: {}",
                standing.name,
                standing.circle.len(),
                allowed(&standing.name),
                standing.circle.join(", ")
            )
        })
        .collect()
}

/// The table of crates, with the limits that can be lowered.
pub(super) fn report(standings: &[Standing]) -> String {
    let all: usize = standings.iter().map(|standing| standing.lines).sum();
    let mut text = format!(
        "{:18} {:>7} {:>6} {:>7}\n",
        "crate", "lines", "share", "circle"
    );
    let mut sorted: Vec<&Standing> = standings.iter().collect();
    sorted.sort_by_key(|standing| std::cmp::Reverse(standing.lines));
    for standing in &sorted {
        let share = 100.0 * standing.lines as f64 / all.max(1) as f64;
        let (name, lines, circle) = (&standing.name, standing.lines, standing.circle.len());
        text.push_str(&format!("{name:18} {lines:7} {share:5.1}% {circle:7}\n"));
        if circle < allowed(name) && allowed(name) > USUAL {
            text.push_str(&format!(
                "  {name} may have a circle of {}: lower that in circles.rs\n",
                allowed(name)
            ));
        }
    }
    text.push_str(&format!("{:18} {all:7}\n", "all"));
    if let Some(largest) = sorted.first() {
        let share = 100.0 * largest.lines as f64 / all.max(1) as f64;
        let name = &largest.name;
        text.push_str(&format!(
            "the largest crate, {name}, holds {share:.0} % of the lines; the aim is {AIM} %\n"
        ));
    }
    text
}

fn allowed(name: &str) -> usize {
    let larger = LARGER.iter().find(|(known, _)| *known == name);
    larger.map_or(USUAL, |(_, size)| *size)
}

fn standing(folder: &Path) -> Result<Standing, String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let named = |error: String| format!("{name}: {error}");
    let files = shipped(&folder.join("src")).map_err(named)?;
    let modules = Modules::read(&files).map_err(named)?;
    Ok(Standing {
        lines: files.iter().map(|(_, text)| shipped_lines(text)).sum(),
        circle: largest_circle(&modules.uses()),
        name: name.into_owned(),
    })
}

type Uses<'a> = BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>;

/// The largest set of modules in which each one reaches all others.
fn largest_circle(uses: &Uses<'_>) -> Vec<String> {
    let backwards = reversed(uses);
    let mut left: BTreeSet<&ModulePath> = uses.keys().copied().collect();
    let mut largest = BTreeSet::new();
    while let Some(first) = left.first().copied() {
        let ahead = reached(first, uses, &left);
        let behind = reached(first, &backwards, &left);
        let circle: BTreeSet<&ModulePath> = ahead.intersection(&behind).copied().collect();
        left.retain(|path| !circle.contains(path));
        if circle.len() > largest.len() && circle.len() > 1 {
            largest = circle;
        }
    }
    largest.into_iter().map(shown).collect()
}

fn shown(path: &ModulePath) -> String {
    if path.is_empty() {
        "the root".to_owned()
    } else {
        path.join("::")
    }
}

fn reversed<'a>(uses: &Uses<'a>) -> Uses<'a> {
    let mut backwards: Uses<'a> = uses.keys().map(|path| (*path, BTreeSet::new())).collect();
    for (path, used) in uses {
        for target in used {
            backwards.entry(target).or_default().insert(path);
        }
    }
    backwards
}

fn reached<'a>(
    first: &'a ModulePath,
    uses: &Uses<'a>,
    among: &BTreeSet<&'a ModulePath>,
) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::from([first]);
    let mut ahead = vec![first];
    while let Some(path) = ahead.pop() {
        for next in uses.get(path).into_iter().flatten() {
            if among.contains(next) && reached.insert(next) {
                ahead.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let files: Vec<(PathBuf, String)> = files
            .iter()
            .map(|(file, text)| (PathBuf::from(file), (*text).to_owned()))
            .collect();
        let modules = Modules::read(&files).expect("Rust");
        assert_eq!(largest_circle(&modules.uses()), expected);
    }

    #[test]
    fn the_largest_circle_is_found_and_chains_are_none() {
        check(
            &[
                ("lib.rs", "mod a; mod b; mod c; mod d;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "use crate::c::C; pub struct B;"),
                ("c.rs", "use crate::a; pub struct C;"),
                ("d.rs", "use crate::a; use crate::e::E; pub struct D;"),
                ("e.rs", "use crate::d::D; pub struct E;"),
            ],
            &["a", "b", "c"],
        );
        check(
            &[("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")],
            &[],
        );
    }

    #[test]
    fn a_circle_that_is_larger_than_allowed_is_a_finding() {
        let standing = |files: usize| Standing {
            name: "some-crate".to_owned(),
            lines: 1,
            circle: vec!["a".to_owned(); files],
        };
        assert_eq!(super::check(&[standing(USUAL)]), Vec::<String>::new());
        assert_eq!(super::check(&[standing(USUAL + 1)]).len(), 1);
    }
}
