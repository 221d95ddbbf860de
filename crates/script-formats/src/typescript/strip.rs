//! The visitor of a TypeScript program that selects the text to blank.

use oxc_ast::ast::{
    AccessorProperty, ArrowFunctionExpression, Class, Declaration, ExportAllDeclaration,
    ExportDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind,
    ExportFromDeclaration, ExportNamedDeclaration, ExportSpecifier, Expression, FormalParameter,
    Function, ImportDeclaration, ImportDeclarationSpecifier, MethodDefinition,
    MethodDefinitionType, PropertyDefinition, PropertyDefinitionType, Statement, TSAsExpression,
    TSEnumDeclaration, TSExportAssignment, TSImportEqualsDeclaration, TSIndexSignature,
    TSInstantiationExpression, TSNamespaceDeclaration, TSNonNullExpression, TSSatisfiesExpression,
    TSThisParameter, TSTypeAnnotation, TSTypeAssertion, TSTypeParameterDeclaration,
    TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use super::edits::Edits;
use super::names::Names;
use super::rewrite;

/// Collects the edits that turn the program into JavaScript.
pub(super) struct Stripper<'s> {
    pub(super) source: &'s str,
    pub(super) edits: Edits,
    names: Names,
    unsupported: Option<(u32, &'static str)>,
}

impl<'s> Stripper<'s> {
    pub(super) fn new(source: &'s str, names: Names) -> Self {
        Self {
            source,
            edits: Edits::default(),
            names,
            unsupported: None,
        }
    }

    /// The edits, and the first construct that they cannot express.
    pub(super) fn finish(self) -> (Edits, Option<(u32, &'static str)>) {
        (self.edits, self.unsupported)
    }

    pub(super) fn unsupported(&mut self, at: u32, what: &'static str) {
        self.unsupported.get_or_insert((at, what));
    }

    fn blank_span(&mut self, span: Span) {
        self.edits.blank(span.start, span.end);
    }

    pub(super) fn blank_statement(&mut self, span: Span) {
        self.edits.blank_with(span.start, span.end, ';');
    }

    /// The offset of the first token at or after `from`.
    pub(super) fn next_token(&self, from: u32) -> u32 {
        let mut at = from as usize;
        loop {
            let rest = &self.source[at..];
            let trimmed = rest.trim_start();
            at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                at += trimmed.find("*/").map_or(trimmed.len(), |end| end + 2);
            } else {
                return at as u32;
            }
        }
    }

    fn starts_with(&self, at: u32, text: &str) -> bool {
        self.source[at as usize..].starts_with(text)
    }

    /// Blanks a one-character mark (`?` or `!`) after a name, or after the bracket of a computed one.
    fn blank_mark(&mut self, from: u32, mark: &str) {
        let mut at = self.next_token(from);
        while self.starts_with(at, "]") {
            at = self.next_token(at + 1);
        }
        if self.starts_with(at, mark) {
            self.edits.blank(at, at + 1);
        }
    }

    /// Blanks modifiers such as `private` between `start` and `end`; a member whose name could then
    /// be read as part of the line before gets a semicolon in front.
    fn blank_modifiers(&mut self, start: u32, end: u32, guard: bool) {
        let text = &self.source[start as usize..end as usize];
        let mut at = 0;
        while let Some(found) = text[at..].find(|c: char| c.is_ascii_alphabetic()) {
            let word_start = at + found;
            let rest = &text[word_start..];
            let length = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            let comment = text[..word_start]
                .rfind("/*")
                .is_some_and(|open| !text[open..word_start].contains("*/"));
            if !comment && MODIFIERS.contains(&&rest[..length]) {
                let lead = (guard && word_start == 0).then_some(';');
                let from = start + word_start as u32;
                self.edits.blank_with(from, from + length as u32, lead);
            }
            at = word_start + length;
        }
    }

    fn note_statement_end(&mut self, span: Span) {
        if !self.source[..span.end as usize].ends_with(';') {
            self.edits.statement_ends(span.end);
        }
    }

    fn blank_from_expression(&mut self, expression: &Expression<'_>, whole: Span) {
        self.edits.blank(expression.span().end, whole.end);
    }

    /// Blanks a list item with the comma after it.
    fn blank_item(&mut self, span: Span) {
        let comma = self.next_token(span.end);
        let end = if self.starts_with(comma, ",") {
            comma + 1
        } else {
            span.end
        };
        self.edits.blank(span.start, end);
    }

    fn strip_class_head(&mut self, it: &Class<'_>) {
        if it.r#abstract {
            let class = self.source[it.span.start as usize..]
                .find("class")
                .unwrap_or(0) as u32;
            self.blank_modifiers(it.span.start, it.span.start + class, false);
        }
        if let (Some(first), Some(last)) = (it.implements.first(), it.implements.last()) {
            let before = &self.source[..first.span.start as usize];
            let keyword = before.rfind("implements").unwrap_or(before.len());
            self.edits.blank(keyword as u32, last.span.end);
        }
    }

    /// A line end before `=>` is a syntax error, so if the return type contains one, the parenthesis before it
    /// moves after it.
    fn strip_arrow_return(&mut self, it: &ArrowFunctionExpression<'_>) {
        let Some(annotation) = &it.return_type else {
            return;
        };
        let span = annotation.span;
        let paren = it.params.span.end - 1;
        let between = &self.source[paren as usize..span.end as usize];
        if between.contains('\n') && self.starts_with(paren, ")") {
            self.edits.blank(paren, span.end - 1);
            self.edits.replace(span.end - 1, span.end, ")");
        } else {
            self.blank_span(span);
        }
    }

    /// The same for `async <T>(x)`: the parenthesis moves in front of the type parameters.
    fn strip_arrow_type_parameters(&mut self, it: &ArrowFunctionExpression<'_>) {
        let Some(parameters) = &it.type_parameters else {
            return;
        };
        let (span, paren) = (parameters.span, it.params.span.start);
        if self.source[span.start as usize..paren as usize].contains('\n')
            && self.starts_with(paren, "(")
        {
            self.edits.blank_with(span.start, paren + 1, '(');
        } else {
            self.blank_span(span);
        }
    }
}

