//! docs/SUMMARY.md, the table of contents of the book.

use std::fmt::Write;
use std::path::Path;

/// A part, and its pages with their titles in the table; an empty title stands for the page's own.
type Part = (&'static str, &'static [(&'static str, &'static str)]);

const PARTS: [Part; 3] = [
    (
        "Guides",
        &[
            ("guides/own-service.md", ""),
            ("guides/scripts.md", ""),
            ("guides/detectors.md", ""),
            ("guides/target-systems.md", ""),
            ("guides/fault-drills.md", ""),
            ("guides/ci.md", ""),
            ("guides/reports.md", ""),
            ("guides/many-machines.md", ""),
            ("guides/troubleshooting.md", ""),
        ],
    ),
    (
        "Reference",
        &[
            ("CLI.md", "Command line"),
            ("CONFIGURATION.md", ""),
            ("METRICS.md", ""),
            ("API.md", "HTTP APIs"),
            ("REPORTS.md", ""),
            ("JUDGING.md", ""),
            ("STACK.md", ""),
            ("K6-COMPATIBILITY.md", ""),
            ("BENCHMARKS.md", ""),
        ],
    ),
    (
        "The project",
        &[
            ("ARCHITECTURE.md", ""),
            ("CONTRIBUTING.md", ""),
            ("STYLE.md", ""),
        ],
    ),
];

pub fn page(root: &Path) -> String {
    let docs = root.join("docs");
    let mut page =
        "# Summary\n\n[Documentation](README.md)\n\n[Guides](guides/README.md)\n".to_owned();
    for (part, pages) in PARTS {
        let _ = write!(page, "\n# {part}\n\n");
        for (file, shown) in pages {
            let own = title(&docs.join(file));
            let shown = if shown.is_empty() { &own } else { *shown };
            let _ = writeln!(page, "- [{shown}]({file})");
        }
    }
    page.push_str("\n# Decisions\n\n");
    for name in decisions(&docs) {
        let file = format!("decisions/{name}");
        let _ = writeln!(page, "- [{}]({file})", title(&docs.join(&file)));
    }
    page
}

fn decisions(docs: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(docs.join("decisions"))
        .into_iter()
        .flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    names
}

/// The heading of a page.
fn title(page: &Path) -> String {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches('#').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    fn pages(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(below).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                pages(folder, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(folder).expect("below it");
                found.insert(name.display().to_string());
            }
        }
    }

    #[test]
    fn the_summary_names_every_page_once() {
        let folder = crate::root().join("docs");
        let mut there = BTreeSet::new();
        pages(&folder, &folder, &mut there);
        there.remove("SUMMARY.md");
        let summary = super::page(&crate::root());
        let links = summary.split("](").skip(1);
        let links: Vec<&str> = links.filter_map(|rest| rest.split(')').next()).collect();
        let named: BTreeSet<String> = links.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), links.len(), "a page is named twice");
        assert_eq!(named, there);
    }
}
