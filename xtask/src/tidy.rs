//! What the compiler does not check: crate directions, circles, sizes, names, parameters, left-overs, links of the
//! pages.

mod circles;
mod layers;
mod modules;
mod pages;
mod parameters;
mod purity;
mod sources;

use std::path::Path;

/// Runs all checks, and prints the sizes of the crates and the findings. Returns whether there are none.
pub fn run(root: &Path) -> bool {
    if let Ok(standings) = circles::standings(root) {
        print!("{}", circles::report(&standings));
    }
    let found = findings(root);
    for finding in &found {
        println!("tidy: {finding}");
    }
    found.is_empty()
}

fn findings(root: &Path) -> Vec<String> {
    let mut found = layers::check(root);
    match sources::tracked(root, "*.rs") {
        Ok(files) => found.extend(sources::check(root, &files)),
        Err(message) => found.push(message),
    }
    match sources::tracked(root, "*.md") {
        Ok(pages) => found.extend(pages::check(root, &pages)),
        Err(message) => found.push(message),
    }
    found.extend(purity::check(root));
    found.extend(parameters::check(root));
    match circles::standings(root) {
        Ok(standings) => found.extend(circles::check(&standings)),
        Err(message) => found.push(message),
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        assert_eq!(super::findings(&crate::root()), Vec::<String>::new());
    }
}
