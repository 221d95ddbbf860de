//! Data literals in scripts: found once, created once per runtime.
//!
//! A script with 200 KB of test data would create it again in every VU. An array or an object that consists
//! only of constants, and that is evaluated once because it is in the top-level code of a module, can be
//! created outside the script without a visible difference. So it is extracted from the text before the text is
//! compiled, and passed to each VU as an object that VUs share until they change it (see
//! `docs/decisions/0006-shared-built-ins.md`).

use oxc_ast::ast::{
    ArrayExpressionElement, ArrowFunctionExpression, Class, DoWhileStatement, Expression,
    ForInStatement, ForOfStatement, ForStatement, Function, ObjectPropertyKind, PropertyKey,
    PropertyKind, UnaryOperator, WhileStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::parsed::with_tree;

/// The minimum size in bytes of an extracted literal.
const LEAST_BYTES: usize = 1024;

/// Text without its large literals.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// The text with a name in place of each literal; everything else keeps its position.
    pub text: String,
    /// The names and the literals, in order.
    pub literals: Vec<(String, String)>,
}

/// Extracts large constant literals from the top-level code of a script or module. `None` when there are none,
/// or the text cannot be parsed.
pub fn cut(text: &str, is_module: bool) -> Option<Cut> {
    if text.len() < LEAST_BYTES {
        return None;
    }
    let spans = with_tree(text, is_module, |program| {
        let mut finder = Finder::default();
        finder.visit_program(program);
        finder.found
    })?;
    if spans.is_empty() {
        return None;
    }
    let mut prefix = "__literal".to_owned();
    while text.contains(&prefix) {
        prefix.push('_');
    }
    let mut cut = Cut {
        text: String::with_capacity(text.len()),
        literals: Vec::new(),
    };
    let mut done = 0;
    for (number, span) in spans.into_iter().enumerate() {
        let (start, end) = (span.start as usize, span.end as usize);
        let (name, literal) = (format!("{prefix}{number}"), &text[start..end]);
        cut.text.push_str(&text[done..start]);
        cut.text.push_str(&in_place_of(literal, &name));
        cut.literals.push((name, literal.to_owned()));
        done = end;
    }
    cut.text.push_str(&text[done..]);
    Some(cut)
}

/// The prefix of the name of the module that provides a module's literals. No script contains it by chance.
const MODULE: &str = "\u{1}literals:";

/// The statement that imports the literals of the module `owner` by their names.
pub fn import(owner: &str, names: &[&str]) -> String {
    let names: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(number, name)| format!("l{number} as {name}"))
        .collect();
    let names = names.join(",");
    let from = serde_json::Value::from(format!("{MODULE}{owner}"));
    format!("import{{{names}}}from{from};")
}

/// The owner of the literals, if `name` is that of a module that provides literals.
pub fn owner(name: &str) -> Option<&str> {
    name.strip_prefix(MODULE)
}

/// The name, with as many lines as the literal, so that the text after it keeps its column.
fn in_place_of(literal: &str, name: &str) -> String {
    let lines = literal.matches('\n').count();
    let last = literal.rsplit('\n').next().unwrap_or(literal);
    let taken = if lines == 0 { name.len() } else { 0 };
    let gap = last.chars().count().saturating_sub(taken);
    format!("{name}{}{}", "\n".repeat(lines), " ".repeat(gap))
}

/// Visits code that is evaluated once: not functions, classes and loops.
#[derive(Default)]
struct Finder {
    found: Vec<Span>,
}

