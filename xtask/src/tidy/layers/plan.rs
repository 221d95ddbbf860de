//! The plan of the crates as docs/ARCHITECTURE.md states it: a picture of the layers, and a table of what each crate
//! may use.

use std::collections::{BTreeMap, BTreeSet};

const HEADER: [&str; 3] = ["crate", "what it is", "may use"];

/// The crates of the page.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) rows: BTreeMap<String, Grants>,
    /// The layer of each crate, from 0 at the bottom.
    pub(super) layers: BTreeMap<String, u32>,
    /// Lines that cannot be read.
    pub(super) faults: Vec<String>,
}

/// The crates that a crate may use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grants {
    /// Every crate, used or not.
    All,
    Only(BTreeSet<String>),
}

/// Reads the page.
pub(super) fn read(page: &str) -> Plan {
    let mut plan = Plan::default();
    read_table(page, &mut plan);
    read_layers(page, &mut plan);
    plan
}

fn read_table(page: &str, plan: &mut Plan) {
    let rows = page
        .lines()
        .skip_while(|line| cells(line) != HEADER)
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    for line in rows {
        let row = cells(line);
        let name = row.first().and_then(|cell| quoted(cell));
        let (Some(name), [_, _, grants]) = (name, row.as_slice()) else {
            plan.faults
                .push(format!("a row is not `crate` | text | crates: {line}"));
            continue;
        };
        let known = plan.rows.insert(name.to_owned(), granted(grants));
        if known.is_some() {
            plan.faults.push(format!("{name} has two rows"));
        }
    }
    if plan.rows.is_empty() {
        plan.faults
            .push(format!("there is no table {}", HEADER.join(" | ")));
    }
}

fn cells(line: &str) -> Vec<&str> {
    let inside = line.trim().trim_start_matches('|').trim_end_matches('|');
    inside.split('|').map(str::trim).collect()
}

fn quoted(cell: &str) -> Option<&str> {
    let name = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!name.is_empty()).then_some(name)
}

fn granted(cell: &str) -> Grants {
    match cell {
        "all" => Grants::All,
        "–" => Grants::Only(BTreeSet::new()),
        names => Grants::Only(names.split(',').map(|it| it.trim().to_owned()).collect()),
    }
}

/// Reads the lines `layer N   crate   crate`, each with the indented lines that continue it.
fn read_layers(page: &str, plan: &mut Plan) {
    let mut layer = None;
    for line in page.lines() {
        let crates = if let Some(rest) = line.strip_prefix("layer ") {
            let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            layer = number.parse().ok();
            if layer.is_none() {
                plan.faults.push(format!("a layer has no number: {line}"));
            }
            rest
        } else if line.starts_with(' ') {
            line
        } else {
            layer = None;
            continue;
        };
        let Some(layer) = layer else { continue };
        for name in crates.split_whitespace().filter(|word| is_name(word)) {
            if plan.layers.insert(name.to_owned(), layer).is_some() {
                plan.faults.push(format!("{name} is in two layers"));
            }
        }
    }
}

/// Whether a word of the picture names a crate: remarks are in parentheses, and folders end with a slash.
fn is_name(word: &str) -> bool {
    !word.starts_with('(') && !word.ends_with([')', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_rows_are_read_and_other_tables_are_not() {
        let page = "| question | place |\n|---|---|\n| `a` | b |\n\n\
                    ```text\nlayer 1   top (the binary)   tests/\nlayer 0   one\n          two\n```\n    code\n\n\
                    | crate | what it is | may use |\n|---|---|---|\n\
                    | `top` | all of it | all |\n| `one` | 1 | two, three |\n| `two` | 2 | – |\n\n\
                    | `four` | in no table | – |\n";
        let plan = read(page);
        assert_eq!(plan.faults, Vec::<String>::new());
        let layers = [("one", 0), ("top", 1), ("two", 0)];
        let layers = layers.map(|(name, layer)| (name.to_owned(), layer));
        assert_eq!(plan.layers, BTreeMap::from(layers));
        let only = |names: &[&str]| Grants::Only(names.iter().map(ToString::to_string).collect());
        let rows = [
            ("one", only(&["two", "three"])),
            ("top", Grants::All),
            ("two", only(&[])),
        ];
        let rows = rows.map(|(name, grants)| (name.to_owned(), grants));
        assert_eq!(plan.rows, BTreeMap::from(rows));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let table = "| crate | what it is | may use |\n|---|---|---|\n";
        for (page, said) in [
            ("nothing", "there is no table"),
            (&format!("{table}| `a` | x |\n"), "a row is not"),
            (&format!("{table}| a | x | – |\n"), "a row is not"),
            (
                &format!("{table}| `a` | x | – |\n| `a` | y | – |\n"),
                "a has two rows",
            ),
            ("layer one   a\n", "a layer has no number"),
            ("layer 1   a\nlayer 0   b   a\n", "a is in two layers"),
        ] {
            let faults = read(page).faults;
            assert!(
                faults.iter().any(|fault| fault.contains(said)),
                "{page}: {faults:?}"
            );
        }
    }
}
