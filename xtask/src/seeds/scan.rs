//! The tests that name ids.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::ids;

/// The tests that name an id, as `FILE::TEST`; a test that is a whole file is `FILE`.
pub(super) fn tests(root: &Path) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(root)? {
        // The tests of this module mention ids.
        if file.starts_with("xtask/src/seeds") {
            continue;
        }
        let text = std::fs::read_to_string(root.join(&file))
            .map_err(|error| format!("{file}: {error}"))?;
        let found = if file.ends_with(".rs") {
            of_rust(&text)
                .into_iter()
                .map(|(test, text)| (format!("{file}::{test}"), text))
                .collect()
        } else {
            vec![(file, text)]
        };
        for (holder, text) in found {
            for id in ids::of(&text) {
                named.entry(id).or_default().push(holder.clone());
            }
        }
    }
    Ok(named)
}

/// Rust files everywhere, and the test programs in other languages.
fn files(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
        ])
        .args(["*.rs", "tests/*.py", "tests/*.sh", "tests/*.mjs"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let is_a_load_test =
        |file: &&str| file.starts_with("tests/locust/") || file.starts_with("tests/performance/");
    let files = text.lines().filter(|file| !is_a_load_test(file));
    Ok(files
        .filter(|file| root.join(file).exists())
        .map(str::to_owned)
        .collect())
}

/// Name and text of each test function, including its documentation. It works on lines, since a parser does not see
/// tests inside macros.
fn of_rust(text: &str) -> Vec<(String, String)> {
    let mut tests = Vec::new();
    // Documentation and attributes since the last line that is neither.
    let (mut above, mut marked) = (String::new(), false);
    let mut open: Option<(String, String, String)> = None;
    for line in text.lines() {
        if let Some((name, end, mut body)) = open.take() {
            body.push_str(line);
            body.push('\n');
            if line == end {
                tests.push((name, body));
            } else {
                open = Some((name, end, body));
            }
            continue;
        }
        let code = line.trim_start();
        if code.starts_with("///") || code.starts_with("#[") {
            marked |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
            above.push_str(code);
            above.push('\n');
            continue;
        }
        if let Some(name) = function(code).filter(|_| marked) {
            let indent = &line[..line.len() - code.len()];
            open = Some((
                name.to_owned(),
                format!("{indent}}}"),
                format!("{above}{line}\n"),
            ));
        }
        above.clear();
        marked = false;
    }
    tests
}

fn function(code: &str) -> Option<&str> {
    let rest = code
        .strip_prefix("async ")
        .unwrap_or(code)
        .strip_prefix("fn ")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_its_documentation_its_name_and_its_body() {
        let text = "/// One.\n#[test]\nfn first() {\n    two();\n}\n\n/// Three.\nfn no_test() {}\n\nmod m {\n    #[tokio::test(flavor = \"x\")]\n    async fn second() {\n        four();\n    }\n}\n";
        let found = of_rust(text);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        assert!(found[0].1.contains("One") && found[0].1.contains("two"));
        assert!(!found[1].1.contains("Three") && found[1].1.contains("four"));
    }
}
