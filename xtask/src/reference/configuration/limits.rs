//! The limits of numbers, from the calls of `live_config::Check` that check them.

use std::collections::HashMap;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprMethodCall, Item, Lit};

/// The limits of one number.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    Between(String, String),
    AtLeast(String),
    Above(String),
    AboveUpTo(String, String),
    AboveAndBelow(String, String),
    OneOf(Vec<String>),
}

/// A check of a number: the end of its path, and the file that checks it.
#[derive(Debug)]
struct Checked {
    file: String,
    path: String,
    limit: Limit,
}

/// All checks of numbers.
#[derive(Debug, Default)]
pub struct Limits(Vec<Checked>);

impl Limits {
    /// Adds the checks of a source file.
    pub fn add_file(&mut self, name: &str, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let Ok(parsed) = syn::parse_file(&text) else {
            return;
        };
        let constants = parsed.items.iter().filter_map(|item| match item {
            Item::Const(one) => Some((one.ident.to_string(), number(&one.expr, &HashMap::new())?)),
            _ => None,
        });
        let mut calls = Calls {
            file: name,
            constants: constants.collect(),
            found: &mut self.0,
        };
        for item in &parsed.items {
            let is_test = matches!(item, Item::Mod(module) if module.ident == "tests");
            if !is_test {
                calls.visit_item(item);
            }
        }
    }

    /// The limit of the field at `path`, whose type is in `file`. The check in the same file takes precedence,
    /// otherwise one of the same crate that names more of the path, or is in a file of checks.
    pub fn of(&self, path: &str, file: &str) -> Option<&Limit> {
        let path = path.replace("[]", "").replace("<name>.", "");
        let crate_of = |file: &str| file.split("/src/").next().unwrap_or_default().to_owned();
        let fits = |one: &&Checked| {
            let is_near = one.file == file
                || one.path.contains('.')
                || one.file.ends_with("/check.rs")
                || one.file.contains("/check/");
            let is_end = path == one.path || path.ends_with(&format!(".{}", one.path));
            is_near && is_end && crate_of(&one.file) == crate_of(file)
        };
        let fitting = self.0.iter().filter(fits);
        let best = fitting.max_by_key(|one| (one.path.len(), one.file == file));
        best.map(|one| &one.limit)
    }
}

impl Limit {
    /// `number` or `whole number` with the limit.
    pub fn told(&self, what: &str) -> String {
        match self {
            Self::Between(least, most) => format!("{what} from {least} to {most}"),
            Self::AtLeast(least) => format!("{what}, {least} or more"),
            Self::Above(least) => format!("{what} above {least}"),
            Self::AboveUpTo(least, most) => format!("{what} above {least}, up to {most}"),
            Self::AboveAndBelow(least, most) => format!("{what} above {least} and below {most}"),
            Self::OneOf(known) => match known.split_last() {
                Some((last, first)) if !first.is_empty() => {
                    format!("{} or {last}", first.join(", "))
                }
                _ => known.concat(),
            },
        }
    }
}

struct Calls<'a> {
    file: &'a str,
    constants: HashMap<String, String>,
    found: &'a mut Vec<Checked>,
}

impl<'a> Visit<'a> for Calls<'a> {
    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        visit::visit_expr_method_call(self, call);
        let Some(path) = call
            .args
            .first()
            .and_then(text)
            .filter(|path| !path.is_empty())
        else {
            return;
        };
        let bound = |place: usize| {
            let given = call.args.iter().nth(place)?;
            number(given, &self.constants)
        };
        let zero = || "0".to_owned();
        let one = || "1".to_owned();
        // Systems have longer times than the profile of a detector.
        let most_ms = || match self.file.starts_with("crates/target-systems") {
            true => "31536000000".to_owned(),
            false => "86400000".to_owned(),
        };
        let range = |place: usize| match call.args.iter().nth(place)? {
            Expr::Range(range) => {
                let least = number(range.start.as_deref()?, &self.constants)?;
                let most = number(range.end.as_deref()?, &self.constants)?;
                Some(Limit::Between(least, most))
            }
            _ => None,
        };
        let limit = match call.method.to_string().as_str() {
            "share" => Some(Limit::Between(zero(), one())),
            "share_above_0" => Some(Limit::AboveUpTo(zero(), one())),
            "inner_share" => Some(Limit::AboveAndBelow(zero(), one())),
            "not_negative" => Some(Limit::AtLeast(zero())),
            "positive" => Some(Limit::Above(zero())),
            "ms" => Some(Limit::Between(zero(), most_ms())),
            "ms_above_0" => Some(Limit::AboveUpTo(zero(), most_ms())),
            "ms_at_least" => bound(2).map(|least| Limit::Between(least, most_ms())),
            "above_up_to" => bound(2).map(|most| Limit::AboveUpTo(zero(), most)),
            "count" => range(2),
            "failure_status" => Some(Limit::Between("400".to_owned(), "599".to_owned())),
            "answer_status" => Some(Limit::Between("200".to_owned(), "399".to_owned())),
            "at_least" => bound(2).map(Limit::AtLeast),
            "at_most" => bound(2).map(|most| Limit::Between(zero(), most)),
            "between" => range(2).or_else(|| {
                let (least, most) = bound(2).zip(bound(3))?;
                Some(Limit::Between(least, most))
            }),
            "one_of" => call
                .args
                .iter()
                .nth(2)
                .map(|known| Limit::OneOf(numbers(known))),
            _ => None,
        };
        let file = self.file.to_owned();
        self.found
            .extend(limit.map(|limit| Checked { file, path, limit }));
    }
}

