//! Calls and spreads that the engine treats in another way than k6's engine, written so that both do the same.
//!
//! The engine refuses a call with more than 65 535 arguments; k6's engine has no limit, and scripts use that:
//! `bytes.push(...chunk)`, `String.fromCharCode(...bytes)`, `Math.max(...samples)`. A call with a spread argument
//! becomes one of a native function with three arguments, the last of which is a list. A call of a member whose name only
//! the running code knows becomes one of a native function that tells the name if there is no such member. The members of
//! a value that is spread into an object are those of its object, if it is a text:
//!
//! ```text
//! f(...list)             call(void 0,f,[...list])
//! a.b.m(1, ...list)      call(held=a.b,held.m,[1, ...list],"m")
//! super.m(...list)       call(this,super.m,[...list],"m")
//! new F(...list)         construct(F,[...list])
//! a[k](1, 2)             named(held=a,held[key=(k)],key,1, 2)
//! { ...value }           { ...members(value) }
//! ```
//!
//! Everything is evaluated in the same order as before. Calls with `?.`, of `eval` and of `super` stay.

use std::collections::HashSet;

use oxc_ast::ast::{
    Argument, CallExpression, ChainElement, ChainExpression, ComputedMemberExpression, Expression,
    MemberExpression, NewExpression, ObjectPropertyKind,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::LogicalOperator;

use crate::parsed::with_tree;
use crate::shifts::{Edit, Shifts, apply};

/// Text with rewritten calls and spreads.
#[derive(Debug, PartialEq, Eq)]
pub struct Many {
    pub text: String,
    pub names: Names,
    pub shifts: Shifts,
}

/// The names that the text uses: those of [`FUNCTIONS`] in their order, and two variables.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    functions: [String; FUNCTIONS.len()],
    held: String,
    key: String,
}

/// The functions that the text calls.
pub const FUNCTIONS: [&str; 4] = ["call", "construct", "named", "members"];

/// The name of the module that provides the functions. No script contains it by chance.
pub const MODULE: &str = "\u{1}many";

/// Rewrites a script or module. `None` when there is nothing to rewrite, or it cannot be parsed.
pub fn rewrite(text: &str, is_module: bool) -> Option<Many> {
    let mut behind_brackets = text.split(']').skip(1);
    if !text.contains("...") && !behind_brackets.any(|rest| rest.trim_start().starts_with('(')) {
        return None;
    }
    let names = Names::unused_in(text);
    let edits = with_tree(text, is_module, |program| {
        let mut finder = Finder {
            text,
            names: &names,
            chained: HashSet::new(),
            edits: Vec::new(),
        };
        finder.visit_program(program);
        finder.edits
    })?;
    if edits.is_empty() {
        return None;
    }
    let (text, shifts) = apply(text, edits);
    Some(Many {
        text,
        names,
        shifts,
    })
}

impl Names {
    fn unused_in(text: &str) -> Self {
        let mut prefix = "__many".to_owned();
        while text.contains(&prefix) {
            prefix.push('_');
        }
        let name = |number: usize| format!("{prefix}{number}");
        Self {
            functions: std::array::from_fn(name),
            held: name(FUNCTIONS.len()),
            key: name(FUNCTIONS.len() + 1),
        }
    }

    /// The names, as parameters of a function that receives the functions.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let variables = [&self.held, &self.key];
        self.functions.iter().chain(variables).map(String::as_str)
    }

    /// The statements that declare the names in a module.
    pub fn declaration(&self) -> String {
        let pairs = FUNCTIONS.iter().zip(&self.functions);
        let functions: Vec<String> = pairs
            .map(|(name, own)| format!("{name} as {own}"))
            .collect();
        let (functions, Self { held, key, .. }) = (functions.join(","), self);
        let from = serde_json::Value::from(MODULE);
        format!("import{{{functions}}}from{from};var {held},{key};")
    }
}

