//! Names that a script declares twice, which are rejected or accepted as in k6's engine.
//!
//! k6's engine differs from the standard here and there: functions at the top level of a module may be declared twice
//! (the last one counts), an import may clash with a `var`, and every script is strict. The engine that runs scripts
//! here differs elsewhere. So declarations are checked before the text is compiled, and a function that a later one
//! replaces gets another name of the same length, so that all places stay unchanged.

use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    ArrowFunctionBody, ArrowFunctionExpression, BindingIdentifier, BindingPattern, BlockStatement,
    CatchClause, Class, ClassElement, Declaration, ExportDefaultDeclarationKind, Expression,
    ForInStatement, ForOfStatement, ForStatement, ForStatementInit, ForStatementLeft,
    FormalParameters, Function, ImportDeclarationSpecifier, MethodDefinitionKind, ObjectExpression,
    ObjectPropertyKind, Program, Statement, StaticBlock, SwitchStatement, VariableDeclaration,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::parsed::with_any_tree;

/// The reason why a script cannot be compiled, in k6's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Clash {
    pub error: ErrorKind,
    pub said: String,
    /// The byte offset of the error, if k6 reports it.
    pub at: Option<usize>,
}

/// The class of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Syntax,
    /// k6 notices it only when it evaluates the module.
    Type,
}

/// Checks a script for names that are declared twice. Returns the text to compile, if it differs; `names` are those
/// that every CommonJS script has.
///
/// # Errors
/// Two declarations that exclude each other. A text that cannot be parsed has none.
pub fn check(text: &str, is_module: bool, names: &[&str]) -> Result<Option<String>, Clash> {
    let checked = with_any_tree(text, is_module, |program| {
        let mut checker = Checker::default();
        checker.program(program, is_module, names);
        match checker.clash {
            Some(clash) => Err(clash),
            None => Ok(checker.replaced),
        }
    });
    match checked.unwrap_or(Ok(Vec::new()))? {
        replaced if replaced.is_empty() => Ok(None),
        replaced => Ok(rename(text, &replaced)),
    }
}

/// The line and the column of a byte, as k6 counts them: from 1, the column in bytes.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    (lines + 1, before.len() - line_start + 1)
}

/// A function of a module that a later one replaces.
struct Replaced {
    name: Span,
    /// `export` or `export default` before it.
    export: Option<(Span, bool)>,
}

/// The text in which replaced functions have unique names.
fn rename(text: &str, replaced: &[Replaced]) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut used: HashSet<String> = text.split(|c| !is_part(c)).map(str::to_owned).collect();
    let mut bytes = text.as_bytes().to_vec();
    let mut exports = String::new();
    for Replaced { name, export } in replaced {
        let range = name.start as usize..name.end as usize;
        let own = &text[range.clone()];
        let last = own.chars().next_back()?.len_utf8();
        let begin = &own[..own.len() - last];
        let ends = ('a'..='z').chain('A'..='Z').chain(['_', '$']);
        let mut candidates = ends.map(|end| format!("{begin}{}{end}", "$".repeat(last - 1)));
        let other = candidates.find(|name| !used.contains(name))?;
        bytes[range].copy_from_slice(other.as_bytes());
        used.insert(other);
        if let Some((words, is_default)) = export {
            bytes[words.start as usize..words.end as usize].fill(b' ');
            let exported = if *is_default { "default" } else { own };
            exports.push_str(&format!("\nexport {{ {own} as {exported} }};"));
        }
    }
    String::from_utf8(bytes).ok().map(|text| text + &exports)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Function,
    Block,
}

/// The names of a scope, and where they are declared.
struct Scope {
    kind: Kind,
    functions: HashMap<String, u32>,
    lexical: HashMap<String, u32>,
}

#[derive(Default)]
struct Checker {
    scopes: Vec<Scope>,
    clash: Option<Clash>,
    replaced: Vec<Replaced>,
}

