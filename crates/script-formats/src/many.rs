//! Calls with a spread argument, written so that they take any number of arguments.
//!
//! The engine refuses a call with more than 65 535 arguments; k6's engine has no limit, and scripts use that:
//! `bytes.push(...chunk)`, `String.fromCharCode(...bytes)`, `Math.max(...samples)`. A call with a spread argument
//! becomes one of a native function with three arguments, the last of which is a list:
//!
//! ```text
//! f(...list)             call(void 0,f,[...list])
//! a.b.m(1, ...list)      call(held=a.b,held.m,[1, ...list],"m")
//! super.m(...list)       call(this,super.m,[...list],"m")
//! new F(...list)         construct(F,[...list])
//! ```
//!
//! Everything is evaluated in the same order as before. Calls with `?.`, of `eval` and of `super` stay.

use std::collections::HashSet;

use oxc_ast::ast::{
    Argument, CallExpression, ChainElement, ChainExpression, Expression, MemberExpression,
    NewExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

use crate::parsed::with_tree;
use crate::shifts::{Edit, Shifts, apply};

/// Text whose calls take any number of arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Many {
    pub text: String,
    pub names: Names,
    pub shifts: Shifts,
}

/// The names that the text uses: two functions and a variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    pub call: String,
    pub construct: String,
    pub held: String,
}

/// The name of the module that provides the functions. No script contains it by chance.
pub const MODULE: &str = "\u{1}many";

/// Rewrites the calls of a script or module. `None` when it has none with a spread argument, or cannot be parsed.
pub fn rewrite(text: &str, is_module: bool) -> Option<Many> {
    if !text.contains("...") {
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
        Self {
            call: format!("{prefix}0"),
            construct: format!("{prefix}1"),
            held: format!("{prefix}2"),
        }
    }

    /// The names, as parameters of a function that receives the two functions.
    pub fn all(&self) -> [&str; 3] {
        [&self.call, &self.construct, &self.held]
    }

    /// The statements that declare the names in a module.
    pub fn declaration(&self) -> String {
        let Self {
            call,
            construct,
            held,
        } = self;
        let from = serde_json::Value::from(MODULE);
        format!("import{{call as {call},construct as {construct}}}from{from};var {held};")
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
        if has_spread(&it.arguments) && !self.chained.contains(&it.span) {
            self.call(it);
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if has_spread(&it.arguments) {
            let start = it.span.start as usize;
            let text = format!("{}(", self.names.construct);
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
        let Names { call, held, .. } = self.names;
        if let Some(member) = callee.as_member_expression() {
            let object = member.object();
            if object.is_super() {
                self.insert(start, &format!("{call}(this,"));
            } else {
                self.insert(start, &format!("{call}({held}="));
                self.insert(object.span().end as usize, &format!(",{held}"));
            }
            let name = name_of(member).map_or_else(String::new, |name| {
                format!(",{}", serde_json::Value::from(name))
            });
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
        MemberExpression::ComputedMemberExpression(member) => match &member.expression {
            Expression::StringLiteral(key) => Some(key.value.as_str()),
            Expression::NumericLiteral(key) => key.raw.map(|raw| raw.as_str()),
            _ => None,
        },
        MemberExpression::PrivateFieldExpression(_) => None,
    }
}

fn has_spread(arguments: &[Argument<'_>]) -> bool {
    arguments.iter().any(Argument::is_spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_with_a_spread_argument_are_rewritten() {
        for (text, expected) in [
            ("f(...a)", "C(void 0,f,[...a])"),
            ("f /* ( */ (1, ...a,)", "C(void 0,f /* ( */ ,[1, ...a,])"),
            ("a.m(...b)", "C(H=a,H.m,[...b],\"m\")"),
            ("a[k] (...b)", "C(H=a,H[k] ,[...b])"),
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
                "eval(...a); (a.m)(...b); f([...a], {...b})",
                "eval(...a); (a.m)(...b); f([...a], {...b})",
            ),
            (
                "f(`${g(...a)}`) // h(...b)",
                "f(`${C(void 0,g,[...a])}`) // h(...b)",
            ),
        ] {
            let found = rewrite(text, true).map_or(text.to_owned(), |many| many.text);
            let found = found.replace("__many0", "C").replace("__many1", "N");
            assert_eq!(found.replace("__many2", "H"), expected, "{text}");
        }
    }

    #[test]
    fn names_are_unused_ones_and_are_declared_at_the_end() {
        let many = rewrite("__many(...a)", true).expect("it has such a call");
        assert_eq!(many.text, "__many_0(void 0,__many,[...a])");
        assert_eq!(
            many.names.declaration(),
            "import{call as __many_0,construct as __many_1}from\"\\u0001many\";var __many_2;"
        );
    }
}