const MODIFIERS: &[&str] = &[
    "public",
    "private",
    "protected",
    "readonly",
    "override",
    "abstract",
    "declare",
];

/// Whether one name of an import list is marked `type`.
pub(super) fn is_type_specifier(specifier: &ImportDeclarationSpecifier<'_>) -> bool {
    matches!(specifier, ImportDeclarationSpecifier::ImportSpecifier(it) if it.import_kind.is_type())
}

/// Whether a declaration has no JavaScript code.
fn is_erased(declaration: &Declaration<'_>) -> bool {
    match declaration {
        Declaration::TSInterfaceDeclaration(_)
        | Declaration::TSTypeAliasDeclaration(_)
        | Declaration::TSExternalModuleDeclaration(_)
        | Declaration::TSGlobalDeclaration(_) => true,
        Declaration::VariableDeclaration(it) => it.declare,
        Declaration::FunctionDeclaration(it) => it.declare || it.body.is_none(),
        Declaration::ClassDeclaration(it) => it.declare,
        Declaration::TSEnumDeclaration(it) => it.declare,
        Declaration::TSNamespaceDeclaration(it) => it.declare || rewrite::is_empty_namespace(it),
        Declaration::TSImportEqualsDeclaration(it) => it.import_kind.is_type(),
    }
}

