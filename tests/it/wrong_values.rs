//! An invalid value of any documented field or option is reported with its place, in terms for users.

use std::process::Command;

use serde_json::{Value, json};

use crate::reference::{examples, judged, page, place};

/// Terms of Rust, its libraries and its compiler.
const JARGON: [&str; 28] = [
    "struct",
    "enum ",
    "variant",
    "newtype",
    "untagged",
    "tuple",
    "sequence",
    "invalid type",
    "invalid value:",
    "data did not match",
    "floating point",
    "identifier",
    "invalid digit",
    "ParseIntError",
    "ParseFloatError",
    "target type",
    "crates/",
    ".rs:",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i64",
    "f64",
    "Option<",
    "Some(",
    "PathBuf",
];

/// A field of the page: its path, and its accepted values.
struct Field {
    path: String,
    kind: String,
}

fn fields(page: &str) -> Vec<Field> {
    let (mut section, mut is_nested) = (String::new(), false);
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with('#') {
            let heading = line
                .strip_prefix("### `")
                .map(|it| it.trim_end_matches('`'));
            heading.unwrap_or_default().clone_into(&mut section);
            is_nested = heading.is_some();
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap_or_default().trim_end_matches('`');
            let kind = cells.next().unwrap_or_default().to_owned();
            let path = if is_nested {
                format!("{section}.{name}")
            } else {
                name.to_owned()
            };
            found.push(Field { path, kind });
        }
    }
    found
}

/// Values that a field cannot have.
fn wrong(field: &Field) -> Vec<Value> {
    let name = field.path.rsplit('.').next().unwrap_or_default();
    let kind = field.kind.as_str();
    let mut values = match kind {
        _ if kind.starts_with("whole number") => vec![json!("many"), json!(1.5), json!([1])],
        _ if kind.starts_with("number") => vec![json!("many"), json!([1]), json!(true)],
        _ if kind.starts_with("`true`") => vec![json!("perhaps"), json!(2)],
        _ if kind.starts_with("text") || kind.starts_with("path") => {
            vec![json!([1]), json!({ "x": 1 })]
        }
        _ if kind.starts_with("duration") => vec![json!(5), json!("5 parsecs"), json!([])],
        _ if kind.starts_with("list") => vec![json!(5), json!({ "x": 1 })],
        _ if kind.starts_with("map") => vec![json!(5), json!("x")],
        // Any text is the name of a detector.
        _ if name == "breaker_opens" => vec![json!(5)],
        _ if kind.starts_with("a choice") => vec![json!(5), json!("no_such_choice")],
        _ => Vec::new(),
    };
    if kind == "text" && ["url", "endpoint", "base_url"].contains(&name) {
        values.extend([json!("no url"), json!("ftp://127.0.0.1/")]);
    }
    values
}

/// The path in this file: with the first name of each mapping, and the first item of each list.
fn concrete(file: &Value, path: &str) -> String {
    let mut value = file;
    let mut steps = Vec::new();
    for step in path.split('.') {
        let first = value.as_object().and_then(|names| names.keys().next());
        let (name, is_list) = match (step, first) {
            ("<name>", Some(name)) => (name.as_str(), false),
            _ => (step.trim_end_matches("[]"), step.ends_with("[]")),
        };
        value = &value[name];
        if is_list {
            value = &value[0];
            steps.push(format!("{name}[0]"));
        } else {
            steps.push(name.to_owned());
        }
    }
    steps.join(".")
}

/// The defect of an error message about the value at `path`.
fn complaint(error: &str, path: &str) -> Option<String> {
    let line = error.lines().find(|line| line.contains(path));
    let Some(line) = line else {
        return Some(format!("{path} is not named: {error}"));
    };
    let word = JARGON.iter().find(|word| line.contains(**word))?;
    Some(format!("`{word}` in: {line}"))
}

