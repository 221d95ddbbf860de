//! The types that can be read from a file, and how one names another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Field, Fields, GenericArgument, Item, PathArguments, Stmt, Type};

use super::attributes::{Serde, derives, doc};
use super::limits::Limits;

/// A type with what its file says of it.
pub struct Readable {
    pub name: String,
    /// Its file, from the workspace's folder on.
    pub file: String,
    pub doc: String,
    pub serde: Serde,
    pub body: Body,
}

pub enum Body {
    Struct(Vec<Member>),
    Enum(Vec<Choice>),
    /// One value behind a name of its own, such as a text that is kept secret.
    Value,
}

/// A field.
pub struct Member {
    pub name: String,
    pub doc: String,
    pub of: Type,
    pub serde: Serde,
}

pub struct Choice {
    pub name: String,
    pub doc: String,
    pub fields: ChoiceFields,
    pub is_default: bool,
}

pub enum ChoiceFields {
    None,
    One(Type),
    Named(Vec<Member>),
}

/// All readable types, with their functions and `Default`s.
#[derive(Default)]
pub struct Types {
    pub all: Vec<Readable>,
    /// Tail expressions of functions without arguments, by file and name.
    functions: HashMap<(String, String), Expr>,
    /// Tail expressions of `Default::default`, by file and type.
    defaults: HashMap<(String, String), Expr>,
    pub limits: Limits,
}

impl Types {
    /// Reads all sources below the folders.
    pub fn read(root: &Path, folders: &[&str]) -> Self {
        let mut types = Self::default();
        for folder in folders {
            let mut files = Vec::new();
            sources(&root.join(folder), &mut files);
            files.sort();
            for file in files {
                let name = file.strip_prefix(root).unwrap_or(&file);
                let name = name.display().to_string();
                types.add_file(&name, &file);
                types.limits.add_file(&name, &file);
            }
        }
        types
    }

    fn add_file(&mut self, name: &str, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // One that cannot be parsed does not compile either.
        for item in syn::parse_file(&text)
            .map(|file| file.items)
            .unwrap_or_default()
        {
            self.add(name, item);
        }
    }

