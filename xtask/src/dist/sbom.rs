//! The software bill of materials: a CycloneDX 1.5 document from `cargo metadata` and Cargo.lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};
use serde_json::{Value, json};

/// The components of a binary.
#[derive(Debug)]
pub struct Bill {
    /// The document.
    pub json: String,
    pub version: String,
    /// The target folder of cargo.
    pub target_folder: PathBuf,
}

/// The bill of the crate `name` for one platform: all crates that are compiled into it or run to build it.
///
/// # Errors
/// Cargo's metadata cannot be read.
pub fn of(root: &Path, name: &str, platform: &str) -> Result<Bill, String> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .other_options([
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            platform.to_owned(),
        ])
        .exec()
        .map_err(|error| error.to_string())?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let main = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name);
    let main = main.ok_or_else(|| format!("there is no crate {name}"))?;
    let document = document(&metadata, main, &checksums(&lock));
    let json = serde_json::to_string_pretty(&document).expect("a value can be printed");
    Ok(Bill {
        json: json + "\n",
        version: main.version.to_string(),
        target_folder: metadata.target_directory.clone().into_std_path_buf(),
    })
}

fn document(metadata: &Metadata, main: &Package, sums: &HashMap<String, String>) -> Value {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: HashMap<&PackageId, &Node> = nodes.map(|node| (&node.id, node)).collect();
    let uses = reached(&nodes, &main.id);
    let parts: BTreeMap<&PackageId, &Package> = metadata
        .packages
        .iter()
        .filter(|package| uses.contains_key(&package.id))
        .map(|package| (&package.id, package))
        .collect();
    let mut components: Vec<&Package> = parts.values().copied().collect();
    components.retain(|package| package.id != main.id);
    components.sort_by(|one, other| {
        (one.name.as_str(), &one.version).cmp(&(other.name.as_str(), &other.version))
    });
    let mut links: Vec<(String, Vec<String>)> = uses
        .iter()
        .map(|(id, used)| {
            let used: BTreeSet<String> = used.iter().map(|id| reference(parts[id])).collect();
            (reference(parts[id]), used.into_iter().collect())
        })
        .collect();
    links.sort();
    let links = links.into_iter();
    let links: Vec<Value> = links
        .map(|(from, to)| json!({"ref": from, "dependsOn": to}))
        .collect();
    let mut application = component(main, sums);
    application["type"] = json!("application");
    let components = components.into_iter();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": application},
        "components": components.map(|package| component(package, sums)).collect::<Vec<_>>(),
        "dependencies": links,
    })
}

/// Each package from `main` on, with its dependencies, without those that only tests use.
fn reached<'a>(
    nodes: &HashMap<&'a PackageId, &'a Node>,
    main: &'a PackageId,
) -> BTreeMap<&'a PackageId, Vec<&'a PackageId>> {
    let mut found = BTreeMap::new();
    let mut open = vec![main];
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(id).filter(|_| !found.contains_key(id)) else {
            continue;
        };
        let used = node.deps.iter().filter(|used| {
            let mut kinds = used.dep_kinds.iter();
            kinds.any(|kind| kind.kind != DependencyKind::Development)
        });
        let used: Vec<&PackageId> = used.map(|used| &used.pkg).collect();
        open.extend(&used);
        found.insert(id, used);
    }
    found
}

fn component(package: &Package, sums: &HashMap<String, String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name.as_str(),
        "version": package.version.to_string(),
        "purl": reference(package),
    });
    if let Some(licence) = &package.license {
        // The form before SPDX expressions.
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if let Some(sum) = sums.get(&format!("{} {}", package.name, package.version)) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    if let Some(url) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": url}]);
    }
    component
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

/// Checksums in a Cargo.lock, by name and version.
fn checksums(lock: &str) -> HashMap<String, String> {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let find = |key| package.lines().find_map(|line| value(line, key));
            let name = format!("{} {}", find("name")?, find("version")?);
            Some((name, find("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_names_what_is_in_the_binary_and_nothing_else() {
        let host = crate::dist::host().expect("rustc says");
        let bill = of(&crate::root(), "sparring", &host).expect("cargo tells");
        let document: Value = serde_json::from_str(&bill.json).expect("JSON");
        let components = document["components"].as_array().expect("a list");
        let names: BTreeSet<&str> = components
            .iter()
            .filter_map(|part| part["name"].as_str())
            .collect();
        for expected in ["tokio", "orchestrator", "rquickjs-sys", "cc"] {
            assert!(names.contains(expected), "no {expected}");
        }
        for other in ["proptest", "loom", "xtask", "windows-sys", "sparring"] {
            assert!(!names.contains(other), "{other}");
        }
        for part in components {
            assert!(part["licenses"][0]["expression"].is_string(), "{part}");
        }
        let tokio = components.iter().find(|part| part["name"] == "tokio");
        let sum = tokio.and_then(|part| part["hashes"][0]["content"].as_str());
        assert_eq!(sum.map(str::len), Some(64));
    }

    #[test]
    fn every_reference_of_the_bill_is_to_one_of_its_parts() {
        let host = crate::dist::host().expect("rustc says");
        let bill = of(&crate::root(), "sparring", &host).expect("cargo tells");
        let document: Value = serde_json::from_str(&bill.json).expect("JSON");
        let own = &document["metadata"]["component"];
        let components = document["components"].as_array().expect("a list").iter();
        let all: Vec<&str> = components
            .chain([own])
            .filter_map(|part| part["bom-ref"].as_str())
            .collect();
        let known: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(known.len(), all.len(), "a reference is there twice");
        let links = document["dependencies"].as_array().expect("a list");
        assert_eq!(links.len(), all.len());
        for link in links {
            let to = link["dependsOn"].as_array().expect("a list");
            for name in to.iter().chain([&link["ref"]]) {
                assert!(
                    name.as_str().is_some_and(|name| known.contains(name)),
                    "{name}"
                );
            }
        }
    }
}
