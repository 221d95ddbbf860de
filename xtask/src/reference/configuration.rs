//! Every structure and choice that a configuration file may hold.

use std::fmt::Write;
use std::path::Path;

use super::source;

const HEAD: &str = "\
# Configuration

Written by `cargo xtask reference` from the doc comments in the code.

`detectors.yaml` describes the fleet. Layers, later ones win: the file, variables such as
`SPARRING_SERVICE__PORT=9000` (`__` goes one level down), flags. Unknown fields are errors;
`sparring check` reports all faults at once. A dash under *default* means that the field has to be given,
or that its default is that of its type.
";

/// The files whose public items are configuration, in the order of reading.
const FILES: [(&str, &str); 12] = [
    ("The fleet file", "crates/fleet/src/config.rs"),
    ("Rate limits", "crates/fleet/src/rate_limit.rs"),
    ("Retries", "crates/resilience/src/retry.rs"),
    (
        "Circuit breakers",
        "crates/resilience/src/breaker/config.rs",
    ),
    ("A mock's profile", "crates/fault-profile/src/profile.rs"),
    ("Latency", "crates/fault-profile/src/latency.rs"),
    ("Failures", "crates/fault-profile/src/failure.rs"),
    ("Connections", "crates/fault-profile/src/connection.rs"),
    ("Queue and rate limit", "crates/fault-profile/src/queue.rs"),
    ("Changes over time", "crates/fault-profile/src/schedule.rs"),
    ("Listener", "crates/fault-profile/src/listener.rs"),
    ("Fault drills", "crates/suite/src/drill.rs"),
];

pub fn page(root: &Path) -> String {
    let mut page = HEAD.to_owned();
    for (title, file) in FILES {
        let source = source(root, file);
        let _ = write!(page, "\n## {title}\n");
        for item in items(&source) {
            let _ = write!(page, "\n### `{}`\n\n{}\n", item.name, item.doc.join(" "));
            if !item.rows.is_empty() {
                page.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
            }
            for row in item.rows {
                let _ = writeln!(
                    page,
                    "| `{}` | {} | {} | {} |",
                    row.name, row.kind, row.default, row.doc
                );
            }
        }
    }
    page
}

struct Item {
    name: String,
    doc: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    kind: String,
    default: String,
    doc: String,
}

/// Public structures and enums that can be read from a file.
fn items(source: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let (mut doc, mut readable) = (Vec::new(), false);
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim().to_owned());
        } else if line.starts_with("#[") {
            readable |= line.contains("Deserialize");
        } else if let Some((keyword, name)) = header(line).filter(|_| readable) {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            let rows = rows(&body, keyword, &defaults(source, name));
            found.push(Item {
                name: name.to_owned(),
                doc: prose(&doc),
                rows,
            });
            (doc, readable) = (Vec::new(), false);
        } else if !line.starts_with([' ', ')']) {
            (doc, readable) = (Vec::new(), false);
        }
    }
    found
}

fn header(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("pub ")?.strip_suffix(" {")?;
    let (keyword, name) = rest.split_once(' ')?;
    matches!(keyword, "struct" | "enum").then_some((keyword, name))
}

/// Fields of a structure, or variants of an enum, at the first level of indentation.
fn rows(body: &[&str], keyword: &str, defaults: &[(String, String)]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut doc: Vec<String> = Vec::new();
    for line in body {
        let Some(line) = line
            .strip_prefix("    ")
            .filter(|line| !line.starts_with([' ', '}']))
        else {
            continue;
        };
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim().to_owned());
        } else if !line.starts_with("#[") {
            let row = match keyword {
                "struct" => field(line, defaults),
                _ => variant(line),
            };
            let doc = std::mem::take(&mut doc).join(" ").replace('|', "\\|");
            rows.extend(row.map(|row| Row { doc, ..row }));
        }
    }
    rows
}

fn field(line: &str, defaults: &[(String, String)]) -> Option<Row> {
    let (name, kind) = line
        .strip_prefix("pub ")?
        .trim_end_matches(',')
        .split_once(": ")?;
    let default = defaults.iter().find(|(field, _)| field == name);
    Some(Row {
        name: name.to_owned(),
        kind: format!("`{kind}`"),
        default: default.map_or("–".to_owned(), |(_, value)| format!("`{value}`")),
        doc: String::new(),
    })
}

fn variant(line: &str) -> Option<Row> {
    let end = line
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(line.len());
    let name = snake(&line[..end]);
    let rest = line[end..].trim().trim_end_matches([',', '{']).trim();
    let kind = if rest.is_empty() {
        "choice".to_owned()
    } else {
        format!("`{rest}`")
    };
    (!name.is_empty()).then(|| Row {
        name,
        kind,
        default: "–".to_owned(),
        doc: String::new(),
    })
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// What `impl Default` sets, as it stands in the code.
fn defaults(source: &str, name: &str) -> Vec<(String, String)> {
    let opening = format!("impl Default for {name} {{");
    let Some((_, body)) = source.split_once(&opening) else {
        return Vec::new();
    };
    body.lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().trim_end_matches(',').split_once(": "))
        .map(|(field, value)| {
            (
                field.to_owned(),
                value.replace('_', "").replace(".toowned()", ""),
            )
        })
        .collect()
}

/// The prose of a doc comment, without its examples.
fn prose(doc: &[String]) -> Vec<String> {
    doc.iter()
        .take_while(|line| !line.starts_with("```"))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::items;

    const SOURCE: &str = "
/// What it is.
#[derive(Debug, Deserialize)]
pub struct Thing {
    /// How long.
    pub wait_ms: u64,
}

impl Default for Thing {
    fn default() -> Self {
        Self {
            wait_ms: 5_000,
        }
    }
}

/// Not read from a file.
pub struct Other {
    pub x: u8,
}

/// Which one.
#[derive(Deserialize)]
pub enum Choice {
    /// The first.
    FirstOne,
}
";

    #[test]
    fn only_what_can_be_read_is_listed_with_its_defaults() {
        let found = items(SOURCE);
        let names: Vec<_> = found.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["Thing", "Choice"]);
        let row = &found[0].rows[0];
        assert_eq!(
            (
                row.name.as_str(),
                row.kind.as_str(),
                row.default.as_str(),
                row.doc.as_str()
            ),
            ("wait_ms", "`u64`", "`5000`", "How long.")
        );
        assert_eq!(found[1].rows[0].name, "first_one");
    }
}
