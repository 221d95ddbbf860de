//! The requirements of a module before it runs: its imports and its `use k6` directives.

use oxc_ast::ast::{ImportDeclarationSpecifier, ModuleExportName, Program, Statement};

use crate::parsed::with_tree;

/// The specifiers of a module in the order of its text, and its directives.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// `./x.js` of `import … from './x.js'` and `export … from './x.js'`.
    pub specifiers: Vec<String>,
    /// Those of `export * from './x.js'`.
    pub stars: Vec<String>,
    /// Those of which the default export is taken: `import x from './x.js'` and the like.
    pub defaults: Vec<String>,
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
        defaults: program.body.iter().filter_map(default).collect(),
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

fn default(statement: &Statement<'_>) -> Option<String> {
    let is_default = |name: &ModuleExportName<'_>| name.name() == "default";
    let (takes, source) = match statement {
        Statement::ImportDeclaration(import) => {
            let takes = import.specifiers.iter().flatten().any(|one| match one {
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => true,
                ImportDeclarationSpecifier::ImportSpecifier(one) => is_default(&one.imported),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => false,
            });
            (takes, &import.source)
        }
        Statement::ExportFromDeclaration(export) => {
            let takes = export.specifiers.iter().any(|one| is_default(&one.local));
            (takes, &export.source)
        }
        _ => return None,
    };
    takes.then(|| source.value.to_string())
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
        assert_eq!(read.defaults, ["b"]);
        assert_eq!(read.directives, ["use k6 >= 1.0", "use k6 with k6/x/faker"]);
    }

    #[test]
    fn defaults_are_imported_and_passed_on() {
        let text = "import * as a from 'a'; import { default as b } from 'b'; import c, * as cs from 'c'; import { d } from 'd';\n\
            export { default } from 'e'; export { default as f } from 'f'; export { g as h } from 'g'; export * from 'h';";
        let read = read(text).expect("it can be parsed");
        assert_eq!(read.defaults, ["b", "c", "e", "f"]);
    }

    #[test]
    fn what_is_no_javascript_is_not_read() {
        assert_eq!(read("import from from"), None);
    }
}