#[test]
fn a_wrong_value_of_each_field_is_reported_with_its_path_in_plain_words() {
    let page = page();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples = examples(&page).into_iter();
    let examples: Vec<Value> = examples
        .map(|(_, text)| live_config::read::yaml(&text).expect("an example is YAML"))
        .collect();
    let (mut tried, mut bad) = (0, Vec::new());
    for field in fields(&page) {
        let with_field = examples.iter().find_map(|example| {
            let mut file = example.clone();
            place(&mut file, &field.path)?;
            Some(file)
        });
        let Some(file) = with_field else { continue };
        let path = concrete(&file, &field.path);
        for value in wrong(&field) {
            let mut file = file.clone();
            *place(&mut file, &field.path).expect("it was there") = value.clone();
            tried += 1;
            match judged(&file.to_string(), folder.path()) {
                Ok(()) => bad.push(format!("{path}, {}: {value} is accepted", field.kind)),
                Err(error) => {
                    bad.extend(complaint(&error, &path).map(|why| format!("{value}: {why}")));
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
    assert!(
        bad.is_empty(),
        "{} of {tried}:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

#[test]
fn an_unknown_key_beside_each_field_is_reported_with_its_path() {
    let page = page();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut tried, mut bad) = (0, Vec::new());
    for field in fields(&page) {
        let Some((parent, _)) = field.path.rsplit_once('.') else {
            continue;
        };
        let found = examples(&page).into_iter().find_map(|(_, text)| {
            let mut file = live_config::read::yaml(&text).expect("an example is YAML");
            place(&mut file, &field.path)?;
            let path = concrete(&file, parent);
            let parent = place(&mut file, parent)?.as_object_mut()?;
            parent.insert("no_such_key".to_owned(), json!(1));
            Some((file, path))
        });
        let Some((file, path)) = found else { continue };
        tried += 1;
        match judged(&file.to_string(), folder.path()) {
            Ok(()) => bad.push(format!("{path}.no_such_key is accepted")),
            Err(error) => bad.extend(complaint(&error, &path)),
        }
    }
    bad.sort();
    bad.dedup();
    assert!(tried > 200, "{tried}");
    assert!(
        bad.is_empty(),
        "{} of {tried}:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

/// Options with a value, by command: `test`, `--vus`, `N`.
fn options(page: &str) -> Vec<(String, String, String)> {
    let mut command = String::new();
    let mut found = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.trim_start_matches('#').strip_prefix(" sparring ") {
            heading.clone_into(&mut command);
        } else if let Some(row) = line.strip_prefix("| `") {
            let cell = row.split('`').next().unwrap_or_default();
            let option = cell.split(' ').find(|word| word.starts_with("--"));
            let value = cell.split('<').nth(1).and_then(|it| it.split('>').next());
            if let (Some(option), Some(value)) = (option, value) {
                let option = option.split(['=', '<', '[']).next().unwrap_or_default();
                found.push((command.clone(), option.to_owned(), value.to_owned()));
            }
        }
    }
    found
}

/// Values that are numbers or times in every command.
const PARSED: [&str; 12] = [
    "N",
    "TIME",
    "FACTOR",
    "PORT",
    "SHARE",
    "SEED",
    "CONFIDENCE",
    "USERS",
    "THINK_MS",
    "REQUESTS",
    "RATE",
    "MB",
];

#[test]
fn a_wrong_value_of_each_option_is_reported_in_plain_words() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CLI.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut tried, mut bad) = (0, Vec::new());
    for (command, option, value) in options(&page) {
        tried += 1;
        let ended = Command::new(env!("CARGO_BIN_EXE_sparring"))
            .args(command.split(' '))
            .args([&format!("{option}=%%"), "--help"])
            .current_dir(folder.path())
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        let what = format!("sparring {command} {option}=%% ({value})");
        if ended.status.success() {
            // k6 reads the times of its options later, with its own messages.
            let is_k6s = command == "run" && value == "TIME";
            if PARSED.contains(&value.as_str()) && !is_k6s {
                bad.push(format!("{what} is accepted"));
            }
            continue;
        }
        if ended.status.code() != Some(2) {
            bad.push(format!("{what}: {:?}", ended.status));
        }
        bad.extend(
            complaint(&said.replace('\n', " "), &option).map(|why| format!("{what}: {why}")),
        );
    }
    assert!(tried > 150, "{tried}");
    assert!(
        bad.is_empty(),
        "{} of {tried}:\n{}",
        bad.len(),
        bad.join("\n")
    );
}
