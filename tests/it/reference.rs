//! The examples of docs/CONFIGURATION.md are files that can be used.

use std::path::Path;

use fleet::Source;

/// Whole files of a page: its blocks of YAML, and the lines of those that say so.
fn examples(page: &str) -> Vec<(String, String)> {
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

/// What is wrong with a file, by what kind of file it is.
fn judged(file: &str, folder: &Path) -> Result<(), String> {
    if suite::builtin::is_suite(file) {
        let read = suite::builtin::parse("the example", file, None);
        return read.map(drop).map_err(|error| error.to_string());
    }
    if file.contains("steady_state:") {
        let path = folder.join("drill.yaml");
        std::fs::write(&path, file).expect("writable");
        let read = suite::drill::Drill::read(&path);
        return read.map(drop).map_err(|error| error.to_string());
    }
    let source = Source {
        origin: "the example".to_owned(),
        text: file.to_owned(),
        path: None,
    };
    let read = fleet::load_from(source, &[]);
    read.map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_example_of_the_configuration_is_a_sound_file() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples = examples(&page);
    assert!(examples.len() > 80, "{}", examples.len());
    let wrong: Vec<String> = examples
        .iter()
        .filter_map(|(section, file)| {
            let error = judged(file, folder.path()).err()?;
            Some(format!("{section}\n{file}\n{error}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