impl<'a> Visit<'a> for Finder {
    fn visit_expression(&mut self, it: &Expression<'a>) {
        if let Expression::ArrayExpression(_) | Expression::ObjectExpression(_) = it {
            let span = it.span();
            if (span.size() as usize) < LEAST_BYTES {
                return;
            }
            if is_constant(it) {
                self.found.push(span);
                return;
            }
        }
        walk::walk_expression(self, it);
    }

    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}
    fn visit_arrow_function_expression(&mut self, _: &ArrowFunctionExpression<'a>) {}
    fn visit_class(&mut self, _: &Class<'a>) {}
    fn visit_for_statement(&mut self, _: &ForStatement<'a>) {}
    fn visit_for_in_statement(&mut self, _: &ForInStatement<'a>) {}
    fn visit_for_of_statement(&mut self, _: &ForOfStatement<'a>) {}
    fn visit_while_statement(&mut self, _: &WhileStatement<'a>) {}
    fn visit_do_while_statement(&mut self, _: &DoWhileStatement<'a>) {}
}

/// Whether evaluation is pure: always the same result, and no side effects.
fn is_constant(it: &Expression<'_>) -> bool {
    match it {
        Expression::BooleanLiteral(_)
        | Expression::NullLiteral(_)
        | Expression::NumericLiteral(_)
        | Expression::StringLiteral(_) => true,
        Expression::TemplateLiteral(template) => template.expressions.is_empty(),
        Expression::ParenthesizedExpression(inner) => is_constant(&inner.expression),
        Expression::UnaryExpression(unary) => {
            unary.operator == UnaryOperator::UnaryNegation
                && matches!(unary.argument, Expression::NumericLiteral(_))
        }
        Expression::ArrayExpression(array) => array.elements.iter().all(|element| match element {
            // A hole is not an item.
            ArrayExpressionElement::SpreadElement(_) | ArrayExpressionElement::Elision(_) => false,
            element => element.as_expression().is_some_and(is_constant),
        }),
        Expression::ObjectExpression(object) => object.properties.iter().all(|one| match one {
            ObjectPropertyKind::SpreadProperty(_) => false,
            ObjectPropertyKind::ObjectProperty(property) => {
                property.kind == PropertyKind::Init
                    && !(property.method || property.shorthand || property.computed)
                    && is_plain_key(&property.key)
                    && is_constant(&property.value)
            }
        }),
        _ => false,
    }
}

/// Whether the key defines a property; `__proto__` sets the prototype.
fn is_plain_key(key: &PropertyKey<'_>) -> bool {
    match key {
        PropertyKey::StaticIdentifier(name) => name.name != "__proto__",
        PropertyKey::StringLiteral(text) => text.value != "__proto__",
        PropertyKey::NumericLiteral(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(item: &str) -> String {
        format!("[{}]", format!("{item},").repeat(LEAST_BYTES / item.len()))
    }

    fn check(text: &str, expected: usize) {
        let found = cut(text, true).map_or(0, |cut| cut.literals.len());
        assert_eq!(found, expected, "{text:.60}");
    }

    #[test]
    fn large_constant_literals_of_top_level_code_are_found() {
        let data = big("{a: 1, 'b': [null, true, -2.5, `x`]}");
        check(&format!("const a = {data};"), 1);
        check(&format!("export const a = {data}, b = f({data});"), 2);
        check(&format!("export default {{ d: {data}, f: () => 1 }}"), 1);
        check(&format!("if (x) {{ try {{ a = {data} }} catch {{}} }}"), 1);
        check("const a = [1, 2];", 0);
    }

    #[test]
    fn repeated_or_variable_code_stays() {
        let data = big("{a: 1}");
        check(&format!("function f() {{ return {data} }}"), 0);
        check(&format!("const f = () => {data};"), 0);
        check(&format!("for (const a of {data}) {{}}"), 0);
        check(&format!("while (x) {{ a = {data} }}"), 0);
        check(&format!("class A {{ static a = {data} }}"), 0);
        for item in [
            "x",
            "f()",
            "{f() {}}",
            "{x}",
            "...[1]",
            "{get a() {}}",
            "{['a']: 1}",
            "/a/",
            "`${1}`",
            "{__proto__: null}",
            "{'__proto__': 1}",
            "function () {}",
            "undefined",
            "+1",
            "{...{}}",
        ] {
            check(&format!("const a = {};", big(item)), 0);
        }
        check(&format!("const a = [,{}];", "1,".repeat(LEAST_BYTES)), 0);
        check(&format!("const a = {data}; const = 1;"), 0);
    }

    #[test]
    fn all_other_code_keeps_its_position() {
        let literal = format!("[\n{}\n  ]", "'äöü',\n".repeat(200));
        let text = format!(
            "const __literal = 1;\nconst a = {literal}, b = {};c",
            big("12")
        );
        let cut = cut(&text, true).expect("two literals");
        let names: Vec<&str> = cut.literals.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["__literal_0", "__literal_1"]);
        let place = |text: &str, mark: &str| {
            let before = &text[..text.rfind(mark).expect("the mark is there")];
            let column = before
                .rsplit('\n')
                .next()
                .map_or(0, |line| line.chars().count());
            (before.matches('\n').count(), column)
        };
        for mark in [", b", ";c"] {
            assert_eq!(place(&cut.text, mark), place(&text, mark), "{mark}");
        }
    }

    #[test]
    fn deeply_nested_text_is_unchanged() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        check(&deep, 0);
        check(&format!("x = {}1", "!".repeat(1_000_000)), 0);
    }
}
