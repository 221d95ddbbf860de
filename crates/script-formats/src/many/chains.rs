//! Chains with `?.` that contain a call to rewrite. What follows a `?.` becomes the last part of a condition:
//!
//! ```text
//! a?.b.m(...list)     ((held=a)==null?void 0:call(held=held.b,held.m,[...list],"m"))
//! a?.[k](1)           ((held=a)==null?void 0:named(held,held[key=(k)],key,1))
//! a.m?.(...list)      ((held=[held=a,held.m])[1]==null?void 0:call(held[0],held[1],[...list]))
//! ```
//!
//! Each link stays at its place, so that everything is evaluated in the same order as before.

use oxc_ast::ast::{CallExpression, ChainElement, ChainExpression, Expression, MemberExpression};
use oxc_span::GetSpan;

use super::{Finder, has_spread, is_member, literal, name_of};

/// A call or a member of a chain.
#[derive(Clone, Copy)]
enum Link<'t, 'a> {
    Call(&'t CallExpression<'a>),
    Member(&'t MemberExpression<'a>),
}

/// What lies between two `?.`.
struct Part {
    start: usize,
    /// Texts before it, the innermost first.
    before: Vec<String>,
    /// The text in place of the value before the `?.`.
    subject: String,
}

/// How the function of the next call is written.
enum Function {
    /// As before.
    Same,
    /// Object and function are arguments, and so is the name of the member, if it has one.
    Arguments(Option<String>),
    /// Object and function are the items of a list, which becomes the variable.
    Items,
}

/// A chain whose links are rewritten one after the other.
struct Chain<'f, 't> {
    finder: &'f mut Finder<'t>,
    held: String,
    parts: Vec<Part>,
    /// The end of the links so far.
    end: usize,
    function: Function,
}

/// Rewrites a chain, if one of its calls needs that.
pub(super) fn rewrite(finder: &mut Finder<'_>, it: &ChainExpression<'_>) {
    let (base, links) = links(&it.expression);
    for link in &links {
        if let Link::Call(call) = link {
            finder.chained.insert(call.span);
        }
    }
    let stays = finder.kept.contains(&it.span) || is_special(base, &links);
    if stays || !links.iter().any(Link::is_rewritten) {
        return;
    }
    let span = base.span();
    let mut chain = Chain {
        held: finder.names.held.clone(),
        finder,
        parts: vec![Part::at(span.start as usize, String::new())],
        end: span.end as usize,
        function: Function::Same,
    };
    for (at, link) in links.iter().enumerate() {
        match link {
            Link::Member(member) => chain.member(member, links.get(at + 1)),
            Link::Call(call) => chain.call(call),
        }
    }
    // A statement that began with a parenthesis would continue the one before it.
    let open = match chain.finder.statements.contains(&it.span.start) {
        true => format!("{},(", chain.held),
        false => "(".to_owned(),
    };
    chain.parts[0].before.push(open);
    for Part {
        start,
        before,
        subject,
    } in chain.parts
    {
        let before: String = before.into_iter().rev().collect();
        chain.finder.insert(start, &(before + &subject));
    }
    let end = it.span.end as usize;
    chain.finder.edit(end, end, ")".to_owned());
}

impl Chain<'_, '_> {
    /// A member, and what the call of it needs, if the next link is one.
    fn member(&mut self, it: &MemberExpression<'_>, next: Option<&Link<'_, '_>>) {
        let dot = match it {
            MemberExpression::ComputedMemberExpression(_) => "",
            _ => ".",
        };
        let held = self.held.clone();
        if it.optional() {
            self.part().before.push(format!("({held}="));
            self.begin_part(")==null?void 0:", format!("{held}{dot}"));
        }
        let object_end = std::mem::replace(&mut self.end, it.span().end as usize);
        self.function = Function::Same;
        let Some(Link::Call(call)) = next else {
            return;
        };
        let open = match call {
            call if call.optional => format!("({held}=["),
            call if Link::Call(call).is_rewritten() => self.native(call),
            _ => return,
        };
        let part = self.part();
        if it.optional() {
            part.before.push(open);
            part.subject = format!("{held},{held}{dot}");
        } else if it.object().is_super() {
            part.before.push(format!("{open}this,"));
        } else {
            part.before.push(format!("{open}{held}="));
            self.finder.insert(object_end, &format!(",{held}"));
        }
        self.function = match it {
            _ if call.optional => Function::Items,
            MemberExpression::ComputedMemberExpression(member)
                if literal(&member.expression).is_none() =>
            {
                Function::Arguments(Some(self.finder.hold_key(member).to_owned()))
            }
            _ => {
                let name = name_of(it).map(|name| serde_json::Value::from(name).to_string());
                Function::Arguments(name)
            }
        };
    }

