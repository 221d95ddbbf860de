//! The examples of docs/CONFIGURATION.md are valid files, and its limits are those of the readers.

use std::path::Path;

use fleet::Source;
use live_config::read;
use serde_json::{Value, json};

/// Complete files of a page: its blocks of YAML, and marked lines within them.
pub fn examples(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut section, mut is_by_line) = (String::new(), false);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            line.clone_into(&mut section);
            is_by_line = false;
        } else if line == "Each line is a file of its own:" {
            is_by_line = true;
        } else if line == "```yaml" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let files = match is_by_line {
                true => block.iter().map(ToString::to_string).collect(),
                false => vec![block.join("\n")],
            };
            found.extend(files.into_iter().map(|file| (section.clone(), file)));
        }
    }
    found
}

/// The reference of all files.
pub fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    std::fs::read_to_string(page).expect("the page exists")
}

/// The errors of a file, depending on its kind.
pub fn judged(file: &str, folder: &Path) -> Result<(), String> {
    if suite::builtin::is_suite(file) {
        let read = suite::builtin::parse("the example", file, None);
        return read.map(drop).map_err(|error| error.to_string());
    }
    if file.contains("steady_state") {
        let path = folder.join("drill.yaml");
        std::fs::write(&path, file).expect("writable");
        let read = suite::drill::Drill::read(&path);
        return read.map(drop).map_err(|error| error.to_string());
    }
    if read::yaml(file).is_ok_and(|file| file.get("components").is_some()) {
        let read = target_systems::System::read(file);
        return read.map(drop).map_err(|error| error.to_string());
    }
    let source = Source {
        origin: "the example".to_owned(),
        text: file.to_owned(),
        path: None,
    };
    let read = fleet::load_from(source, &[]).map_err(|error| error.to_string())?;
    // The orchestrator reads the policies of the file.
    let settings = orchestrator::Config::try_from(&read);
    settings.map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_example_of_the_configuration_is_a_sound_file() {
    let page = page();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples = examples(&page);
    assert!(examples.len() > 160, "{}", examples.len());
    let wrong: Vec<String> = examples
        .iter()
        .filter_map(|(section, file)| {
            let error = judged(file, folder.path()).err()?;
            Some(format!("{section}\n{file}\n{error}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A field with a limit on the page: its section, its name, its accepted values.
fn limited(page: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            heading.trim_end_matches('`').clone_into(&mut section);
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap_or_default().trim_end_matches('`');
            let kind = cells.next().unwrap_or_default();
            if kind.contains("number") {
                found.push((section.clone(), name.to_owned(), kind.to_owned()));
            }
        }
    }
    found
}

/// Values just outside the limits of `whole number from 1 to 10` and the like.
fn outside(kind: &str) -> Vec<Value> {
    let is_whole = kind.starts_with("whole");
    let value = |number: f64| match is_whole {
        true => json!(number as i64),
        false => json!(number),
    };
    let after = |words: &str| -> Option<f64> {
        let rest = kind.split(words).nth(1)?;
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    let or_more = kind
        .split(" or more")
        .next()
        .filter(|_| kind.contains("or more"));
    let or_more = or_more.and_then(|before| before.rsplit(' ').next()?.parse().ok());
    let step = if is_whole { 1.0 } else { 0.5 };
    let mut found = Vec::new();
    found.extend(after(" above "));
    found.extend(after(" below "));
    found.extend(after(" to ").map(|most| most + step));
    found.extend(after(" from ").map(|least: f64| least - step));
    found.extend(or_more.map(|least: f64| least - step));
    found.into_iter().map(value).collect()
}

/// The place of a field in a file: `<name>` is the first of its mapping, `[]` the first of its list.
pub fn place<'a>(file: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(file, |value, step| match step {
        "<name>" => value.as_object_mut()?.values_mut().next(),
        step => {
            let (name, is_list) = match step.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (step, false),
            };
            let value = value.get_mut(name)?;
            if is_list {
                value.get_mut(0)
            } else {
                Some(value)
            }
        }
    })
}

#[test]
fn numbers_outside_of_the_limits_of_the_page_are_refused() {
    let page = page();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples: Vec<Value> = examples(&page)
        .iter()
        .map(|(_, text)| read::yaml(text).expect("an example is YAML"))
        .collect();
    let (mut tried, mut wrong) = (0, Vec::new());
    for (section, name, kind) in limited(&page) {
        let path = format!("{section}.{name}");
        let with_field = examples.iter().find_map(|example| {
            let mut file = example.clone();
            place(&mut file, &path).filter(|value| value.is_number())?;
            Some(file)
        });
        let Some(file) = with_field else { continue };
        for value in outside(&kind) {
            let mut file = file.clone();
            *place(&mut file, &path).expect("it was there") = value.clone();
            tried += 1;
            if judged(&file.to_string(), folder.path()).is_ok() {
                wrong.push(format!("{path} is {kind}, but {value} is taken"));
            }
        }
    }
    assert!(tried > 160, "{tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn values_outside_of_limits_are_found_by_their_words() {
    for (kind, expected) in [
        ("number from 0 to 1", json!([1.5, -0.5])),
        ("whole number from 1 to 10, ms", json!([11, 0])),
        ("whole number, 1 or more, ms", json!([0])),
        ("number above 0, up to 1", json!([0.0, 1.5])),
        ("number above 0 and below 1", json!([0.0, 1.0])),
        ("number, per second", json!([])),
    ] {
        assert_eq!(json!(outside(kind)), expected, "{kind}");
    }
}
