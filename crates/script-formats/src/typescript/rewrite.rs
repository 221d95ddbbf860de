//! Rewrites TypeScript's constructs other than types as JavaScript on the same lines.

use std::collections::HashSet;

use oxc_ast::ast::{
    BindingPattern, Class, ClassElement, Declaration, Expression, FormalParameters, FunctionBody,
    MethodDefinition, MethodDefinitionKind, Statement, TSEnumDeclaration, TSEnumMember,
    TSEnumMemberName, TSNamespaceDeclaration, TSNamespaceDeclarationBody, VariableDeclaration,
};
use oxc_ast_visit::Visit;
use oxc_span::GetSpan;

use super::names::Names;
use super::strip::Stripper;

/// `enum E { A, B = 2 }` becomes a function that fills the object `E`; a member that another one's
/// initialiser names is bound as a constant too.
pub(super) fn enumeration(stripper: &mut Stripper<'_>, it: &TSEnumDeclaration<'_>) {
    let name = it.id.name.as_str();
    let initialisers = it
        .body
        .members
        .iter()
        .filter_map(|member| member.initializer.as_ref());
    let named: HashSet<String> = initialisers.flat_map(Names::referred_to).collect();
    stripper.edits.replace(
        it.span.start,
        it.body.span.start + 1,
        format!("var {name};(function({name}){{"),
    );
    let mut before = None;
    for member in &it.body.members {
        let key = member.id.static_name();
        let bind = named.contains(key.as_str())
            && key != name
            && matches!(member.id, TSEnumMemberName::Identifier(_));
        enum_member(stripper, member, &EnumPlace { name, before, bind });
        before = Some(key);
    }
    stripper.edits.replace(
        it.span.end - 1,
        it.span.end,
        format!("}})({name}||({name}={{}}));"),
    );
}

struct EnumPlace<'p> {
    name: &'p str,
    before: Option<oxc_str::Str<'p>>,
    bind: bool,
}

fn enum_member(stripper: &mut Stripper<'_>, member: &TSEnumMember<'_>, place: &EnumPlace<'_>) {
    let name = place.name;
    let key = member.id.static_name();
    let slot = format!("{name}[{}]", quoted(&key));
    let bind = if place.bind {
        format!("const {key}=")
    } else {
        String::new()
    };
    let reverse = format!(
        ";typeof {slot}!==\"string\"&&({name}[{slot}]={});",
        quoted(&key)
    );
    match &member.initializer {
        Some(value) => {
            stripper.edits.replace(
                member.span.start,
                value.span().start,
                format!("{bind}{slot}="),
            );
            stripper.visit_expression(value);
            let is_text = matches!(
                value,
                Expression::StringLiteral(_) | Expression::TemplateLiteral(_)
            );
            stripper.edits.insert(
                member.span.end,
                if is_text { ";".to_owned() } else { reverse },
            );
        }
        None => {
            let value = place.before.map_or_else(
                || "0".to_owned(),
                |key| format!("{name}[{}]+1", quoted(&key)),
            );
            let text = format!("{bind}{slot}={value}{reverse}");
            stripper
                .edits
                .replace(member.span.start, member.span.end, text);
        }
    }
    let comma = stripper.next_token(member.span.end);
    if stripper.source[comma as usize..].starts_with(',') {
        stripper.edits.blank(comma, comma + 1);
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `constructor(private x)` also assigns `this.x`, after the call of `super` if there is one.
pub(super) fn parameter_properties(stripper: &mut Stripper<'_>, class: &Class<'_>) {
    let Some((constructor, body)) = class.body.body.iter().find_map(constructor_of) else {
        return;
    };
    let assignments = assignments(stripper, &constructor.value.params);
    if assignments.is_empty() {
        return;
    }
    let call = class
        .heritage
        .as_ref()
        .and_then(|_| body.statements.iter().find(|s| is_super_call(s)));
    let at = match call {
        Some(call) => call.span().end,
        None => body
            .directives
            .last()
            .map_or(body.span.start + 1, |directive| directive.span.end),
    };
    let separator = if call.is_some() || !body.directives.is_empty() {
        ";"
    } else {
        ""
    };
    stripper
        .edits
        .insert(at, format!("{separator}{assignments}"));
}

fn constructor_of<'c, 'a>(
    element: &'c ClassElement<'a>,
) -> Option<(&'c MethodDefinition<'a>, &'c FunctionBody<'a>)> {
    match element {
        ClassElement::MethodDefinition(method)
            if method.kind == MethodDefinitionKind::Constructor =>
        {
            Some((method, method.value.body.as_deref()?))
        }
        _ => None,
    }
}

fn assignments(stripper: &mut Stripper<'_>, parameters: &FormalParameters<'_>) -> String {
    let mut text = String::new();
    for parameter in &parameters.items {
        if parameter.accessibility.is_none() && !parameter.readonly && !parameter.r#override {
            continue;
        }
        match &parameter.pattern {
            BindingPattern::BindingIdentifier(id) => {
                text.push_str(&format!("this.{0}={0};", id.name));
            }
            other => stripper.unsupported(other.span().start, "a destructured parameter property"),
        }
    }
    text
}

fn is_super_call(statement: &Statement<'_>) -> bool {
    let Statement::ExpressionStatement(statement) = statement else {
        return false;
    };
    matches!(&statement.expression, Expression::CallExpression(call) if matches!(call.callee, Expression::Super(_)))
}

/// Whether a namespace contains only types.
pub(super) fn is_empty_namespace(it: &TSNamespaceDeclaration<'_>) -> bool {
    match &it.body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => is_empty_namespace(inner),
        TSNamespaceDeclarationBody::TSModuleBlock(block) => {
            block.body.iter().all(is_type_statement)
        }
    }
}