struct Finder<'t> {
    text: &'t str,
    names: &'t Names,
    /// The beginnings and ends of calls that are links of a chain with `?.`.
    chained: HashSet<Span>,
    edits: Vec<Edit>,
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        match &it.callee {
            _ if self.chained.contains(&it.span) => {}
            _ if has_spread(&it.arguments) => self.call(it),
            Expression::ComputedMemberExpression(member)
                if literal(&member.expression).is_none() =>
            {
                self.named_call(it, member);
            }
            _ => {}
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_object_property_kind(&mut self, it: &ObjectPropertyKind<'a>) {
        if let ObjectPropertyKind::SpreadProperty(spread) = it
            && may_be_text(&spread.argument)
        {
            let span = spread.argument.span();
            let [.., members] = &self.names.functions;
            self.insert(span.start as usize, &format!("{members}("));
            let end = span.end as usize;
            self.edit(end, end, ")".to_owned());
        }
        walk::walk_object_property_kind(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if has_spread(&it.arguments) {
            let start = it.span.start as usize;
            let text = format!("{}(", self.names.functions[1]);
            self.edit(start, start + "new".len(), text);
            self.arguments(it.callee.span().end, it.span.end, "");
        }
        walk::walk_new_expression(self, it);
    }

    fn visit_chain_expression(&mut self, it: &ChainExpression<'a>) {
        match &it.expression {
            ChainElement::CallExpression(call) => self.chain_call(call),
            ChainElement::TSNonNullExpression(_) => {}
            element => {
                if let Some(member) = element.as_member_expression() {
                    self.chain(member.object());
                }
            }
        }
        walk::walk_chain_expression(self, it);
    }
}

impl Finder<'_> {
    fn chain(&mut self, it: &Expression<'_>) {
        if let Expression::CallExpression(call) = it {
            self.chain_call(call);
        } else if let Some(member) = it.as_member_expression() {
            self.chain(member.object());
        }
    }

    fn chain_call(&mut self, call: &CallExpression<'_>) {
        self.chained.insert(call.span);
        self.chain(&call.callee);
    }

    fn call(&mut self, it: &CallExpression<'_>) {
        let callee = &it.callee;
        let (start, end) = (callee.span().start as usize, callee.span().end);
        let [call, ..] = &self.names.functions;
        if let Some(member) = callee.as_member_expression() {
            self.hold(call, member.object(), start);
            let name = match member {
                MemberExpression::ComputedMemberExpression(member)
                    if literal(&member.expression).is_none() =>
                {
                    format!(",{}", self.hold_key(member))
                }
                _ => name_of(member).map_or_else(String::new, |name| {
                    format!(",{}", serde_json::Value::from(name))
                }),
            };
            return self.arguments(end, it.span.end, &name);
        }
        let stays = match callee {
            Expression::Super(_) | Expression::ImportExpression(_) => true,
            Expression::Identifier(name) => name.name == "eval",
            // If a member is inside, its object is `this`.
            Expression::ParenthesizedExpression(inner) => inner
                .expression
                .get_inner_expression()
                .is_member_expression(),
            _ => false,
        };
        if !stays {
            self.insert(start, &format!("{call}(void 0,"));
            self.arguments(end, it.span.end, "");
        }
    }

    /// `call(held=object,held` in place of an object that a call begins with.
    fn hold(&mut self, call: &str, object: &Expression<'_>, start: usize) {
        if object.is_super() {
            return self.insert(start, &format!("{call}(this,"));
        }
        let held = &self.names.held;
        self.insert(start, &format!("{call}({held}="));
        self.insert(object.span().end as usize, &format!(",{held}"));
    }

    /// `key=(k)` in place of the key; returns the name of the variable.
    fn hold_key(&mut self, member: &ComputedMemberExpression<'_>) -> &str {
        let key = &self.names.key;
        let span = member.expression.span();
        self.insert(span.start as usize, &format!("{key}=("));
        let end = span.end as usize;
        self.edit(end, end, ")".to_owned());
        key
    }

    fn named_call(&mut self, it: &CallExpression<'_>, member: &ComputedMemberExpression<'_>) {
        let [_, _, named, _] = &self.names.functions;
        self.hold(named, &member.object, member.span.start as usize);
        let key = self.hold_key(member);
        let more = if it.arguments.is_empty() { "" } else { "," };
        let text = format!(",{key}{more}");
        let open = self.opening(member.span.end as usize);
        self.edit(open, open + 1, text);
    }

    /// The parentheses of the arguments become those of a list. `more` comes after it.
    fn arguments(&mut self, callee_end: u32, end: u32, more: &str) {
        let (open, close) = (self.opening(callee_end as usize), end as usize - 1);
        self.edit(open, open + 1, ",[".to_owned());
        self.edit(close, close + 1, format!("]{more})"));
    }

    /// The place of the parenthesis after a callee; only blanks and comments lie between.
    fn opening(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.text[at..];
            at += match rest {
                _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with('(') => return at,
                _ => rest.chars().next().map_or(0, char::len_utf8),
            };
        }
    }

    /// Inserts a name and further text before a token, separated from a word before it.
    fn insert(&mut self, at: usize, text: &str) {
        let before = self.text[..at].chars().next_back();
        let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        let gap = if is_word && !text.starts_with(',') {
            " "
        } else {
            ""
        };
        self.edit(at, at, format!("{gap}{text}"));
    }

    fn edit(&mut self, start: usize, end: usize, text: String) {
        self.edits.push(Edit { start, end, text });
    }
}

