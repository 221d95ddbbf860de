//! The crates and arrows of docs/ARCHITECTURE.md against `cargo metadata`: every crate has a row and a layer, every
//! use is granted by the row and leads to a lower layer, and no grant is unused.

mod plan;

use std::collections::BTreeSet;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use plan::{Grants, Plan};

const PAGE: &str = "docs/ARCHITECTURE.md";

/// External crates that only these crates of the workspace may name.
const FENCED: [(&str, &[&str]); 3] = [
    ("rquickjs", &["script-engine"]),
    ("corosensei", &["script-engine"]),
    ("serde-saphyr", &["live-config"]),
];

/// A crate of the workspace, with the dependencies of what is shipped: those of tests do not count.
struct Crate {
    name: String,
    dependencies: BTreeSet<String>,
}

impl Crate {
    fn of(package: &Package) -> Self {
        let dependencies = package.dependencies.iter();
        let shipped = dependencies.filter(|it| it.kind != DependencyKind::Development);
        Self {
            name: package.name.to_string(),
            dependencies: shipped.map(|it| it.name.clone()).collect(),
        }
    }
}

pub(super) fn check(root: &Path) -> Vec<String> {
    let page = match std::fs::read_to_string(root.join(PAGE)) {
        Ok(page) => page,
        Err(error) => return vec![format!("{PAGE}: {error}")],
    };
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    match metadata {
        Err(error) => vec![format!("cargo metadata: {error}")],
        Ok(metadata) => {
            let crates: Vec<Crate> = metadata.packages.iter().map(Crate::of).collect();
            let mut found = compare(&page, &crates);
            found.extend(crates.iter().flat_map(fenced));
            found
        }
    }
}

/// The differences between the page and the crates.
fn compare(page: &str, crates: &[Crate]) -> Vec<String> {
    let plan = plan::read(page);
    let mut found: Vec<String> = plan
        .faults
        .iter()
        .map(|fault| format!("{PAGE}: {fault}"))
        .collect();
    let names: BTreeSet<&str> = crates.iter().map(|it| it.name.as_str()).collect();
    for name in plan.rows.keys().chain(plan.layers.keys()) {
        if !names.contains(name.as_str()) {
            found.push(format!("{PAGE}: {name} is not a crate of the workspace"));
        }
    }
    for it in crates {
        let uses: BTreeSet<&str> = it
            .dependencies
            .iter()
            .map(String::as_str)
            .filter(|name| names.contains(name))
            .collect();
        found.extend(check_row(&it.name, &uses, &plan));
        found.extend(check_layer(&it.name, &uses, &plan));
    }
    found
}

/// The uses that the row of a crate does not grant, and the grants without a use.
fn check_row(name: &str, uses: &BTreeSet<&str>, plan: &Plan) -> Vec<String> {
    let granted = match plan.rows.get(name) {
        None => return vec![format!("{name} has no row in the table of {PAGE}")],
        Some(Grants::All) => return Vec::new(),
        Some(Grants::Only(granted)) => granted,
    };
    let mut found = Vec::new();
    for used in uses {
        if !granted.contains(*used) {
            found.push(format!(
                "{name} uses {used}, which its row in {PAGE} does not grant"
            ));
        }
    }
    for unused in granted.iter().filter(|it| !uses.contains(it.as_str())) {
        found.push(format!(
            "{PAGE}: the row of {name} grants {unused}, which {name} does not use"
        ));
    }
    found
}

/// The uses of a crate that do not lead to a lower layer.
fn check_layer(name: &str, uses: &BTreeSet<&str>, plan: &Plan) -> Vec<String> {
    let Some(layer) = plan.layers.get(name) else {
        return vec![format!("{name} is in no layer of {PAGE}")];
    };
    let mut found = Vec::new();
    for used in uses {
        if let Some(below) = plan.layers.get(*used)
            && below >= layer
        {
            found.push(format!(
                "{name} in layer {layer} uses {used} in layer {below}; arrows lead to a lower layer ({PAGE})"
            ));
        }
    }
    found
}

