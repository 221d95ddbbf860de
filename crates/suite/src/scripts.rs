//! Checks that the scripts and drills of a suite file exist and export the required functions.

use std::path::Path;

use live_config::ConfigErrors;

use crate::file::SuiteFile;

/// Adds an error for each file that is missing from `folder`, the suite file's own, and for each
/// function that its script does not export.
pub fn check(file: &SuiteFile, folder: &Path, errors: &mut ConfigErrors) {
    for (name, class) in &file.classes {
        let path = format!("classes.{name}");
        match live_config::read::file(&folder.join(&class.script)) {
            Ok(text) if exports(&text, &class.exec) => {}
            Ok(_) => errors.add(
                format!("{path}.exec"),
                format!(
                    "{} exports no function `{}`",
                    class.script.display(),
                    class.exec
                ),
            ),
            Err(error) => errors.add(
                format!("{path}.script"),
                format!("{} cannot be read: {error}", class.script.display()),
            ),
        }
    }
    if let Some(locust) = &file.locust
        && !folder.join(&locust.file).is_file()
    {
        errors.add("locust.file", format!("no file {}", locust.file.display()));
    }
    for (name, test) in &file.tests {
        let own = (format!("tests.{name}"), &test.drills);
        let parts = test.parts.iter();
        let parts = parts.map(|(part, of)| (format!("tests.{name}.parts.{part}"), &of.drills));
        for (path, drills) in std::iter::once(own).chain(parts) {
            for (place, drill) in drills.iter().flatten().enumerate() {
                if !folder.join(drill).is_file() {
                    errors.add(
                        format!("{path}.drills[{place}]"),
                        format!("no file {}", drill.display()),
                    );
                }
            }
        }
    }
}

/// Whether a module may export the name. The text is searched, not run: anything that could be an export
/// counts as one, so that no working script is rejected.
fn exports(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let has_name = |text: &str| text.split(|c| !is_word(c)).any(|word| word == name);
    // CommonJS, and modules that re-export names of another file.
    if text.contains("exports") || text.replace(char::is_whitespace, "").contains("export*") {
        return true;
    }
    text.match_indices("export").any(|(at, export)| {
        let rest = text[at + export.len()..].trim_start();
        // A list of names, or one declaration: up to its body or value.
        let end = if rest.starts_with('{') {
            rest.find('}')
        } else if rest.starts_with("default") {
            return name == "default";
        } else {
            rest.find(['(', '=', ';'])
        };
        has_name(&rest[..end.unwrap_or(rest.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::exports;

    #[test]
    fn exports_are_found_in_each_of_their_forms() {
        for text in [
            "export function user() {}",
            "export async function user () {}",
            "export const user = () => {};",
            "export let other = 1; export const user = 1",
            "function a() {}\nexport { a as user };",
            "export const { user, other } = made();",
            "export * from './other.js';",
            "module.exports.user = 1;",
        ] {
            assert!(exports(text, "user"), "{text}");
        }
        assert!(exports("export default function () {}", "default"));
        for text in [
            "function user() {}",
            "export function users() {}",
            "export default function user() {}",
            "export function other() { user(); }",
            "",
        ] {
            assert!(!exports(text, "user"), "{text}");
        }
    }
}
