//! Sizes, names and left-overs of source files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The maximum number of lines of a source file without its tests.
const FILE_LINES: usize = 600;
const LIB_LINES: usize = 80;
const MAIN_LINES: usize = 60;

/// Names that only files below a folder may use. Written in two halves, like the marks below.
const FENCED: [(&str, &str); 1] = [(concat!("qjs", "::"), "crates/script-engine/")];

/// File names that say nothing about the content.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "misc", "helpers", "helper"];

/// Marks of unfinished work. Written in two halves, so that this file is not found.
const LEFT_OVERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X "),
    concat!("#[ig", "nore"),
];

pub(super) fn check(root: &Path, files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .flat_map(|file| check_file(root, file))
        .collect()
}

/// The files of this pattern that git tracks or would add.
pub(super) fn tracked(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            pattern,
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .map(PathBuf::from)
        .filter(|file| root.join(file).exists())
        .collect())
}

fn check_file(root: &Path, file: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root.join(file)) else {
        return vec![format!("{} cannot be read", file.display())];
    };
    let mut found = Vec::new();
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) {
        found.push(format!(
            "{}: the name says nothing; name the one idea inside",
            file.display()
        ));
    }
    let lines = shipped_lines(&text);
    let in_tests = file
        .components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "it");
    let limit = match stem {
        "lib" => LIB_LINES,
        "main" => MAIN_LINES,
        _ => FILE_LINES,
    };
    if lines > limit && !in_tests {
        found.push(format!(
            "{}: {lines} lines without tests, limit {limit}",
            file.display()
        ));
    }
    for (index, line) in text.lines().enumerate() {
        let mut fences = FENCED.iter();
        if let Some((name, folder)) =
            fences.find(|(name, folder)| line.contains(*name) && !file.starts_with(folder))
        {
            found.push(format!(
                "{}:{}: {name} may be named below {folder} only",
                file.display(),
                index + 1
            ));
        }
        if let Some(mark) = LEFT_OVERS.iter().find(|mark| line.contains(**mark)) {
            found.push(format!(
                "{}:{}: {mark}: finish it or file it",
                file.display(),
                index + 1
            ));
        }
    }
    found
}

/// Lines before the file's test module. The declaration of another file is a line like any other.
pub(super) fn shipped_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| {
            pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        })
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_test_module_do_not_count() {
        assert_eq!(shipped_lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(shipped_lines("a\n#[cfg(test)]\nfn x() {}\n"), 3);
        assert_eq!(shipped_lines("a\n#[cfg(test)]\nmod b;\nc\n"), 4);
    }
}
