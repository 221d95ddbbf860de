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
//! super(...list)         (held=parent([...list],new.target,t=>#brand in t),super(...held))
//! new F(...list)         construct(F,[...list])
//! eval(...list)          eval([...list][0])
//! a[k](1, 2)             named(held=a,held[key=(k)],key,1, 2)
//! { ...value }           { ...members(value) }
//! delete a.b             remove( a,"b")
//! delete a[k]            remove( a,(k))
//! ```
//!
//! Everything is evaluated in the same order as before. Chains with `?.` are in `chains`. The class of a constructor that
//! calls `super(...list)` has a private static member, the brand, by which it is found among the parents of `new.target`.
//! All scripts are strict, as in k6: `remove` throws if the member cannot be deleted.

mod chains;

use std::collections::HashSet;

use oxc_ast::ast::{
    Argument, CallExpression, ChainExpression, Class, ComputedMemberExpression, Expression,
    ExpressionStatement, MemberExpression, NewExpression, ObjectPropertyKind,
    TaggedTemplateExpression, UnaryExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::{LogicalOperator, UnaryOperator};

use crate::parsed::with_tree;
use crate::shifts::{Edit, Shifts, apply};

/// Text with rewritten calls and spreads.
#[derive(Debug, PartialEq, Eq)]
pub struct Many {
    pub text: String,
    pub names: Names,
    pub shifts: Shifts,
}

/// The names that the text uses: those of [`FUNCTIONS`] in their order, two variables and a private member.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    functions: [String; FUNCTIONS.len()],
    held: String,
    key: String,
    brand: String,
}

/// The functions that the text calls.
pub const FUNCTIONS: [&str; 6] = ["call", "construct", "named", "members", "parent", "remove"];

/// The name of the module that provides the functions. No script contains it by chance.
pub const MODULE: &str = "\u{1}many";

