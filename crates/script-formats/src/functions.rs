//! The texts of the functions in a script, by the places at which the engine notes them.
//!
//! The engine notes the place of a token: the first one of a function, of a member of an object or, in a class, the
//! parenthesis before the parameters of a member; the last one of a class without a constructor. It does not note it exactly,
//! but the last name, blank or line end up to it. If that is the same for two functions, as in `[()=>1,()=>2]`, neither is
//! found.

use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    ArrowFunctionExpression, Class, ClassElement, Expression, Function, MethodDefinition,
    MethodDefinitionKind, NumericLiteral, ObjectProperty, PropertyKind, RegExpLiteral,
    StringLiteral, TemplateElement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use oxc_syntax::scope::ScopeFlags;

use crate::parsed::with_any_tree;

/// A script and the spans of its functions.
#[derive(Debug)]
pub struct Functions {
    text: String,
    /// `None` for a place of several functions.
    spans: HashMap<usize, Option<Span>>,
    statics: HashSet<u32>,
}

impl Functions {
    /// Finds the functions of a script or module. `None` when the text cannot be parsed.
    pub fn read(text: String, is_module: bool) -> Option<Self> {
        let found = with_any_tree(&text, is_module, |program| {
            let mut finder = Finder::default();
            finder.visit_program(program);
            let comments = program.comments.iter();
            finder.ends.extend(comments.map(|comment| {
                let end = comment.span.end as usize;
                (end, end)
            }));
            finder
        })?;
        let mut spans = HashMap::new();
        for (token, span) in found.functions {
            let place = mark(&text, token as usize, &found.ends);
            let known = spans.entry(place).or_insert(Some(span));
            if *known != Some(span) {
                *known = None;
            }
        }
        Some(Self {
            text,
            spans,
            statics: found.statics,
        })
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of the function or class that the engine notes at this byte.
    pub fn at(&self, place: usize) -> Option<&str> {
        let span = (*self.spans.get(&place)?)?;
        let text = self.text.get(span.start as usize..span.end as usize)?;
        match self.statics.contains(&span.start) {
            true => Some(without_static(text)),
            false => Some(text),
        }
    }
}

/// The place that the engine notes for the token that begins at a byte. `ends` are the ends of literals, with their
/// beginnings, and of comments.
fn mark(text: &str, token: usize, ends: &HashMap<usize, usize>) -> usize {
    if text[token..].starts_with(is_part_of_name) {
        return token;
    }
    let mut at = token;
    loop {
        match ends.get(&at) {
            Some(begin) if *begin == at => return at,
            Some(begin) => at = *begin,
            None => {}
        }
        let before = &text[..at];
        let Some(last) = before.chars().next_back() else {
            return at;
        };
        if last.is_whitespace() {
            return at;
        }
        at = match is_part_of_name(last) {
            true => return before.trim_end_matches(is_part_of_name).len(),
            false => at - last.len_utf8(),
        };
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[derive(Default)]
struct Finder {
    /// The tokens whose places are noted, with the spans of their functions.
    functions: Vec<(u32, Span)>,
    /// The ends and beginnings of literals, and the ends of comments twice.
    ends: HashMap<usize, usize>,
    /// The beginnings of static members.
    statics: HashSet<u32>,
}

impl Finder {
    fn literal(&mut self, span: Span) {
        if !span.is_empty() {
            self.ends.insert(span.end as usize, span.start as usize);
        }
    }
}

impl<'a> Visit<'a> for Finder {
    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        self.functions.push((it.span.start, it.span));
        walk::walk_function(self, it, flags);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.functions.push((it.span.start, it.span));
        walk::walk_arrow_function_expression(self, it);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.kind != MethodDefinitionKind::Constructor {
            let span = Span::new(it.span.start, it.value.span.end);
            self.functions.push((it.value.params.span.start, span));
            if it.r#static {
                self.statics.insert(it.span.start);
            }
        }
        self.visit_property_key(&it.key);
        walk::walk_function(self, &it.value, ScopeFlags::Function);
    }

    fn visit_object_property(&mut self, it: &ObjectProperty<'a>) {
        match &it.value {
            Expression::FunctionExpression(function)
                if it.method || it.kind != PropertyKind::Init =>
            {
                let span = Span::new(it.span.start, function.span.end);
                self.functions.push((it.span.start, span));
                self.visit_property_key(&it.key);
                walk::walk_function(self, function, ScopeFlags::Function);
            }
            _ => walk::walk_object_property(self, it),
        }
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        let constructor = it.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(method)
                if method.kind == MethodDefinitionKind::Constructor =>
            {
                Some(method.value.params.span.start)
            }
            _ => None,
        });
        let token = constructor.unwrap_or(it.body.span.end - 1);
        self.functions.push((token, it.span));
        walk::walk_class(self, it);
    }

    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.literal(it.span);
    }

    fn visit_numeric_literal(&mut self, it: &NumericLiteral<'a>) {
        self.literal(it.span);
    }

    fn visit_reg_exp_literal(&mut self, it: &RegExpLiteral<'a>) {
        self.literal(it.span);
    }

    fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
        self.literal(it.span);
    }
}