/// A function, class, `let` or `const` among the statements of a scope.
enum Declared<'b, 'a> {
    Function(&'b Function<'a>, Option<(Span, bool)>),
    Class(&'b Class<'a>),
    Variables(&'b VariableDeclaration<'a>),
}

impl<'b, 'a> Declared<'b, 'a> {
    fn of(statement: &'b Statement<'a>) -> Option<Self> {
        let before = |whole: Span, inner: Span| Span::new(whole.start, inner.start);
        match statement {
            Statement::FunctionDeclaration(function) => Some(Self::Function(function, None)),
            Statement::ClassDeclaration(class) => Some(Self::Class(class)),
            Statement::VariableDeclaration(variables) => Some(Self::Variables(variables)),
            Statement::ExportDeclaration(export) => match &export.declaration {
                Declaration::FunctionDeclaration(function) => {
                    let words = before(export.span, function.span);
                    Some(Self::Function(function, Some((words, false))))
                }
                Declaration::ClassDeclaration(class) => Some(Self::Class(class)),
                Declaration::VariableDeclaration(variables) => Some(Self::Variables(variables)),
                _ => None,
            },
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                    let words = before(export.span, function.span);
                    Some(Self::Function(function, Some((words, true))))
                }
                ExportDefaultDeclarationKind::ClassDeclaration(class) => Some(Self::Class(class)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The names that a pattern binds.
#[derive(Default)]
struct Bound(Vec<(String, u32)>);

impl<'a> Visit<'a> for Bound {
    fn visit_binding_identifier(&mut self, name: &BindingIdentifier<'a>) {
        self.0.push((name.name.to_string(), name.span.start));
    }

    fn visit_expression(&mut self, _: &Expression<'a>) {}
}

impl Bound {
    fn by(pattern: &BindingPattern<'_>) -> Vec<(String, u32)> {
        let mut bound = Self::default();
        bound.visit_binding_pattern(pattern);
        bound.0
    }

    fn by_all(variables: &VariableDeclaration<'_>) -> Vec<(String, u32)> {
        let all = variables.declarations.iter();
        all.flat_map(|one| Self::by(&one.id)).collect()
    }
}

impl Checker {
    fn note(&mut self, said: String, at: Option<u32>) {
        let at = at.map(|at| at as usize);
        let error = ErrorKind::Syntax;
        self.clash.get_or_insert(Clash { error, said, at });
    }

    fn twice(&mut self, name: &str, at: u32) {
        self.note(
            format!("Identifier '{name}' has already been declared"),
            Some(at),
        );
    }

    fn program(&mut self, program: &Program<'_>, is_module: bool, names: &[&str]) {
        let mut exports = HashSet::new();
        let mut taken: HashSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for statement in &program.body {
            for name in exported(statement) {
                if !exports.insert(name.clone()) {
                    self.note(format!("Duplicate export name {name}"), None);
                }
            }
            if let Statement::ImportDeclaration(import) = statement {
                for local in import
                    .specifiers
                    .iter()
                    .flatten()
                    .map(ImportDeclarationSpecifier::local)
                {
                    if !taken.insert(local.name.to_string()) {
                        self.note(format!("duplicate bounded name {}", local.name), None);
                    }
                }
            }
        }
        let kind = if is_module {
            Kind::Module
        } else {
            Kind::Function
        };
        if is_module {
            self.variables_behind_imports(program, &taken);
        }
        self.scope(&program.body.iter().collect::<Vec<_>>(), kind, &taken);
        if is_module {
            self.functions_like_imports(program, &taken);
        }
    }

    /// A function with the name of an import is assigned to it, and imports are constants.
    fn functions_like_imports(&mut self, program: &Program<'_>, imported: &HashSet<String>) {
        for statement in &program.body {
            let Some(Declared::Function(function, _)) = Declared::of(statement) else {
                continue;
            };
            let id = function.id.as_ref();
            let Some(id) = id.filter(|id| imported.contains(id.name.as_str())) else {
                continue;
            };
            if !is_plain(function) {
                self.twice(&id.name, id.span.end);
            }
            self.clash.get_or_insert(Clash {
                error: ErrorKind::Type,
                said: "Assignment to constant variable.".to_owned(),
                at: Some(statement.span().start as usize),
            });
        }
    }

    /// A `var` with the name of an import is not visible to any code, since the name means the import.
    fn variables_behind_imports(&mut self, program: &Program<'_>, imported: &HashSet<String>) {
        for statement in &program.body {
            let Statement::VariableDeclaration(variables) = statement else {
                continue;
            };
            for one in variables
                .declarations
                .iter()
                .filter(|_| variables.kind.is_var())
            {
                if let BindingPattern::BindingIdentifier(id) = &one.id
                    && imported.contains(id.name.as_str())
                {
                    let (name, export) = (id.span, None);
                    self.replaced.push(Replaced { name, export });
                }
            }
        }
    }

    /// Checks the statements of a scope, whose lexical names must not be among `taken`.
    fn scope(&mut self, statements: &[&Statement<'_>], kind: Kind, taken: &HashSet<String>) {
        let mut scope = Scope {
            kind,
            functions: HashMap::new(),
            lexical: HashMap::new(),
        };
        let declared: Vec<Declared<'_, '_>> = statements
            .iter()
            .filter_map(|statement| Declared::of(statement))
            .collect();
        self.functions(&declared, &mut scope);
        for one in &declared {
            let names = match one {
                Declared::Class(class) => {
                    let names = class.id.iter();
                    names
                        .map(|id| (id.name.to_string(), id.span.start))
                        .collect()
                }
                Declared::Variables(variables) if !variables.kind.is_var() => {
                    Bound::by_all(variables)
                }
                Declared::Function(function, _)
                    if kind == Kind::Function && !is_plain(function) =>
                {
                    let names = function.id.iter();
                    // k6's engine reports a function at the end of its name.
                    names.map(|id| (id.name.to_string(), id.span.end)).collect()
                }
                _ => Vec::new(),
            };
            for (name, at) in names {
                let is_known = scope.functions.contains_key(&name) || taken.contains(&name);
                if is_known || scope.lexical.insert(name.clone(), at).is_some() {
                    self.twice(&name, at);
                }
            }
        }
        self.scopes.push(scope);
        for statement in statements {
            self.visit_statement(statement);
        }
        self.scopes.pop();
    }

    /// The functions of a scope: plain ones first. In a module and in a function, the last one of a name counts.
    fn functions(&mut self, declared: &[Declared<'_, '_>], scope: &mut Scope) {
        let mut last: HashMap<String, (Span, Option<(Span, bool)>)> = HashMap::new();
        let rounds: &[bool] = match scope.kind {
            Kind::Module => &[true, false],
            Kind::Function | Kind::Block => &[true],
        };
        for round_is_plain in rounds {
            for one in declared {
                let Declared::Function(function, export) = one else {
                    continue;
                };
                let Some(id) = &function.id else { continue };
                let is_of_round =
                    is_plain(function) == *round_is_plain || scope.kind == Kind::Block;
                if !is_of_round {
                    continue;
                }
                let (name, at) = (id.name.to_string(), id.span.start);
                let is_new = scope.functions.insert(name.clone(), at).is_none();
                let may_be_twice = scope.kind != Kind::Block && *round_is_plain;
                if !is_new && !may_be_twice {
                    self.twice(&name, id.span.end);
                }
                let before = last.insert(name, (id.span, *export));
                if let (Some((name, export)), Kind::Module) = (before, scope.kind) {
                    self.replaced.push(Replaced { name, export });
                }
            }
        }
    }

    /// A `var` belongs to its function, but no block in between may declare the name.
    fn var(&mut self, name: &str, at: u32) {
        for index in (0..self.scopes.len()).rev() {
            let scope = &self.scopes[index];
            let lexical = scope.lexical.get(name).copied();
            let has_function = scope.functions.contains_key(name);
            let clash = match scope.kind {
                Kind::Block => (lexical.is_some() || has_function).then_some(at),
                Kind::Function => lexical,
                Kind::Module => lexical.or(has_function.then_some(at)),
            };
            let is_outermost = scope.kind != Kind::Block;
            if let Some(at) = clash {
                self.twice(name, at);
            }
            if clash.is_some() || is_outermost {
                return;
            }
        }
    }

    fn parameters(&mut self, parameters: &FormalParameters<'_>) -> HashSet<String> {
        let mut bound = Bound::default();
        bound.visit_formal_parameters(parameters);
        let mut names = HashSet::new();
        for (name, at) in bound.0 {
            if !names.insert(name) {
                let said = "Duplicate parameter name not allowed in this context".to_owned();
                self.note(said, Some(at));
            }
        }
        names
    }

    /// Visits the content of a scope with these names.
    fn within(&mut self, names: Vec<(String, u32)>, walk: impl FnOnce(&mut Self)) {
        let mut lexical = HashMap::new();
        for (name, at) in names {
            if lexical.insert(name.clone(), at).is_some() {
                self.twice(&name, at);
            }
        }
        self.scopes.push(Scope {
            kind: Kind::Block,
            functions: HashMap::new(),
            lexical,
        });
        walk(self);
        self.scopes.pop();
    }

    /// Visits the parameters of a function, then its body.
    fn function(&mut self, parameters: &FormalParameters<'_>, body: &[&Statement<'_>]) {
        let names = self.parameters(parameters);
        self.scopes.push(Scope {
            kind: Kind::Function,
            functions: HashMap::new(),
            lexical: HashMap::new(),
        });
        walk::walk_formal_parameters(self, parameters);
        self.scopes.pop();
        self.scope(body, Kind::Function, &names);
    }
}

fn is_plain(function: &Function<'_>) -> bool {
    !function.r#async && !function.generator
}

/// The names that a statement exports.
fn exported(statement: &Statement<'_>) -> Vec<String> {
    match statement {
        Statement::ExportNamedDeclaration(export) => {
            let specifiers = export.specifiers.iter();
            specifiers
                .map(|one| one.exported.name().to_string())
                .collect()
        }
        Statement::ExportFromDeclaration(export) => {
            let specifiers = export.specifiers.iter();
            specifiers
                .map(|one| one.exported.name().to_string())
                .collect()
        }
        Statement::ExportDefaultDeclaration(_) => vec!["default".to_owned()],
        Statement::ExportDeclaration(_) => match Declared::of(statement) {
            Some(Declared::Function(function, _)) => {
                function.id.iter().map(|id| id.name.to_string()).collect()
            }
            Some(Declared::Class(class)) => class.id.iter().map(|id| id.name.to_string()).collect(),
            Some(Declared::Variables(variables)) => Bound::by_all(variables)
                .into_iter()
                .map(|(name, _)| name)
                .collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The `let` or `const` at the head of a loop.
fn head(variables: Option<&VariableDeclaration<'_>>) -> Vec<(String, u32)> {
    let lexical = variables.filter(|variables| !variables.kind.is_var());
    lexical.map(Bound::by_all).unwrap_or_default()
}

fn left<'b, 'a>(left: &'b ForStatementLeft<'a>) -> Option<&'b VariableDeclaration<'a>> {
    match left {
        ForStatementLeft::VariableDeclaration(variables) => Some(variables),
        _ => None,
    }
}

impl<'a> Visit<'a> for Checker {
    fn visit_block_statement(&mut self, block: &BlockStatement<'a>) {
        self.scope(
            &block.body.iter().collect::<Vec<_>>(),
            Kind::Block,
            &HashSet::new(),
        );
    }

    fn visit_static_block(&mut self, block: &StaticBlock<'a>) {
        self.scope(
            &block.body.iter().collect::<Vec<_>>(),
            Kind::Function,
            &HashSet::new(),
        );
    }

    fn visit_switch_statement(&mut self, switch: &SwitchStatement<'a>) {
        self.visit_expression(&switch.discriminant);
        for test in switch.cases.iter().filter_map(|case| case.test.as_ref()) {
            self.visit_expression(test);
        }
        let all = switch.cases.iter().flat_map(|case| &case.consequent);
        self.scope(&all.collect::<Vec<_>>(), Kind::Block, &HashSet::new());
    }

    fn visit_for_statement(&mut self, statement: &ForStatement<'a>) {
        let variables = match &statement.init {
            Some(ForStatementInit::VariableDeclaration(variables)) => Some(&**variables),
            _ => None,
        };
        self.within(head(variables), |checker| {
            walk::walk_for_statement(checker, statement);
        });
    }

    fn visit_for_in_statement(&mut self, statement: &ForInStatement<'a>) {
        let names = head(left(&statement.left));
        self.within(names, |checker| {
            walk::walk_for_in_statement(checker, statement);
        });
    }

    fn visit_for_of_statement(&mut self, statement: &ForOfStatement<'a>) {
        let names = head(left(&statement.left));
        self.within(names, |checker| {
            walk::walk_for_of_statement(checker, statement);
        });
    }

    fn visit_catch_clause(&mut self, clause: &CatchClause<'a>) {
        let names = clause
            .param
            .as_ref()
            .map(|caught| Bound::by(&caught.pattern));
        let names = names.unwrap_or_default();
        let taken = names.iter().map(|(name, _)| name.clone()).collect();
        self.within(names, |checker| {
            let body = clause.body.body.iter().collect::<Vec<_>>();
            checker.scope(&body, Kind::Block, &taken);
        });
    }

    fn visit_function(&mut self, function: &Function<'a>, _: ScopeFlags) {
        let body = function.body.iter().flat_map(|body| &body.statements);
        self.function(&function.params, &body.collect::<Vec<_>>());
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        match &function.body {
            ArrowFunctionBody::FunctionBody(body) => {
                self.function(
                    &function.params,
                    &body.statements.iter().collect::<Vec<_>>(),
                );
            }
            body => {
                self.function(&function.params, &[]);
                walk::walk_arrow_function_body(self, body);
            }
        }
    }

    fn visit_variable_declaration(&mut self, variables: &VariableDeclaration<'a>) {
        if variables.kind.is_var() {
            for (name, at) in Bound::by_all(variables) {
                self.var(&name, at);
            }
        }
        walk::walk_variable_declaration(self, variables);
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        let mut constructors = class.body.body.iter().filter_map(|element| match element {
            ClassElement::MethodDefinition(method) => {
                let is_one = method.kind == MethodDefinitionKind::Constructor;
                (is_one && method.value.body.is_some()).then_some(method.span.start)
            }
            _ => None,
        });
        if let Some(second) = constructors.nth(1) {
            self.note(
                "A class may only have one constructor".to_owned(),
                Some(second),
            );
        }
        walk::walk_class(self, class);
    }

    fn visit_object_expression(&mut self, object: &ObjectExpression<'a>) {
        let mut prototypes = object
            .properties
            .iter()
            .filter_map(|property| match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    let is_plain = !property.computed && !property.shorthand && !property.method;
                    let is_one = property.key.is_specific_static_name("__proto__");
                    (is_one && is_plain).then_some(property.key.span().start)
                }
                ObjectPropertyKind::SpreadProperty(_) => None,
            });
        if let Some(second) = prototypes.nth(1) {
            let said = "Duplicate __proto__ fields are not allowed in object literals".to_owned();
            self.note(said, Some(second));
        }
        walk::walk_object_expression(self, object);
    }
}

#[cfg(test)]
mod tests;
