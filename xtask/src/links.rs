//! Links of Markdown pages, and their targets.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// The targets of a page's links and pictures, without those in code.
pub fn targets(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(page) {
        // Code is between every second pair of backticks.
        for text in line.split('`').step_by(2) {
            let links = text.split("](").skip(1);
            found.extend(links.filter_map(|rest| rest.split(')').next()));
        }
    }
    found
}

/// The file that a link of a page leads to, relative to the workspace, and the heading in it. `None` if it leads out of
/// the workspace.
pub fn resolve(page: &Path, target: &str) -> Option<(PathBuf, String)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.to_owned(),
        file => page.parent()?.join(file),
    };
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    Some((resolved, heading.to_owned()))
}

/// The targets for links in a page: the names of its headings on GitHub and in mdBook.
pub fn headings(page: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    let marked = prose(page).into_iter().filter(|line| line.starts_with('#'));
    for heading in marked {
        let name = slug(heading.trim_start_matches('#').trim());
        let mut again = 0;
        let mut unique = name.clone();
        while !found.insert(unique) {
            again += 1;
            unique = format!("{name}-{again}");
        }
    }
    found
}

fn slug(heading: &str) -> String {
    // The text of a link is part of the name, its target is not.
    let text: String = heading
        .split("](")
        .map(|part| part.split_once(')').map_or(part, |(_, rest)| rest))
        .collect();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

/// The lines outside code blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut is_code = false;
    page.lines()
        .filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_fence && !is_code
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let page = "[a](b.md) `[c](d)` and [`e`](f.md#g)\n```sh\n[h](i)\n```\n![j](k.png)";
        assert_eq!(targets(page), ["b.md", "f.md#g", "k.png"]);
    }

    #[test]
    fn a_link_starts_at_its_page() {
        let page = Path::new("docs/guides/ci.md");
        for (target, path, heading) in [
            ("reports.md", "docs/guides/reports.md", ""),
            ("../API.md#routes", "docs/API.md", "routes"),
            ("../../.env", ".env", ""),
            ("#github", "docs/guides/ci.md", "github"),
        ] {
            let found = resolve(page, target).expect("in the workspace");
            assert_eq!(found, (PathBuf::from(path), heading.to_owned()), "{target}");
        }
        assert_eq!(resolve(page, "https://k6.io"), None);
    }

    #[test]
    fn headings_have_the_names_that_links_use() {
        let page = "# `detectors.<name>.mock`\n```sh\n# code\n```\n## A [b](c.md), d\n## Twice\n## Twice\n";
        let expected = ["detectorsnamemock", "a-b-d", "twice", "twice-1"];
        let expected: HashSet<String> = expected.map(str::to_owned).into();
        assert_eq!(headings(page), expected);
    }
}
