//! Links of the pages: each leads to an existing file and heading.

use std::path::{Path, PathBuf};

use crate::links;

pub(super) fn check(root: &Path, pages: &[PathBuf]) -> Vec<String> {
    pages
        .iter()
        .flat_map(|page| check_page(root, page))
        .collect()
}

fn check_page(root: &Path, page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root.join(page)).unwrap_or_default();
    let targets = links::targets(&text).into_iter();
    targets
        .filter_map(|target| {
            let (path, heading) = links::resolve(page, target)?;
            let fault = fault(&root.join(&path), &heading)?;
            Some(format!("{}: the link to {target}: {fault}", page.display()))
        })
        .collect()
}

fn fault(path: &Path, heading: &str) -> Option<&'static str> {
    if !path.exists() {
        return Some("there is no such file");
    }
    if heading.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let is_there = links::headings(&text).contains(heading);
    (!is_there).then_some("the page has no such heading")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let folder = std::env::temp_dir().join(format!("sparring-pages-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let page = "# One\n[a](#one) [b](#two) [c](none.md) [d](https://example.com)\n";
        std::fs::write(folder.join("page.md"), page).expect("writable");
        let found = check(&folder, &[PathBuf::from("page.md")]);
        std::fs::remove_dir_all(&folder).expect("its own folder");
        assert_eq!(
            found,
            [
                "page.md: the link to #two: the page has no such heading",
                "page.md: the link to none.md: there is no such file",
            ]
        );
    }
}