fn is_type_statement(statement: &Statement<'_>) -> bool {
    let declaration = match statement {
        Statement::ExportDeclaration(export) => Some(&export.declaration),
        other => other.as_declaration(),
    };
    match declaration {
        Some(Declaration::TSInterfaceDeclaration(_) | Declaration::TSTypeAliasDeclaration(_)) => {
            true
        }
        Some(Declaration::TSNamespaceDeclaration(inner)) => is_empty_namespace(inner),
        _ => false,
    }
}

/// `namespace N { export const x = 1 }` becomes a function that fills the object `N`.
pub(super) fn namespace(stripper: &mut Stripper<'_>, it: &TSNamespaceDeclaration<'_>) {
    let name = it.id.name.as_str();
    let TSNamespaceDeclarationBody::TSModuleBlock(block) = &it.body else {
        return stripper.unsupported(it.span.start, "a dotted namespace");
    };
    stripper.edits.replace(
        it.span.start,
        block.span.start + 1,
        format!("var {name};(function({name}){{"),
    );
    for statement in &block.body {
        match statement {
            Statement::ExportDeclaration(export) if !is_type_statement(statement) => {
                stripper
                    .edits
                    .blank(export.span.start, export.declaration.span().start);
                namespace_export(stripper, name, &export.declaration);
                stripper.visit_declaration(&export.declaration);
            }
            Statement::ExportNamedDeclaration(export) => {
                stripper.unsupported(export.span.start, "an export list in a namespace");
            }
            other => stripper.visit_statement(other),
        }
    }
    stripper.edits.replace(
        it.span.end - 1,
        it.span.end,
        format!("}})({name}||({name}={{}}));"),
    );
}

fn namespace_export(stripper: &mut Stripper<'_>, name: &str, declaration: &Declaration<'_>) {
    let id = match declaration {
        Declaration::VariableDeclaration(it) => return namespace_variables(stripper, name, it),
        Declaration::FunctionDeclaration(it) => it.id.as_ref(),
        Declaration::ClassDeclaration(it) => it.id.as_ref(),
        Declaration::TSEnumDeclaration(it) => Some(&it.id),
        Declaration::TSNamespaceDeclaration(it) => Some(&it.id),
        _ => None,
    };
    if let Some(id) = id {
        stripper
            .edits
            .insert(declaration.span().end, format!(";{name}.{0}={0};", id.name));
    }
}

fn namespace_variables(stripper: &mut Stripper<'_>, name: &str, it: &VariableDeclaration<'_>) {
    for declarator in &it.declarations {
        match (&declarator.id, &declarator.init) {
            (BindingPattern::BindingIdentifier(id), Some(init)) => {
                stripper
                    .edits
                    .insert(init.span().start, format!("{name}.{}=", id.name));
            }
            (BindingPattern::BindingIdentifier(_), None) => {}
            (other, _) => {
                stripper.unsupported(other.span().start, "a destructured export of a namespace");
            }
        }
    }
}
