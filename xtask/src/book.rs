//! The book of docs/: mdBook's pages, and the files of the repository that they link to.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::links;

/// The folder of the book. Its pages are one folder further down, as docs/ is in the repository, so that links out of
/// docs/ lead to the copies.
const BOOK: &str = "target/book";

const FRONT_DOOR: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>sparring</title>\n\
    <meta http-equiv=\"refresh\" content=\"0; url=docs/index.html\">\n\
    <a href=\"docs/index.html\">The documentation</a>\n";

/// Builds the book. Returns whether it succeeded.
pub fn run(root: &Path) -> bool {
    match build(root) {
        Ok(copied) => {
            println!("book: {BOOK}/index.html, with {copied} files that it links to");
            true
        }
        Err(why) => {
            println!("book: {why}");
            false
        }
    }
}

fn build(root: &Path) -> Result<usize, String> {
    let book = root.join(BOOK);
    if book.exists() {
        std::fs::remove_dir_all(&book).map_err(told)?;
    }
    let built = Command::new("mdbook")
        .args(["build", "docs"])
        .current_dir(root)
        .status();
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("mdbook: {status}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                "mdbook is missing; install it with `cargo install --locked mdbook`".to_owned(),
            );
        }
        Err(error) => return Err(format!("mdbook: {error}")),
    }
    let outside = outside(root).map_err(told)?;
    for path in &outside {
        copy(&root.join(path), &book.join(path)).map_err(told)?;
    }
    // mdBook calls the page of a README index.html, and leaves links to it as they are.
    let guides = book.join("docs/guides");
    std::fs::copy(guides.join("index.html"), guides.join("README.html")).map_err(told)?;
    std::fs::write(book.join("index.html"), FRONT_DOOR).map_err(told)?;
    Ok(outside.len())
}

fn told(error: io::Error) -> String {
    error.to_string()
}

/// The files outside docs/ that its pages link to.
fn outside(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let page = path.strip_prefix(root).unwrap_or(&path);
                let text = std::fs::read_to_string(&path)?;
                let targets = links::targets(&text).into_iter();
                let files = targets.filter_map(|target| links::resolve(page, target));
                found.extend(files.map(|(file, _)| file));
            }
        }
    }
    found.retain(|path| !path.starts_with("docs"));
    found.sort();
    found.dedup();
    Ok(found)
}

/// Copies a file, or a folder with its content.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(from, to).map(drop)
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_outside_of_docs_that_pages_link_to_are_found() {
        let outside = super::outside(&crate::root()).expect("the pages are there");
        let names: Vec<String> = outside
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert!(
            names.contains(&"docker-compose.test.yml".to_owned()),
            "{names:?}"
        );
        assert!(
            names.iter().all(|name| !name.starts_with("docs/")),
            "{names:?}"
        );
    }
}