/// Rewrites a script or module. `None` when there is nothing to rewrite, or it cannot be parsed.
pub fn rewrite(text: &str, is_module: bool) -> Option<Many> {
    let mut behind_brackets = text.split(']').skip(1);
    let has_calls = behind_brackets.any(|rest| rest.trim_start().starts_with(['(', ')', '?']));
    if !text.contains("...") && !text.contains("delete") && !has_calls {
        return None;
    }
    let names = Names::unused_in(text);
    let edits = with_tree(text, is_module, |program| {
        let mut finder = Finder {
            text,
            names: &names,
            chained: HashSet::new(),
            kept: HashSet::new(),
            statements: HashSet::new(),
            classes: Vec::new(),
            edits: Vec::new(),
        };
        finder.visit_program(program);
        finder.edits
    })?;
    if edits.is_empty() {
        return None;
    }
    let (text, shifts) = apply(text, edits)?;
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
            brand: name(FUNCTIONS.len() + 2),
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
    /// Calls that are links of a chain with `?.`.
    chained: HashSet<Span>,
    /// Chains whose last member is needed with its object.
    kept: HashSet<Span>,
    /// The beginnings of statements that are expressions.
    statements: HashSet<u32>,
    /// Whether the classes around have a constructor that calls `super` with a spread argument.
    classes: Vec<bool>,
    edits: Vec<Edit>,
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        self.keep(&it.callee);
        let callee = bare(&it.callee);
        match callee {
            _ if self.chained.contains(&it.span) => {}
            _ if has_spread(&it.arguments) => self.call(it, callee),
            Expression::ComputedMemberExpression(member)
                if literal(&member.expression).is_none() =>
            {
                self.without_parentheses(&it.callee);
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
            let [_, _, _, members, ..] = &self.names.functions;
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
        chains::rewrite(self, it);
        walk::walk_chain_expression(self, it);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        self.classes.push(false);
        walk::walk_class(self, it);
        if self.classes.pop() == Some(true) {
            let start = it.body.span.start as usize + 1;
            self.edit(start, start, format!("static #{};", self.names.brand));
        }
    }

    fn visit_unary_expression(&mut self, it: &UnaryExpression<'a>) {
        if it.operator == UnaryOperator::Delete {
            self.keep(&it.argument);
            self.removal(it);
        }
        walk::walk_unary_expression(self, it);
    }

    fn visit_tagged_template_expression(&mut self, it: &TaggedTemplateExpression<'a>) {
        self.keep(&it.tag);
        walk::walk_tagged_template_expression(self, it);
    }

    fn visit_expression_statement(&mut self, it: &ExpressionStatement<'a>) {
        self.statements.insert(it.span.start);
        walk::walk_expression_statement(self, it);
    }
}

impl Finder<'_> {
    /// `delete a.b`
    fn removal(&mut self, it: &UnaryExpression<'_>) {
        let argument = bare(&it.argument);
        let Some(member) = argument.as_member_expression() else {
            return;
        };
        if member.object().is_super() {
            return;
        }
        let (start, end) = (it.span.start as usize, member.span().end as usize);
        let object_end = member.object().span().end as usize;
        match member {
            MemberExpression::StaticMemberExpression(member) => {
                let dot = self.place_of(".", object_end);
                let key = format!(
                    ",{})",
                    serde_json::Value::from(member.property.name.as_str())
                );
                // An edit has at least the length of its text, and no line end.
                if member.property.span.start as usize != dot + 1 || key.len() < end - dot {
                    return;
                }
                self.edit(dot, end, key);
            }
            MemberExpression::ComputedMemberExpression(_) => {
                let open = self.place_of("[", object_end);
                self.edit(open, open + 1, ",(".to_owned());
                self.edit(end - 1, end, "))".to_owned());
            }
            MemberExpression::PrivateFieldExpression(_) => return,
        }
        let [.., remove] = &self.names.functions;
        self.edit(start, start + "delete".len(), format!("{remove}("));
        self.without_parentheses(&it.argument);
    }

    /// Records a chain that is used with the object of its last member.
    fn keep(&mut self, it: &Expression<'_>) {
        if let Expression::ChainExpression(chain) = it.get_inner_expression() {
            self.kept.insert(chain.span);
        }
    }

    fn call(&mut self, it: &CallExpression<'_>, callee: &Expression<'_>) {
        let (start, end) = (callee.span().start as usize, callee.span().end);
        let [call, ..] = &self.names.functions;
        if let Some(member) = callee.as_member_expression() {
            self.without_parentheses(&it.callee);
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
        match callee {
            Expression::Super(_) => self.parent_call(it),
            Expression::Identifier(name) if name.name == "eval" => self.direct_eval(it),
            Expression::ImportExpression(_) => {}
            // The object of the last member is `this`.
            Expression::ParenthesizedExpression(_) if is_member(callee) => {}
            _ => {
                self.insert(start, &format!("{call}(void 0,"));
                self.arguments(end, it.span.end, "");
            }
        }
    }

    /// `super(...list)`: where the list is too long for the engine, the parent is called by a native function.
    fn parent_call(&mut self, it: &CallExpression<'_>) {
        let Some(has_brand) = self.classes.last_mut() else {
            return;
        };
        *has_brand = true;
        let Names {
            functions: [.., parent, _],
            held,
            brand,
            ..
        } = self.names;
        let start = it.callee.span().start as usize;
        // A statement that began with a parenthesis would continue the one before it.
        let (left, right) = match self.statements.contains(&it.span.start) {
            true => ("", ""),
            false => ("(", ")"),
        };
        let before = format!("{left}{held}={parent}");
        let after = format!("],new.target,t=>#{brand} in t),super(...{held}){right}");
        let open = self.opening(it.callee.span().end as usize);
        self.edit(start, start + "super".len(), before);
        self.edit(open, open + 1, "([".to_owned());
        let close = it.span.end as usize - 1;
        self.edit(close, close + 1, after);
    }

    /// `eval(...list)`: the arguments behind the first one have no meaning.
    fn direct_eval(&mut self, it: &CallExpression<'_>) {
        let open = self.opening(it.callee.span().end as usize);
        let close = it.span.end as usize - 1;
        self.edit(open, open + 1, "([".to_owned());
        self.edit(close, close + 1, "][0])".to_owned());
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
        let [_, _, named, ..] = &self.names.functions;
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

    /// Blanks in place of the parentheses around an expression.
    fn without_parentheses(&mut self, it: &Expression<'_>) {
        let Expression::ParenthesizedExpression(outer) = it else {
            return;
        };
        let (start, end) = (outer.span.start as usize, outer.span.end as usize);
        self.edit(start, start + 1, " ".to_owned());
        self.edit(end - 1, end, " ".to_owned());
        self.without_parentheses(&outer.expression);
    }

    /// The place of the parenthesis after a callee, and after the parentheses around it.
    fn opening(&self, callee_end: usize) -> usize {
        self.place_of("(", callee_end)
    }

    /// The place of a token; only blanks and comments lie before it.
    fn place_of(&self, token: &str, mut at: usize) -> usize {
        loop {
            let rest = &self.text[at..];
            at += match rest {
                _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with(token) => return at,
                _ if rest.is_empty() => return at,
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

/// A member without the parentheses around it; other expressions as they are.
fn bare<'t, 'a>(it: &'t Expression<'a>) -> &'t Expression<'a> {
    match it.get_inner_expression() {
        inner if inner.is_member_expression() => inner,
        _ => it,
    }
}

/// Whether an expression is a member, in parentheses or not.
fn is_member(it: &Expression<'_>) -> bool {
    let inner = it.get_inner_expression();
    inner.is_member_expression() || matches!(inner, Expression::ChainExpression(_))
}

fn has_spread(arguments: &[Argument<'_>]) -> bool {
    arguments.iter().any(Argument::is_spread)
}

#[cfg(test)]
mod tests;