impl<'a> Visit<'a> for Stripper<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        if let Some(declaration) = it.as_declaration()
            && is_erased(declaration)
        {
            return self.blank_statement(it.span());
        }
        match it {
            Statement::TSNamespaceExportDeclaration(it) => return self.blank_statement(it.span),
            Statement::ExpressionStatement(_)
            | Statement::VariableDeclaration(_)
            | Statement::ReturnStatement(_)
            | Statement::ThrowStatement(_)
            | Statement::ExportDefaultDeclaration(_)
            | Statement::TSExportAssignment(_) => self.note_statement_end(it.span()),
            _ => {}
        }
        walk::walk_statement(self, it);
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind.is_type() {
            return self.blank_statement(it.span);
        }
        let Some(specifiers) = &it.specifiers else {
            return;
        };
        let goes = |specifier: &ImportDeclarationSpecifier<'_>| {
            is_type_specifier(specifier) || !self.names.is_used(&specifier.local().name)
        };
        let going: Vec<Span> = specifiers
            .iter()
            .filter(|s| goes(s))
            .map(GetSpan::span)
            .collect();
        if going.len() == specifiers.len() && !specifiers.is_empty() {
            return self.blank_statement(it.span);
        }
        for span in going {
            self.blank_item(span);
        }
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        if is_erased(&it.declaration) {
            return self.blank_statement(it.span);
        }
        if matches!(it.declaration, Declaration::VariableDeclaration(_)) {
            self.note_statement_end(it.span);
        }
        walk::walk_export_declaration(self, it);
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind.is_type() {
            return self.blank_statement(it.span);
        }
        for specifier in &it.specifiers {
            self.strip_export(specifier, true);
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind.is_type() {
            return self.blank_statement(it.span);
        }
        for specifier in &it.specifiers {
            self.strip_export(specifier, false);
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind.is_type() {
            self.blank_statement(it.span);
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => {
                self.blank_statement(it.span);
            }
            ExportDefaultDeclarationKind::FunctionDeclaration(function)
                if function.body.is_none() =>
            {
                self.blank_statement(it.span);
            }
            _ => walk::walk_export_default_declaration(self, it),
        }
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if it.body.is_some() {
            walk::walk_function(self, it, flags);
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.strip_arrow_type_parameters(it);
        self.visit_formal_parameters(&it.params);
        self.strip_arrow_return(it);
        self.visit_arrow_function_body(&it.body);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        self.strip_class_head(it);
        if let Some(parameters) = &it.type_parameters {
            self.blank_span(parameters.span);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_class_heritage(heritage);
        }
        rewrite::parameter_properties(self, it);
        self.visit_class_body(&it.body);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.r#type == MethodDefinitionType::TSAbstractMethodDefinition || it.value.body.is_none()
        {
            return self.blank_span(it.span);
        }
        let guard = it.computed || it.value.generator;
        self.blank_modifiers(it.span.start, it.key.span().start, guard);
        if it.optional {
            self.blank_mark(it.key.span().end, "?");
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.blank_span(it.span);
        }
        self.blank_modifiers(it.span.start, it.key.span().start, it.computed);
        if it.optional {
            self.blank_mark(it.key.span().end, "?");
        }
        if it.definite {
            self.blank_mark(it.key.span().end, "!");
        }
        self.note_statement_end(it.span);
        walk::walk_property_definition(self, it);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.blank_modifiers(it.span.start, it.key.span().start, it.computed);
        walk::walk_accessor_property(self, it);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        self.blank_modifiers(it.span.start, it.pattern.span().start, false);
        if it.optional {
            self.blank_mark(it.pattern.span().end, "?");
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            self.blank_mark(it.id.span().end, "!");
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.blank_from_expression(&it.expression, it.span);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.blank_from_expression(&it.expression, it.span);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.blank_from_expression(&it.expression, it.span);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_instantiation_expression(&mut self, it: &TSInstantiationExpression<'a>) {
        self.blank_from_expression(&it.expression, it.span);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let span = it.expression.span();
        // Without its assertion such an expression could begin a statement and be read as a block.
        let bare = matches!(
            it.expression,
            Expression::ObjectExpression(_)
                | Expression::FunctionExpression(_)
                | Expression::ClassExpression(_)
        );
        self.edits
            .blank_with(it.span.start, span.start, bare.then_some('('));
        self.visit_expression(&it.expression);
        if bare {
            self.edits.insert(span.end, ")");
        }
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.blank_item(it.span);
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blank_span(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blank_span(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank_span(it.span);
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.blank_span(it.span);
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        rewrite::enumeration(self, it);
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        rewrite::namespace(self, it);
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.edits.replace(
            it.span.start,
            it.span.start + "import".len() as u32,
            "const ",
        );
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.edits.replace(
            it.span.start,
            it.expression.span().start,
            "module.exports = ",
        );
        self.visit_expression(&it.expression);
    }
}

impl Stripper<'_> {
    fn strip_export(&mut self, it: &ExportSpecifier<'_>, local: bool) {
        let type_only = local && self.names.is_type_only(&it.local.name());
        if it.export_kind.is_type() || type_only {
            self.blank_item(it.span);
        }
    }
}
