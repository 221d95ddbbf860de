//! What the compiler does not check: crate directions, sizes, names, left-overs.

mod layers;
mod sources;

use std::path::Path;

/// Runs all checks and prints what they found. True: nothing.
pub fn run(root: &Path) -> bool {
    let found = findings(root);
    for finding in &found {
        println!("tidy: {finding}");
    }
    found.is_empty()
}

fn findings(root: &Path) -> Vec<String> {
    let mut found = layers::check(root);
    found.extend(sources::check(root));
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        assert_eq!(super::findings(&crate::root()), Vec::<String>::new());
    }
}
