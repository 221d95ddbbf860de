//! The requirements of a module before it runs: its imports and its `use k6` directives.

use oxc_ast::ast::{Program, Statement};

use crate::parsed::with_tree;

/// The specifiers of a module in the order of its text, and its directives.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// `./x.js` of `import … from './x.js'` and `export … from './x.js'`.
    pub specifiers: Vec<String>,
    /// Those of `export * from './x.js'`.
    pub stars: Vec<String>,
    /// `use k6 with k6/x/faker` and the like, as they are written.
    pub directives: Vec<String>,
}

/// Reads JavaScript. `None` when it cannot be parsed.
pub fn read(text: &str) -> Option<Imports> {
    with_tree(text, true, of)
}

fn of(program: &Program<'_>) -> Imports {
    let directives = program.directives.iter();
    Imports {
        specifiers: program.body.iter().filter_map(specifier).collect(),
        stars: program.body.iter().filter_map(star).collect(),
        directives: directives.map(|one| one.directive.to_string()).collect(),
    }
}

fn specifier(statement: &Statement<'_>) -> Option<String> {
    let source = match statement {
        Statement::ImportDeclaration(import) => Some(&import.source),
        Statement::ExportAllDeclaration(export) => Some(&export.source),
        Statement::ExportFromDeclaration(export) => Some(&export.source),
        _ => None,
    };
    source.map(|source| source.value.to_string())
}

fn star(statement: &Statement<'_>) -> Option<String> {
    match statement {
        Statement::ExportAllDeclaration(export) if export.exported.is_none() => {
            Some(export.source.value.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_and_directives_are_read() {
        let text = "'use k6 >= 1.0';\n\"use k6 with k6/x/faker\";\nimport 'a';\nimport b, { c } from 'b';\n\
            export * from 'c'; export { d } from 'd'; export const e = 1;\nrequire('f'); import('g');\n'use k6 with h'; // import 'i'";
        let read = read(text).expect("it can be parsed");
        assert_eq!(read.specifiers, ["a", "b", "c", "d"]);
        assert_eq!(read.stars, ["c"]);
        assert_eq!(read.directives, ["use k6 >= 1.0", "use k6 with k6/x/faker"]);
    }

    #[test]
    fn what_is_no_javascript_is_not_read() {
        assert_eq!(read("import from from"), None);
    }
}
