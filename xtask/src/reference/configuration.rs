//! Every field of every file that users write, by its path in the file, from the types that read it.

mod attributes;
mod defaults;
mod example;
mod limits;
mod page;
mod reader;
mod types;
mod words;
mod yaml;

use std::path::Path;

use page::Root;
use types::Types;

/// The sources that hold types of configuration files.
const SOURCES: [&str; 8] = [
    "crates/fleet/src",
    "crates/fault-profile/src",
    "crates/resilience/src",
    "crates/detector-api/src",
    "crates/suite/src",
    "crates/target-systems/src/document",
    "crates/orchestrator/src/policy.rs",
    "crates/orchestrator/src/config.rs",
];

const ROOTS: [Root; 4] = [
    Root {
        title: "The fleet file",
        about: "`detectors.yaml`, or the file of `--config`: the orchestrator, the detectors and their mocks. \
         `sparring check FILE` reports all errors at once.",
        name: "Fleet",
        file: "crates/fleet/src/config.rs",
    },
    Root {
        title: "A suite file",
        about: "Tests of a system, for `sparring test FILE`; `sparring check FILE` reports all errors at once.",
        name: "SuiteFile",
        file: "crates/suite/src/file/mod.rs",
    },
    Root {
        title: "A drill file",
        about: "A fault experiment, for `sparring drill FILE`.",
        name: "Drill",
        file: "crates/suite/src/drill.rs",
    },
    Root {
        title: "A system file",
        about: "A simulated system, for `sparring target FILE`; `sparring check FILE` reports all errors at once. Its \
         [JSON schema](schemas/system.schema.json) is for editors. Amounts of a visit are numbers or distributions, \
         whose fields are called `…_ms` whatever the unit of the amount is.",
        name: "Document",
        file: "crates/target-systems/src/document/mod.rs",
    },
];

pub fn page(root: &Path) -> String {
    let types = Types::read(root, &SOURCES);
    page::page(&types, &ROOTS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    fn page() -> String {
        super::page(&crate::root())
    }

    #[test]
    fn fields_choices_units_and_defaults_are_there() {
        let page = page();
        for line in [
            "### `detectors.<name>.mock.latency`",
            "| `port` | whole number from 0 to 65535 | `8000` |",
            "| `uniform.min_ms` | number from 0 to 86400000, ms | *required* |",
            "| `ttl_ms` | whole number, 1 or more, ms | `300000` |",
            "| `status.code` | whole number from 200 to 599 | `500` |",
            "| `max_retries` | whole number from 0 to 10 | `3` |",
            "| `partial_coverage_threshold` | number from 0 to 1 | `0.8` |",
            "| `partial_status` | 206, 200 or 207 | `206` |",
            "| `quantile` | number above 0 and below 1 |",
            "| `to` | number from 0 to 1000000 | *required* |",
            "| `times` | whole number from 1 to 10000 | `1` |",
            "| `clamp` | alone | the default |",
            "| `window` | a choice: [`detectors.<name>.breaker.window`](#detectorsnamebreakerwindow) | \
             `{ count: { calls: 100 } }` |",
            "### `tests.<name>.phases[]`",
            "### `steady_state.expect`",
            "| `cache` | [`orchestration.cache`](#orchestrationcache) | its own | The response cache. |",
            "| `policies` | map of names: map of names: [`orchestration.policies.<name>.<name>`]",
            "| `at` | text | *required* | `component.operation`. |",
            "| `max_items` | whole number from 1 to 10000 | *required* |",
            "| `retries` | whole number from 0 to 100 | `0` |",
            "| `keys` | whole number from 1 to 1099511627776 | *required* |",
            "| `pause_ms` | number from 0 to 31536000000, ms | `0` |",
            "| `target_cpu` | number above 0, up to 1 | `0.7` |",
            "| `visit` | component.operation or a map such as `{ at: component.operation }`; \
             [`endpoints.<name>.flow[].visit`]",
            "| `cpu_ms` | number or a distribution such as `{ exponential: { mean_ms: 10 } }`; a choice: \
             [`detectors.<name>.mock.latency`]",
            "| `wait` | true, false, the name of a toggle or \"!name\" | `false` |",
            "| `in_flight` | a choice: [`hosts.<name>.crash.in_flight`](#hostsnamecrashin_flight) | `{ status: 502 }` |",
        ] {
            assert!(page.contains(line), "no {line}");
        }
    }

    #[test]
    fn every_link_leads_to_a_section() {
        let page = page();
        let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
        let slugs: Vec<String> = headings
            .map(|heading| {
                let kept = heading
                    .chars()
                    .filter(|c| c.is_alphanumeric() || "_-".contains(*c));
                kept.collect::<String>().to_lowercase()
            })
            .collect();
        let known: BTreeSet<&str> = slugs.iter().map(String::as_str).collect();
        assert_eq!(known.len(), slugs.len(), "two sections have one name");
        let links = page.split("](#").skip(1);
        let links: Vec<&str> = links.filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() > 60, "{}", links.len());
        for link in links {
            assert!(known.contains(link), "{link}");
        }
    }

    #[test]
    fn every_section_has_an_example_and_every_field_a_meaning() {
        let page = page();
        let sections = page.split("\n## ").skip(1);
        let sections = sections.flat_map(|root| root.split("\n### "));
        let mut missing = Vec::new();
        for section in sections {
            let name = section.lines().next().unwrap_or_default();
            if !section.contains("\n```yaml\n") {
                missing.push(format!("no example: {name}"));
            }
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let without = rows.filter(|row| row.ends_with("|  |"));
            missing.extend(without.map(|row| format!("no meaning: {name}: {row}")));
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    #[test]
    fn every_row_is_whole_and_names_no_type_of_the_code() {
        for line in page().lines().filter(|line| line.starts_with('|')) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 5, "{line}");
            for code in ["Option<", "Vec<", "f64", "u64", "::", "IndexMap", "Box<"] {
                assert!(!line.contains(code), "{code}: {line}");
            }
        }
    }
}