/// The name of a member, for errors about it.
fn name_of<'a>(member: &MemberExpression<'a>) -> Option<&'a str> {
    match member {
        MemberExpression::StaticMemberExpression(member) => Some(member.property.name.as_str()),
        MemberExpression::ComputedMemberExpression(member) => literal(&member.expression),
        MemberExpression::PrivateFieldExpression(_) => None,
    }
}

/// The name that a key in brackets spells out.
fn literal<'a>(key: &Expression<'a>) -> Option<&'a str> {
    match key {
        Expression::StringLiteral(key) => Some(key.value.as_str()),
        Expression::NumericLiteral(key) => key.raw.map(|raw| raw.as_str()),
        _ => None,
    }
}

/// Whether the value of an expression may be a text with characters.
fn may_be_text(it: &Expression<'_>) -> bool {
    match it {
        Expression::ObjectExpression(_)
        | Expression::ArrayExpression(_)
        | Expression::NewExpression(_)
        | Expression::ThisExpression(_)
        | Expression::FunctionExpression(_)
        | Expression::ArrowFunctionExpression(_)
        | Expression::NumericLiteral(_)
        | Expression::BooleanLiteral(_)
        | Expression::NullLiteral(_) => false,
        Expression::ParenthesizedExpression(inner) => may_be_text(&inner.expression),
        // The left side is the value only where it is falsy.
        Expression::LogicalExpression(both) if both.operator == LogicalOperator::And => {
            may_be_text(&both.right)
        }
        Expression::LogicalExpression(both) => may_be_text(&both.left) || may_be_text(&both.right),
        Expression::ConditionalExpression(either) => {
            may_be_text(&either.consequent) || may_be_text(&either.alternate)
        }
        _ => true,
    }
}

