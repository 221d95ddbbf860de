//! The requirements by id, each with the test or the place that fulfils it.
//!
//! `seeds/table.csv` lists every id with its text. A test holds an id by naming it in its documentation,
//! name or body; ranges such as `ACSO-36..39` count. The table's last column has the places that serve a practice, as
//! `FILE#TEXT`; each is checked. An id without a holder is an error. Only a practice may be held by a place alone.

mod ids;
mod scan;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use table::{Kind, Row};

/// The holders of an id.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Holders {
    tests: Vec<String>,
    places: Vec<String>,
}

/// Prints the table. Returns whether each id is held.
pub(crate) fn run(root: &Path) -> bool {
    check(root, |row, holders| {
        println!("{:8} {:8} {}", row.id, row.kind.name(), shown(holders));
    })
}

/// Prints the missing ids. Returns whether each id is held.
pub(crate) fn are_held(root: &Path) -> bool {
    check(root, |_, _| {})
}

fn check(root: &Path, show: impl Fn(&Row, &Holders)) -> bool {
    let rows = match table::read(include_str!("seeds/table.csv")) {
        Ok(rows) => rows,
        Err(message) => {
            println!("seeds: {message}");
            return false;
        }
    };
    let (named, mut faults) = match scan::tests(root) {
        Ok(named) => (named, Vec::new()),
        Err(message) => (BTreeMap::new(), vec![message]),
    };
    let mut held = 0;
    for row in &rows {
        match holders(root, row, &named) {
            Ok(holders) => {
                held += usize::from(is_held(row, &holders));
                show(row, &holders);
                faults.extend(fault(row, &holders));
            }
            Err(message) => faults.push(format!("{}: {message}", row.id)),
        }
    }
    let strangers = named
        .keys()
        .filter(|id| !rows.iter().any(|row| row.id == **id));
    faults.extend(strangers.map(|id| {
        format!(
            "{id}: named by {}, but not in the table",
            named[id].join(", ")
        )
    }));
    println!("\n{held} of {} ids are held", rows.len());
    for fault in &faults {
        println!("seeds: {fault}");
    }
    faults.is_empty()
}

fn holders(
    root: &Path,
    row: &Row,
    named: &BTreeMap<String, Vec<String>>,
) -> Result<Holders, String> {
    for place in &row.places {
        place.check(root)?;
    }
    Ok(Holders {
        tests: named.get(&row.id).cloned().unwrap_or_default(),
        places: row.places.iter().map(ToString::to_string).collect(),
    })
}

/// A practice needs a place; every other requirement needs a test.
fn is_held(row: &Row, holders: &Holders) -> bool {
    !holders.tests.is_empty() || row.kind == Kind::Practice && !holders.places.is_empty()
}

fn fault(row: &Row, holders: &Holders) -> Option<String> {
    if is_held(row, holders) {
        return None;
    }
    let why = if holders.places.is_empty() {
        "nothing holds it"
    } else {
        "a place mentions it, but no test shows it"
    };
    Some(format!("{}: {why}: {}", row.id, row.says))
}

/// The first holder, and the number of others.
fn shown(holders: &Holders) -> String {
    let all: Vec<&String> = holders.tests.iter().chain(&holders.places).collect();
    match all.as_slice() {
        [] => "-".to_owned(),
        [only] => (*only).clone(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind) -> Row {
        Row {
            id: "ACSO-01".to_owned(),
            kind,
            says: "something".to_owned(),
            places: Vec::new(),
        }
    }

    #[test]
    fn only_a_practice_is_held_by_a_place() {
        let place = Holders {
            places: vec!["README.md#x".to_owned()],
            ..Holders::default()
        };
        let test = Holders {
            tests: vec!["a.rs::b".to_owned()],
            ..Holders::default()
        };
        assert!(fault(&row(Kind::Practice), &place).is_none());
        assert!(fault(&row(Kind::Number), &place).is_some());
        assert!(fault(&row(Kind::Number), &test).is_none());
        assert!(fault(&row(Kind::Practice), &Holders::default()).is_some());
    }

    #[test]
    fn the_table_is_whole_and_every_id_is_held() {
        let rows = table::read(include_str!("seeds/table.csv")).expect("a table");
        assert_eq!(rows.len(), 197);
        assert!(are_held(&crate::root()));
    }
}
