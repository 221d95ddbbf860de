//! The names of a program that are used as values, and those that are only types.

use std::collections::HashSet;

use oxc_ast::ast::{
    BindingIdentifier, ExportNamedDeclaration, ExportSpecifier, Expression, Function,
    IdentifierReference, ImportDeclaration, Program, TSClassImplements, TSImportEqualsDeclaration,
    TSInterfaceDeclaration, TSType, TSTypeAliasDeclaration, TSTypeAnnotation,
    TSTypeParameterDeclaration, TSTypeParameterInstantiation,
};
use oxc_ast_visit::{Visit, walk};
use oxc_syntax::scope::ScopeFlags;

/// Names by use. Scopes are ignored, so a name that is a value anywhere counts as a value everywhere (an
/// unneeded import may be kept, but a needed one is never dropped).
#[derive(Debug, Default)]
pub(super) struct Names {
    used: HashSet<String>,
    values: HashSet<String>,
    types: HashSet<String>,
}

impl Names {
    pub(super) fn of(program: &Program<'_>) -> Self {
        let mut names = Self::default();
        names.visit_program(program);
        names
    }

    /// Names that `expression` refers to.
    pub(super) fn referred_to(expression: &Expression<'_>) -> HashSet<String> {
        let mut names = Self::default();
        names.visit_expression(expression);
        names.used
    }

    /// Whether an imported name is referred to outside types.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Whether a name is declared in this file, and only as a type.
    pub(super) fn is_type_only(&self, name: &str) -> bool {
        self.types.contains(name) && !self.values.contains(name)
    }
}

impl<'a> Visit<'a> for Names {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.used.insert(it.name.to_string());
    }

    fn visit_binding_identifier(&mut self, it: &BindingIdentifier<'a>) {
        self.values.insert(it.name.to_string());
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        for specifier in it.specifiers.iter().flatten() {
            let type_only = it.import_kind.is_type() || super::strip::is_type_specifier(specifier);
            let set = if type_only {
                &mut self.types
            } else {
                &mut self.values
            };
            set.insert(specifier.local().name.to_string());
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if !it.export_kind.is_type() {
            walk::walk_export_named_declaration(self, it);
        }
    }

    fn visit_export_specifier(&mut self, it: &ExportSpecifier<'a>) {
        if !it.export_kind.is_type() {
            walk::walk_export_specifier(self, it);
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        if !it.import_kind.is_type() {
            walk::walk_ts_import_equals_declaration(self, it);
        }
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.types.insert(it.id.name.to_string());
    }

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.types.insert(it.id.name.to_string());
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if it.body.is_some() {
            walk::walk_function(self, it, flags);
        }
    }

    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
    fn visit_ts_type_annotation(&mut self, _: &TSTypeAnnotation<'a>) {}
    fn visit_ts_type_parameter_declaration(&mut self, _: &TSTypeParameterDeclaration<'a>) {}
    fn visit_ts_type_parameter_instantiation(&mut self, _: &TSTypeParameterInstantiation<'a>) {}
    fn visit_ts_class_implements(&mut self, _: &TSClassImplements<'a>) {}
}