fn has_spread(arguments: &[Argument<'_>]) -> bool {
    arguments.iter().any(Argument::is_spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let short = ["C", "N", "K", "M", "H", "Y"].iter().enumerate();
        let names = short.map(|(number, name)| (format!("__many{number}"), *name));
        let found = rewrite(text, true).map_or(text.to_owned(), |many| many.text);
        let found = names.fold(found, |text, (name, short)| text.replace(&name, short));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn calls_with_a_spread_argument_are_rewritten() {
        for (text, expected) in [
            ("f(...a)", "C(void 0,f,[...a])"),
            ("f /* ( */ (1, ...a,)", "C(void 0,f /* ( */ ,[1, ...a,])"),
            ("a.m(...b)", "C(H=a,H.m,[...b],\"m\")"),
            ("a[k] (...b)", "C(H=a,H[Y=(k)] ,[...b],Y)"),
            ("a['k'](...b)", "C(H=a,H['k'],[...b],\"k\")"),
            ("a[0](...b)", "C(H=a,H[0],[...b],\"0\")"),
            (
                "a().b.c(...d).e(...f)",
                "C(H=C(H=a().b,H.c,[...d],\"c\"),H.e,[...f],\"e\")",
            ),
            ("f(...g(...a))", "C(void 0,f,[...C(void 0,g,[...a])])"),
            ("new F(...a)", "N( F,[...a])"),
            ("new F(...a).m(...b)", "C(H=N( F,[...a]),H.m,[...b],\"m\")"),
            ("typeof(f)(...a)", "typeof C(void 0,(f),[...a])"),
            ("(0, a.m)(...b)", "C(void 0,(0, a.m),[...b])"),
            (
                "class A extends B { #p; m() { super.m(...a); this.#p(...a) } constructor() { super(...a) } }",
                "class A extends B { #p; m() { C(this,super.m,[...a],\"m\"); C(H=this,H.#p,[...a]) } constructor() { super(...a) } }",
            ),
            ("a?.m(...b)(...c)", "a?.m(...b)(...c)"),
            ("a?.m(f(...b))", "a?.m(C(void 0,f,[...b]))"),
            (
                "eval(...a); (a.m)(...b); f([...a])",
                "eval(...a); (a.m)(...b); f([...a])",
            ),
            (
                "f(`${g(...a)}`) // h(...b)",
                "f(`${C(void 0,g,[...a])}`) // h(...b)",
            ),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn calls_of_members_with_a_computed_name_are_rewritten() {
        for (text, expected) in [
            ("a[k](1, 2)", "K(H=a,H[Y=(k)],Y,1, 2)"),
            ("a.b[k, l] ( /* ( */ )", "K(H=a.b,H[Y=(k, l)] ,Y /* ( */ )"),
            (
                "return_[a[b]()](c[d](e))",
                "K(H=return_,H[Y=(K(H=a,H[Y=(b)],Y))],Y,K(H=c,H[Y=(d)],Y,e))",
            ),
            ("a[k](b)[l](c)", "K(H=K(H=a,H[Y=(k)],Y,b),H[Y=(l)],Y,c)"),
            (
                "class A extends B { m() { super[k](1) } }",
                "class A extends B { m() { K(this,super[Y=(k)],Y,1) } }",
            ),
            (
                "typeof[a][0]; a['k'](1); a[0](1)",
                "typeof[a][0]; a['k'](1); a[0](1)",
            ),
            (
                "a?.[k](1); (a[k])(1); new a[k](1); a[k]`x`",
                "a?.[k](1); (a[k])(1); new a[k](1); a[k]`x`",
            ),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_may_be_a_text_is_spread_into_an_object_by_its_members() {
        for (text, expected) in [
            (
                "f({ ...a, b: 1, ...'c' })",
                "f({ ...M(a), b: 1, ...M('c') })",
            ),
            (
                "f({ ...(a && { b }), ...(c ? {} : d) })",
                "f({ ...(a && { b }), ...M((c ? {} : d)) })",
            ),
            (
                "f({ ...{ ...a } }, [...b], g(...{ ...c }))",
                "f({ ...{ ...M(a) } }, [...b], C(void 0,g,[...{ ...M(c) }]))",
            ),
            ("f({ ...a[k]() })", "f({ ...M(K(H=a,H[Y=(k)],Y)) })"),
            (
                "const { a, ...b } = c, [...d] = e;",
                "const { a, ...b } = c, [...d] = e;",
            ),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn names_are_unused_ones_and_are_declared_at_the_end() {
        let many = rewrite("__many(...a)", true).expect("it has such a call");
        assert_eq!(many.text, "__many_0(void 0,__many,[...a])");
        assert_eq!(
            many.names.declaration(),
            "import{call as __many_0,construct as __many_1,named as __many_2,members as __many_3}from\"\\u0001many\";var __many_4,__many_5;"
        );
    }
}