/// A path: a text, or the fixed end of a text with places such as `format!("{path}.batch.wait_ms")`.
fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Reference(reference) => text(&reference.expr),
        Expr::Macro(made) if made.mac.path.is_ident("format") => {
            let literal: Lit = made.mac.parse_body().ok()?;
            let Lit::Str(text) = literal else { return None };
            Some(without_places(&text.value()))
        }
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// `a.b` of `{path}.a[{index}].b`; empty if a field's own name is not fixed.
fn without_places(text: &str) -> String {
    let text = text.replace("[{index}]", "");
    match text.split_once("}.") {
        Some((_, fixed)) if !fixed.contains('{') => fixed.to_owned(),
        Some(_) => String::new(),
        None => text,
    }
}

/// A number in plain form: `1000000` for `1_000_000` and `1e6`.
fn number(expression: &Expr, constants: &HashMap<String, String>) -> Option<String> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => Some(number.base10_digits().to_owned()),
            Lit::Float(number) => Some(number.base10_parse::<f64>().ok()?.to_string()),
            _ => None,
        },
        Expr::Binary(shift) if matches!(shift.op, BinOp::Shl(_)) => {
            let left: u64 = number(&shift.left, constants)?.parse().ok()?;
            let by: u32 = number(&shift.right, constants)?.parse().ok()?;
            Some(left.checked_shl(by)?.to_string())
        }
        Expr::Path(path) => constants.get(&path.path.get_ident()?.to_string()).cloned(),
        _ => None,
    }
}

/// The numbers of `&[1, 2]`.
fn numbers(expression: &Expr) -> Vec<String> {
    let Expr::Reference(reference) = expression else {
        return Vec::new();
    };
    let Expr::Array(list) = reference.expr.as_ref() else {
        return Vec::new();
    };
    let parts = list.elems.iter();
    parts
        .filter_map(|part| number(part, &HashMap::new()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let source = r#"
            const MOST: u32 = 100_000;
            fn check(check: &mut Check<'_>) {
                check.share("rate", 1.0);
                check.between("window.calls", 1, 1, MOST);
                check.at("inner").positive("rate", 1.0);
                match it { A { ms } => check.at_least("time.ms", *ms, 10), _ => {} }
                check.one_of("status", 1, &[206, 200]);
                report.count(&format!("{path}.batch.items"), 3, 1..=1 << 10);
                report.positive(&format!("{path}.{field}"), 3);
                report.share(&format!("{path}.either[{index}].share"), 3);
                check.error("rate", "is wrong");
            }
            mod tests { fn it() { check.at_least("tested", 1, 1); } }
        "#;
        let folder = std::env::temp_dir().join(format!("sparring-limits-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        std::fs::write(folder.join("a.rs"), source).expect("writable");
        let mut limits = Limits::default();
        limits.add_file("crates/a/src/a.rs", &folder.join("a.rs"));
        std::fs::remove_dir_all(&folder).expect("its own folder");
        limits
    }

    #[test]
    fn a_number_has_the_limits_of_its_check() {
        let limits = limits();
        let check = |path: &str, file: &str, expected: Option<&str>| {
            let told = limits.of(path, file).map(|limit| limit.told("number"));
            assert_eq!(told.as_deref(), expected, "{path} in {file}");
        };
        let (here, there) = ("crates/a/src/a.rs", "crates/a/src/b.rs");
        check(
            "x.<name>.window.calls",
            here,
            Some("number from 1 to 100000"),
        );
        check("x.window.calls", there, Some("number from 1 to 100000"));
        check("x.time.ms", here, Some("number, 10 or more"));
        check("x[].status", here, Some("206 or 200"));
        check("x.status", there, None);
        check("x.window.calls", "crates/b/src/a.rs", None);
        check("tested", here, None);
        check("x.batch.items", there, Some("number from 1 to 1024"));
        check("x.either[].share", there, Some("number from 0 to 1"));
    }
}