/// The external crates that a crate names although another one has to wrap them.
fn fenced(it: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    for (external, users) in FENCED {
        if it.dependencies.contains(external) && !users.contains(&it.name.as_str()) {
            found.push(format!(
                "{} may not depend on the crate {external}; only {} may",
                it.name,
                users.join(", ")
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: &str =
        "```text\nlayer 1   server   (the top)\nlayer 0   clock\n          wire\n```\n";
    const TABLE: &str = "| crate | what it is | may use |\n|---|---|---|\n";

    fn page(rows: &str) -> String {
        format!("{LAYERS}\n{TABLE}{rows}\nThe end.\n")
    }

    fn crates(of_server: &[&str]) -> Vec<Crate> {
        let it = |name: &str, dependencies: &[&str]| Crate {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
        };
        vec![it("server", of_server), it("clock", &[]), it("wire", &[])]
    }

    fn check(rows: &str, of_server: &[&str], expected: &[&str]) {
        let found = compare(&page(rows), &crates(of_server));
        assert_eq!(found, expected, "{rows}");
    }

    const BELOW: &str = "| `clock` | time | – |\n| `wire` | bytes | – |\n";

    #[test]
    fn a_page_that_says_what_the_crates_do_has_no_findings() {
        let rows = format!("{BELOW}| `server` | serves | clock, wire |\n");
        check(&rows, &["clock", "wire", "serde"], &[]);
        check(&format!("{BELOW}| `server` | serves | all |\n"), &[], &[]);
    }

    #[test]
    fn a_missing_grant_an_unused_one_and_one_of_nothing_are_named() {
        let rows = format!("{BELOW}| `server` | serves | wire, wind |\n");
        check(
            &rows,
            &["clock"],
            &[
                "server uses clock, which its row in docs/ARCHITECTURE.md does not grant",
                "docs/ARCHITECTURE.md: the row of server grants wind, which server does not use",
                "docs/ARCHITECTURE.md: the row of server grants wire, which server does not use",
            ],
        );
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_named() {
        let rows = format!("{BELOW}| `serve` | serves | – |\n");
        check(
            &rows,
            &[],
            &[
                "docs/ARCHITECTURE.md: serve is not a crate of the workspace",
                "server has no row in the table of docs/ARCHITECTURE.md",
            ],
        );
    }

    #[test]
    fn an_arrow_within_a_layer_and_one_upwards_are_named() {
        let rows =
            "| `clock` | time | wire |\n| `wire` | bytes | server |\n| `server` | serves | – |\n";
        let mut crates = crates(&[]);
        crates[1].dependencies.insert("wire".to_owned());
        crates[2].dependencies.insert("server".to_owned());
        assert_eq!(
            compare(&page(rows), &crates),
            [
                "clock in layer 0 uses wire in layer 0; arrows lead to a lower layer (docs/ARCHITECTURE.md)",
                "wire in layer 0 uses server in layer 1; arrows lead to a lower layer (docs/ARCHITECTURE.md)",
            ]
        );
    }

    #[test]
    fn a_crate_outside_the_layers_is_named() {
        let rows = format!("{BELOW}| `server` | serves | – |\n| `late` | comes later | – |\n");
        let mut crates = crates(&[]);
        crates.push(Crate {
            name: "late".to_owned(),
            dependencies: BTreeSet::new(),
        });
        let expected = ["late is in no layer of docs/ARCHITECTURE.md"];
        assert_eq!(compare(&page(&rows), &crates), expected);
    }

    #[test]
    fn a_fenced_crate_outside_its_fence_is_named() {
        let it = Crate {
            name: "server".to_owned(),
            dependencies: BTreeSet::from(["rquickjs".to_owned()]),
        };
        let expected = ["server may not depend on the crate rquickjs; only script-engine may"];
        assert_eq!(fenced(&it), expected);
    }
}