/// The text of a member of a class without `static`, which is not part of its function.
fn without_static(member: &str) -> &str {
    let Some(rest) = member.strip_prefix("static") else {
        return member;
    };
    let mut rest = rest.trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("/*") => rest.find("*/").map(|at| at + 2),
            _ if rest.starts_with("//") => rest.find('\n'),
            _ => None,
        };
        match end {
            Some(end) => rest = rest[end..].trim_start(),
            None => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Functions;

    /// The place is marked by `^`.
    fn check(marked: &str, expected: &str) {
        let place = marked.find('^').expect("a mark");
        let functions = Functions::read(marked.replacen('^', "", 1), true).expect("a script");
        assert_eq!(functions.at(place), Some(expected), "{marked}");
    }

    #[test]
    fn functions_are_found_by_their_places() {
        for (marked, expected) in [
            (
                "export ^function f(a) { return a }",
                "function f(a) { return a }",
            ),
            ("x(^async function* () {})", "async function* () {}"),
            ("const f = ^(a) => a + 1;", "(a) => a + 1"),
            ("const ^f=(a)=>a;", "(a)=>a"),
            ("^f('a b',/c d/,(a)=>a);", "(a)=>a"),
            ("f(1, `a ${^g()}`,(a)=>a);", "(a)=>a"),
            ("f(/* x */^(a)=>a);", "(a)=>a"),
            ("f(^async a => { a })", "async a => { a }"),
            ("class A { ^m(a) { 1 } }", "m(a) { 1 }"),
            (
                "class A { static /* x */ async *^m(a) {} }",
                "async *m(a) {}",
            ),
            ("class A { get [^x]() {} }", "get [x]() {}"),
            ("x = { ^'m'() {} }", "'m'() {}"),
            ("x = { a: 1, ^set m(v) {} }", "set m(v) {}"),
            ("x = { m: ^function () {} }", "function () {}"),
            (
                "class A extends B { m() {} ^constructor(a) { super() } }",
                "class A extends B { m() {} constructor(a) { super() } }",
            ),
            ("const A = class { m() {} ^}", "class { m() {} }"),
        ] {
            check(marked, expected);
        }
    }

    #[test]
    fn of_functions_with_one_place_none_is_found() {
        let functions = Functions::read("x=[()=>1,()=>2]".to_owned(), true).expect("a script");
        assert_eq!(functions.at(0), None);
    }

    #[test]
    fn other_places_have_no_function() {
        let functions = Functions::read("a = 1; f(a)".to_owned(), true).expect("a script");
        assert!((0..20).all(|place| functions.at(place).is_none()));
        assert!(Functions::read("let = =".to_owned(), true).is_none_or(|all| all.at(0).is_none()));
    }
}