    fn add(&mut self, file: &str, item: Item) {
        match item {
            Item::Struct(item) if derives(&item.attrs, "Deserialize") => {
                let body = match &item.fields {
                    Fields::Unnamed(_) => Body::Value,
                    fields => Body::Struct(members(fields.iter())),
                };
                self.keep(file, item.ident.to_string(), &item.attrs, body);
            }
            Item::Enum(item) if derives(&item.attrs, "Deserialize") => {
                let rule = Serde::of(&item.attrs);
                let choices = item.variants.iter().map(|variant| choice(variant, &rule));
                let body = Body::Enum(choices.collect());
                self.keep(file, item.ident.to_string(), &item.attrs, body);
            }
            Item::Fn(item) if item.sig.inputs.is_empty() => {
                if let Some(tail) = tail(&item.block.stmts) {
                    let place = (file.to_owned(), item.sig.ident.to_string());
                    self.functions.insert(place, tail);
                }
            }
            Item::Impl(item) => {
                let is_default = item
                    .trait_
                    .as_ref()
                    .is_some_and(|(_, path, _)| path.is_ident("Default"));
                let function = item.items.iter().find_map(|inner| match inner {
                    syn::ImplItem::Fn(function) => Some(function),
                    _ => None,
                });
                let tail = function
                    .filter(|_| is_default)
                    .and_then(|f| tail(&f.block.stmts));
                if let (Some(tail), Some(name)) = (tail, last(&item.self_ty)) {
                    self.defaults.insert((file.to_owned(), name), tail);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, file: &str, name: String, attributes: &[Attribute], body: Body) {
        self.all.push(Readable {
            name,
            file: file.to_owned(),
            doc: doc(attributes),
            serde: Serde::of(attributes),
            body,
        });
    }

    /// The type that a path means in `from`.
    pub fn find(&self, from: &Readable, of: &Type) -> Option<usize> {
        let Type::Path(path) = of else { return None };
        let segments: Vec<String> = path
            .path
            .segments
            .iter()
            .map(|s| s.ident.to_string())
            .collect();
        let (name, modules) = segments.split_last()?;
        let named = || {
            self.all
                .iter()
                .enumerate()
                .filter(|(_, one)| one.name == *name)
        };
        let own = ["crate", "self", "super", "Self"];
        if modules
            .first()
            .is_some_and(|first| !own.contains(&first.as_str()))
        {
            let is_in = |file: &str| {
                let file = file.replace('-', "_");
                modules.iter().all(|module| {
                    file.contains(&format!("/{module}/")) || file.contains(&format!("/{module}.rs"))
                })
            };
            return named().find(|(_, one)| is_in(&one.file)).map(|(at, _)| at);
        }
        let nearness = |one: &Readable| {
            let same_crate = crate_of(&one.file) == crate_of(&from.file);
            (one.file != from.file, !same_crate)
        };
        named()
            .min_by_key(|(_, one)| nearness(one))
            .map(|(at, _)| at)
    }

    /// The type of this name in this file.
    pub fn named(&self, name: &str, file: &str) -> Option<usize> {
        self.all
            .iter()
            .position(|one| one.name == name && one.file == file)
    }

    pub fn function(&self, file: &str, name: &str) -> Option<&Expr> {
        self.functions.get(&(file.to_owned(), name.to_owned()))
    }

    pub fn default_of(&self, one: &Readable) -> Option<&Expr> {
        self.defaults.get(&(one.file.clone(), one.name.clone()))
    }
}

/// The parts of a type.
pub enum Shape<'a> {
    Option(&'a Type),
    List(&'a Type),
    Map(&'a Type),
    Box(&'a Type),
    Plain(String),
}

/// The outermost part of a type.
pub fn shape(of: &Type) -> Shape<'_> {
    if let Type::Array(array) = of {
        return Shape::List(&array.elem);
    }
    let name = last(of).unwrap_or_default();
    let arguments = arguments(of);
    match (name.as_str(), arguments.as_slice()) {
        ("Option", [inner]) => Shape::Option(inner),
        ("Vec", [inner]) => Shape::List(inner),
        ("Box", [inner]) => Shape::Box(inner),
        ("IndexMap" | "HashMap" | "BTreeMap", [_, inner]) => Shape::Map(inner),
        _ => Shape::Plain(name),
    }
}

/// The last name of a type's path.
pub fn last(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

fn arguments(of: &Type) -> Vec<&Type> {
    let Type::Path(path) = of else {
        return Vec::new();
    };
    let Some(PathArguments::AngleBracketed(list)) = path.path.segments.last().map(|s| &s.arguments)
    else {
        return Vec::new();
    };
    let types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    });
    types.collect()
}

fn members<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<Member> {
    let fields = fields.filter_map(|field| {
        let serde = Serde::of(&field.attrs);
        let own = field.ident.as_ref()?.to_string();
        (!serde.skip).then(|| Member {
            name: serde.rename.clone().unwrap_or(own),
            doc: doc(&field.attrs),
            of: field.ty.clone(),
            serde,
        })
    });
    fields.collect()
}

fn choice(variant: &syn::Variant, rule: &Serde) -> Choice {
    let own = variant.ident.to_string();
    let name = if rule.snake_case { snake(&own) } else { own };
    Choice {
        name: Serde::of(&variant.attrs).rename.unwrap_or(name),
        doc: doc(&variant.attrs),
        fields: match &variant.fields {
            Fields::Unit => ChoiceFields::None,
            Fields::Unnamed(fields) => ChoiceFields::One(fields.unnamed[0].ty.clone()),
            Fields::Named(fields) => ChoiceFields::Named(members(fields.named.iter())),
        },
        is_default: variant
            .attrs
            .iter()
            .any(|one| one.path().is_ident("default")),
    }
}

pub fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

fn tail(statements: &[Stmt]) -> Option<Expr> {
    match statements.last()? {
        Stmt::Expr(tail, None) => Some(tail.clone()),
        _ => None,
    }
}

fn crate_of(file: &str) -> &str {
    file.split("/src/").next().unwrap_or(file)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
