//! The checked part of a dashboard's JSON.

use std::path::Path;

use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Dashboard {
    /// The file name without its extension.
    pub name: String,
    pub editable: bool,
    /// The version of the file's schema; 0 if it is not stated.
    pub schema_version: u64,
    pub variables: Vec<Variable>,
    pub panels: Vec<Panel>,
    /// The queries of annotations.
    pub annotations: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub kind: String,
    /// The metric whose label values are the options.
    pub metric: Option<String>,
    /// Its value in queries: the text of a text box; a pattern for all options of others.
    pub value: String,
}

#[derive(Debug, Clone)]
pub struct Panel {
    pub id: u64,
    /// `timeseries`, `stat` and so on.
    pub kind: String,
    /// Left, top, width and height on the grid of 24 columns.
    pub place: [u64; 4],
    pub title: String,
    pub description: String,
    pub unit: String,
    pub queries: Vec<String>,
    /// Whether the panel and all of its queries use the data source variable.
    pub by_variable: bool,
}

impl Dashboard {
    /// The queries of every panel, with the panel's title.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.panels.iter().flat_map(|panel| {
            let title = panel.title.as_str();
            panel
                .queries
                .iter()
                .map(move |query| (title, query.as_str()))
        })
    }
}

/// Reads every dashboard of a folder, in the order of their names.
///
/// # Errors
/// A file cannot be read or is not JSON; the message names it.
pub fn read_all(folder: &Path) -> Result<Vec<Dashboard>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Dashboard, String> {
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(parse(&name, &value))
}

/// Extracts the checked fields from the JSON. Missing fields become empty, and the checks report them.
pub fn parse(name: &str, value: &Value) -> Dashboard {
    let annotations = list(&value["annotations"]["list"]);
    Dashboard {
        name: name.to_owned(),
        editable: value["editable"].as_bool().unwrap_or(true),
        schema_version: value["schemaVersion"].as_u64().unwrap_or_default(),
        variables: list(&value["templating"]["list"])
            .iter()
            .map(variable)
            .collect(),
        panels: list(&value["panels"])
            .iter()
            .filter(|panel| panel["type"] != "row")
            .map(panel)
            .collect(),
        annotations: annotations
            .iter()
            .filter_map(|annotation| annotation["expr"].as_str().map(str::to_owned))
            .collect(),
    }
}

fn variable(value: &Value) -> Variable {
    let definition = value["definition"].as_str().unwrap_or_default();
    let metric = definition
        .strip_prefix("label_values(")
        .and_then(|rest| rest.split(',').next())
        .map(|metric| metric.trim().to_owned());
    let kind = text(&value["type"]);
    Variable {
        name: text(&value["name"]),
        metric,
        value: match kind.as_str() {
            "textbox" => text(&value["query"]),
            _ => ".*".to_owned(),
        },
        kind,
    }
}

fn panel(value: &Value) -> Panel {
    let targets = list(&value["targets"]);
    let from_variable = |part: &Value| part["datasource"]["uid"].as_str() == Some("${datasource}");
    Panel {
        id: value["id"].as_u64().unwrap_or_default(),
        kind: text(&value["type"]),
        place: ["x", "y", "w", "h"].map(|side| value["gridPos"][side].as_u64().unwrap_or_default()),
        title: text(&value["title"]),
        description: text(&value["description"]),
        unit: text(&value["fieldConfig"]["defaults"]["unit"]),
        queries: targets.iter().map(|target| text(&target["expr"])).collect(),
        by_variable: from_variable(value) && targets.iter().all(from_variable),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
