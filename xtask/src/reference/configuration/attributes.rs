//! The serde attributes and doc comments of an item.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The serde attributes that are used for configuration.
#[derive(Debug, Default)]
pub struct Serde {
    pub rename: Option<String>,
    pub snake_case: bool,
    pub untagged: bool,
    pub skip: bool,
    /// `default` without a value.
    pub default: bool,
    /// `default = "function"`.
    pub default_function: Option<String>,
}

impl Serde {
    pub fn of(attributes: &[Attribute]) -> Self {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|one| one.path().is_ident("serde")) {
            let read = attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string);
                let value = match meta.value() {
                    Ok(value) => Some(value.parse::<Lit>()?),
                    Err(_) => None,
                };
                let text = match value {
                    Some(Lit::Str(text)) => Some(text.value()),
                    _ => None,
                };
                match (name.as_deref(), text) {
                    (Some("rename"), text) => found.rename = text,
                    (Some("rename_all"), text) => {
                        found.snake_case = text.as_deref() == Some("snake_case");
                    }
                    (Some("untagged"), _) => found.untagged = true,
                    (Some("skip"), _) => found.skip = true,
                    (Some("default"), None) => found.default = true,
                    (Some("default"), text) => found.default_function = text,
                    _ => {}
                }
                Ok(())
            });
            drop(read);
        }
        found
    }
}

/// Whether a derive attribute names the trait.
pub fn derives(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        let mut is_there = false;
        if attribute.path().is_ident("derive") {
            let read = attribute.parse_nested_meta(|meta| {
                is_there |= meta.path.is_ident(name);
                Ok(())
            });
            drop(read);
        }
        is_there
    })
}

/// The prose of a doc comment in one line, up to its first example.
pub fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(line);
    let lines = lines.take_while(|line| !line.trim_start().starts_with("```"));
    let words: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    words.join(" ").trim().to_owned()
}

fn line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
