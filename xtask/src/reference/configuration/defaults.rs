//! The defaults of fields, from the code.

use serde_json::{Map, Value, json};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprCall, ExprStruct, Lit, Member as Name, Token, UnOp};

use super::types::{Body, Member, Readable, Shape, Types, shape, snake};

/// The default of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// The field is required.
    Required,
    /// No value; the description of the field states the effect.
    Absent,
    Value(Value),
    /// The defaults of its own type, some of them replaced by these.
    Own(Map<String, Value>),
    /// A value that is computed by this code.
    Code(String),
}

/// The default of a field. `in_choice`: the field of a choice has no type around it that could have
/// defaults.
pub fn of(types: &Types, owner: &Readable, member: &Member, in_choice: bool) -> Given {
    if let Some(function) = &member.serde.default_function {
        let value = types
            .function(&owner.file, function)
            .map(|tail| value(types, owner, tail));
        return value.unwrap_or_else(|| Given::Code(function.clone()));
    }
    if member.serde.default {
        return of_type(types, owner, member);
    }
    if owner.serde.default && !in_choice {
        if let Some(Expr::Struct(set)) = types.default_of(owner) {
            let field = set.fields.iter().find(|field| match &field.member {
                Name::Named(name) => *name == member.name,
                Name::Unnamed(_) => false,
            });
            return field.map_or(Given::Required, |field| value(types, owner, &field.expr));
        }
        return of_type(types, owner, member);
    }
    match shape(&member.of) {
        Shape::Option(_) => Given::Absent,
        _ => Given::Required,
    }
}

/// `Default::default` of the field's type.
fn of_type(types: &Types, owner: &Readable, member: &Member) -> Given {
    match shape(&member.of) {
        Shape::Option(_) => Given::Absent,
        Shape::List(_) => Given::Value(json!([])),
        Shape::Map(_) => Given::Value(json!({})),
        Shape::Box(_) => Given::Own(Map::new()),
        Shape::Plain(name) => match name.as_str() {
            "bool" => Given::Value(json!(false)),
            "String" => Given::Value(json!("")),
            "Value" => Given::Absent,
            name if name.starts_with(['u', 'i', 'f']) => Given::Value(json!(0)),
            _ => match types.find(owner, &member.of) {
                Some(at) => default_of(types, &types.all[at]),
                None => Given::Own(Map::new()),
            },
        },
    }
}

/// The default of a type: a choice, a short form, or its own defaults.
fn default_of(types: &Types, of: &Readable) -> Given {
    if let (Body::Short(_), Some(tail)) = (&of.body, types.default_of(of)) {
        return value(types, of, tail);
    }
    if let Body::Enum(choices) = &of.body {
        if let Some(choice) = choices.iter().find(|choice| choice.is_default) {
            return Given::Value(json!(choice.name));
        }
        if let Some(tail) = types.default_of(of) {
            return value(types, of, tail);
        }
    }
    Given::Own(Map::new())
}

/// The value of an expression, in the terms of the file.
fn value(types: &Types, owner: &Readable, expression: &Expr) -> Given {
    match expression {
        Expr::Lit(literal) => of_literal(&literal.lit),
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            match value(types, owner, &negated.expr) {
                Given::Value(Value::Number(number)) => {
                    Given::Value(json!(-number.as_f64().unwrap_or_default()))
                }
                other => other,
            }
        }
        Expr::MethodCall(call) => match value(types, owner, &call.receiver) {
            Given::Value(text) if call.method == "to_owned" || call.method == "into" => {
                Given::Value(text)
            }
            _ => code(expression),
        },
        Expr::Path(path) => match path.path.segments.last().map(|last| last.ident.to_string()) {
            Some(name) if name == "None" => Given::Absent,
            Some(name) if path.path.segments.len() > 1 => Given::Value(json!(snake(&name))),
            _ => code(expression),
        },
        Expr::Call(call) => of_call(types, owner, call),
        Expr::Struct(set) => of_struct(types, owner, set),
        Expr::Macro(list) if list.mac.path.is_ident("vec") => {
            let parts = list
                .mac
                .parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
            let parts = parts.unwrap_or_default();
            let parts = parts.iter().map(|part| value(types, owner, part));
            let parts: Vec<Value> = parts
                .filter_map(|part| match part {
                    Given::Value(value) => Some(value),
                    _ => None,
                })
                .collect();
            Given::Value(json!(parts))
        }
        other => code(other),
    }
}

