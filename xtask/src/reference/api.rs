//! The HTTP APIs, from their OpenAPI descriptions.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

const HEAD: &str = "\
# HTTP APIs

Written by `cargo xtask reference` from the OpenAPI descriptions in the code. Every server shows its own at
`/openapi.json`, to try at `/docs`; mocks and simulated systems show their admin API at `/__admin/openapi.json`, to try
at `/__admin/docs`. `/` says what is running.

The routes of a simulated system are those of its document; those of a mock follow its dialect.
";

/// A title, an introduction, and the description or its paths.
const PARTS: [(&str, &str, &str); 4] = [
    (
        "Orchestrator",
        "On port 8000. A key in `X-API-Key` says who calls; see `orchestration.auth`.",
        "crates/orchestrator/openapi.json",
    ),
    (
        "Admin API of mocks and simulated systems",
        "On the server's own port, or where `listener.admin` or `--admin-port` puts it.",
        "crates/simulated-server/admin.json",
    ),
    (
        "Admin API of mocks alone",
        "Beside the operations above.",
        "crates/mock-detectors/admin.json",
    ),
    (
        "Admin API of simulated systems alone",
        "Beside the operations above.",
        "crates/target-systems/admin.json",
    ),
];

pub fn page(root: &Path) -> String {
    let mut page = HEAD.to_owned();
    for (title, about, file) in PARTS {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        let paths = document.get("paths").unwrap_or(&document);
        let _ = write!(
            page,
            "\n## {title}\n\n{about}\n\n| operation | parameters | answers | |\n|---|---|---|---|\n"
        );
        for (path, operations) in paths.as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                row(&mut page, method, path, operation);
            }
        }
    }
    page
}

fn row(page: &mut String, method: &str, path: &str, operation: &Value) {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let names: Vec<String> = parameters.filter_map(name).collect();
    let answers: Map<String, Value> = operation["responses"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let answers: Vec<&str> = answers.keys().map(String::as_str).collect();
    let summary = operation["summary"].as_str().unwrap_or_default();
    let _ = writeln!(
        page,
        "| `{} {path}` | {} | {} | {} |",
        method.to_uppercase(),
        names.join(" "),
        answers.join(" "),
        summary.replace('|', "\\|")
    );
}

/// The name of a parameter, given or referred to.
fn name(parameter: &Value) -> Option<String> {
    let reference = parameter["$ref"].as_str();
    let named = parameter["name"].as_str();
    let name = named.or_else(|| reference?.rsplit('/').next())?;
    Some(format!("`{}`", name.replace("if_match", "If-Match")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_part_has_operations() {
        let page = super::page(&crate::root());
        for line in [
            "| `POST /orchestrate` |",
            "| `PATCH /__admin/profile` | `ttl_ms` `in_flight` `If-Match` | 200 400 409 412 422 |",
            "| `POST /__admin/record` |",
            "| `GET /__admin/truth` |",
        ] {
            assert!(page.contains(line), "no {line}");
        }
    }
}