    fn call(&mut self, it: &CallExpression<'_>) {
        let (held, native) = (self.held.clone(), self.native(it));
        let is_spread = has_spread(&it.arguments);
        let name = match std::mem::replace(&mut self.function, Function::Same) {
            Function::Arguments(name) => name,
            Function::Items => {
                self.begin_part("])[1]==null?void 0:", format!("{held}[0],{held}[1]"));
                self.part().before.push(native);
                // It is a function, or has a value that is shown.
                (!is_spread).then(|| "void 0".to_owned())
            }
            Function::Same => {
                if it.optional {
                    self.part().before.push(format!("({held}="));
                    self.begin_part(")==null?void 0:", held);
                }
                if is_spread {
                    self.part().before.push(format!("{native}void 0,"));
                }
                None
            }
        };
        let callee_end = std::mem::replace(&mut self.end, it.span.end as usize);
        if is_spread {
            let name = name.map_or_else(String::new, |name| format!(",{name}"));
            let callee_end = u32::try_from(callee_end).unwrap_or(u32::MAX);
            self.finder.arguments(callee_end, it.span.end, &name);
        } else if let Some(name) = name {
            let more = if it.arguments.is_empty() { "" } else { "," };
            let open = self.finder.place_of("(", callee_end);
            self.finder.edit(open, open + 1, format!(",{name}{more}"));
        }
    }

    /// Ends a part by a condition at the next `?.`. The new one begins with the subject.
    fn begin_part(&mut self, condition: &str, subject: String) {
        let mark = self.finder.place_of("?.", self.end);
        self.end = mark + "?.".len();
        self.finder.edit(mark, self.end, condition.to_owned());
        self.parts.push(Part::at(self.end, subject));
    }

    fn part(&mut self) -> &mut Part {
        self.parts.last_mut().expect("a chain has a first part")
    }

    /// The beginning of a native call in place of a call.
    fn native(&self, call: &CallExpression<'_>) -> String {
        let [spread, _, named, ..] = &self.finder.names.functions;
        let native = if has_spread(&call.arguments) {
            spread
        } else {
            named
        };
        format!("{native}(")
    }
}

impl Part {
    fn at(start: usize, subject: String) -> Self {
        Self {
            start,
            before: Vec::new(),
            subject,
        }
    }
}

impl Link<'_, '_> {
    fn is_rewritten(&self) -> bool {
        let Self::Call(call) = self else {
            return false;
        };
        let is_named = matches!(&call.callee, Expression::ComputedMemberExpression(_));
        has_spread(&call.arguments) || is_named
    }
}

/// What a chain begins with, and its links in the order of their evaluation.
fn links<'t, 'a>(chain: &'t ChainElement<'a>) -> (&'t Expression<'a>, Vec<Link<'t, 'a>>) {
    let mut links = Vec::new();
    let mut rest = match chain {
        ChainElement::CallExpression(call) => {
            links.push(Link::Call(call));
            &call.callee
        }
        ChainElement::TSNonNullExpression(inner) => &inner.expression,
        member => {
            let member = member.to_member_expression();
            links.push(Link::Member(member));
            member.object()
        }
    };
    loop {
        if let Expression::CallExpression(call) = rest {
            links.push(Link::Call(call));
            rest = &call.callee;
        } else if let Some(member) = rest.as_member_expression() {
            links.push(Link::Member(member));
            rest = member.object();
        } else {
            links.reverse();
            return (rest, links);
        }
    }
}

/// Whether a chain begins with a call whose meaning depends on how its function is written.
fn is_special(base: &Expression<'_>, links: &[Link<'_, '_>]) -> bool {
    let Some(Link::Call(call)) = links.first() else {
        return false;
    };
    match base {
        Expression::Super(_) => true,
        Expression::Identifier(name) => name.name == "eval" && !call.optional,
        Expression::ParenthesizedExpression(inner) => is_member(&inner.expression),
        _ => false,
    }
}