fn of_literal(literal: &Lit) -> Given {
    match literal {
        Lit::Bool(flag) => Given::Value(json!(flag.value)),
        Lit::Str(text) => Given::Value(json!(text.value())),
        Lit::Int(number) => number
            .base10_parse::<i64>()
            .map_or(Given::Absent, |number| Given::Value(json!(number))),
        Lit::Float(number) => number
            .base10_parse::<f64>()
            .map_or(Given::Absent, |number| Given::Value(json!(number))),
        _ => Given::Absent,
    }
}

fn of_call(types: &Types, owner: &Readable, call: &ExprCall) -> Given {
    let Expr::Path(function) = call.func.as_ref() else {
        return code(&call.clone().into());
    };
    let names: Vec<String> = function
        .path
        .segments
        .iter()
        .map(|s| s.ident.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match (names.as_slice(), call.args.first()) {
        (["Vec", "new"], _) => Given::Value(json!([])),
        (["IndexMap" | "HashMap" | "BTreeMap", "new"] | ["Value", "Object"], _) => {
            Given::Value(json!({}))
        }
        (["IpAddr", "from"], Some(Expr::Array(parts))) => {
            let parts = parts.elems.iter().map(|part| value(types, owner, part));
            let parts: Vec<String> = parts
                .map(|part| match part {
                    Given::Value(number) => number.to_string(),
                    _ => String::new(),
                })
                .collect();
            Given::Value(json!(parts.join(".")))
        }
        (["Span", "from_secs"], Some(Expr::Lit(seconds))) => match of_literal(&seconds.lit) {
            Given::Value(seconds) => Given::Value(json!(format!("{seconds}s"))),
            other => other,
        },
        ([.., of, "default"], None) => {
            let found = types.all.iter().find(|one| one.name == *of);
            found.map_or(Given::Own(Map::new()), |found| default_of(types, found))
        }
        ([name], None) => match types.function(&owner.file, name) {
            Some(tail) => value(types, owner, tail),
            None => code(&call.clone().into()),
        },
        ([of, choice], Some(inner)) => {
            let named = |one: &&Readable| one.name == *of;
            let of = match *of {
                "Self" => Some(owner),
                _ => types.all.iter().find(named),
            };
            match (of.map(|of| &of.body), value(types, owner, inner)) {
                (Some(Body::Short(_)), inner) => inner,
                (Some(Body::Enum(_)), Given::Value(inner)) => {
                    Given::Value(json!({ snake(choice): inner }))
                }
                _ => code(&call.clone().into()),
            }
        }
        _ => code(&call.clone().into()),
    }
}

/// A choice with its fields, or a type's own defaults with exceptions.
fn of_struct(types: &Types, owner: &Readable, set: &ExprStruct) -> Given {
    let mut fields = Map::new();
    for field in &set.fields {
        if let (Name::Named(name), Given::Value(value)) =
            (&field.member, value(types, owner, &field.expr))
        {
            fields.insert(name.to_string(), value);
        }
    }
    let names: Vec<String> = set
        .path
        .segments
        .iter()
        .map(|s| s.ident.to_string())
        .collect();
    let is_choice = |name: &str| {
        let of = types.all.iter().find(|one| one.name == name);
        of.is_some_and(|of| matches!(of.body, Body::Enum(_)))
    };
    match names.as_slice() {
        [.., of, choice] if of == "Self" || is_choice(of) => {
            Given::Value(json!({ snake(choice): fields }))
        }
        _ => Given::Own(fields),
    }
}

fn code(expression: &Expr) -> Given {
    match expression {
        Expr::MethodCall(call) => code(&call.receiver),
        Expr::Path(path) => {
            let last = path.path.segments.last();
            Given::Code(last.map(|last| last.ident.to_string()).unwrap_or_default())
        }
        _ => Given::Code(String::new()),
    }
}
