//! The types that can be read from a file, and their references to each other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use syn::{
    Attribute, Expr, Field, Fields, GenericArgument, Item, PathArguments, Stmt, Type, UseTree,
};

use super::attributes::{Serde, derives, doc};
use super::limits::Limits;
use super::reader::Reader;
use super::words;

/// A type with the information in its file.
pub struct Readable {
    pub name: String,
    /// Its file, relative to the workspace.
    pub file: String,
    pub doc: String,
    pub serde: Serde,
    pub body: Body,
}

pub enum Body {
    Struct(Vec<Member>),
    Enum(Vec<Choice>),
    /// A newtype of one value, such as a secret text.
    Value,
    /// A short form, or a map.
    Short(Box<Reader>),
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
    /// Other names of types, by crate and name.
    aliases: HashMap<(String, String), Type>,
    /// Doc comments of all types, by file and name.
    docs: HashMap<(String, String), String>,
    /// Paths of names that a file imports, by file and name.
    imports: HashMap<(String, String), Vec<String>>,
    pub limits: Limits,
}

/// Values whose form another type defines: the owner of the field, the field, the type and its file.
const KNOWN_ELSEWHERE: [(&str, &str, &str, &str); 1] = [(
    "Orchestration",
    "policies",
    "Policy",
    "crates/orchestrator/src/policy.rs",
)];

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
        types.expand();
        types
    }

    /// Replaces aliases by their types, and values whose form a type defines by that type.
    fn expand(&mut self) {
        let aliases = std::mem::take(&mut self.aliases);
        for one in &mut self.all {
            let own = crate_of(&one.file).to_owned();
            let other = |name: &str| aliases.get(&(own.clone(), name.to_owned())).cloned();
            let known = |owner: &str, field: &str| {
                let mut all = KNOWN_ELSEWHERE.iter();
                all.find(|(of, name, ..)| *of == owner && *name == field)
            };
            if let Body::Struct(members) = &mut one.body {
                for member in members {
                    replace(&mut member.of, &other);
                    if let Some((_, _, name, file)) = known(&one.name, &member.name) {
                        let path = (one.file.clone(), (*name).to_owned());
                        self.imports.insert(path, segments(file));
                        let of: Option<Type> = syn::parse_str(name).ok();
                        replace(&mut member.of, &|name| {
                            of.clone().filter(|_| name == "Value")
                        });
                    }
                }
            }
            if let Body::Enum(choices) = &mut one.body {
                for choice in choices {
                    match &mut choice.fields {
                        ChoiceFields::One(of) => replace(of, &other),
                        ChoiceFields::Named(members) => {
                            for member in members {
                                replace(&mut member.of, &other);
                            }
                        }
                        ChoiceFields::None => {}
                    }
                }
            }
        }
    }

    fn add_file(&mut self, name: &str, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // A file that cannot be parsed does not compile either.
        for item in syn::parse_file(&text)
            .map(|file| file.items)
            .unwrap_or_default()
        {
            self.add(name, item);
        }
    }

    fn add(&mut self, file: &str, item: Item) {
        if let Item::Struct(syn::ItemStruct { ident, attrs, .. })
        | Item::Enum(syn::ItemEnum { ident, attrs, .. }) = &item
        {
            let place = (file.to_owned(), ident.to_string());
            self.docs.insert(place, doc(attrs));
        }
        match item {
            Item::Type(item) => {
                let place = (crate_of(file).to_owned(), item.ident.to_string());
                self.aliases.insert(place, *item.ty);
            }
            Item::Use(item) => {
                imported(&item.tree, &mut Vec::new(), &mut |name, path| {
                    self.imports.insert((file.to_owned(), name), path);
                });
            }
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
                if let Some((name, reader)) = Reader::of(&item)
                    && !words::is_known(&name)
                {
                    self.keep(file, name, &[], Body::Short(Box::new(reader)));
                }
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
        let place = (file.to_owned(), name.clone());
        self.all.push(Readable {
            name,
            file: file.to_owned(),
            doc: match attributes {
                [] => self.docs.get(&place).cloned().unwrap_or_default(),
                attributes => doc(attributes),
            },
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
        let in_modules = |modules: &[String]| {
            let own = ["crate", "self", "super", "Self"];
            modules
                .first()
                .filter(|first| !own.contains(&first.as_str()))?;
            let is_in = |file: &str| {
                let file = file.replace('-', "_");
                modules.iter().all(|module| {
                    file.contains(&format!("/{module}/")) || file.contains(&format!("/{module}.rs"))
                })
            };
            Some(named().find(|(_, one)| is_in(&one.file)).map(|(at, _)| at))
        };
        if let Some(found) = in_modules(modules) {
            return found;
        }
        let import = self.imports.get(&(from.file.clone(), name.clone()));
        let import = import.filter(|_| modules.is_empty());
        if let Some(found) = import.and_then(|modules| in_modules(modules)).flatten() {
            return Some(found);
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

/// The last segment of a type's path.
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

/// Replaces names by other types, at any depth.
fn replace(of: &mut Type, other: &dyn Fn(&str) -> Option<Type>) {
    if let Some(found) = last(of).and_then(|name| other(&name)) {
        *of = found;
    }
    match of {
        Type::Array(array) => replace(&mut array.elem, other),
        Type::Path(path) => {
            let last = path.path.segments.last_mut();
            if let Some(PathArguments::AngleBracketed(list)) = last.map(|last| &mut last.arguments)
            {
                for argument in &mut list.args {
                    if let GenericArgument::Type(of) = argument {
                        replace(of, other);
                    }
                }
            }
        }
        _ => {}
    }
}

/// The modules of the names in a `use`, without the names themselves.
fn imported(tree: &UseTree, above: &mut Vec<String>, found: &mut impl FnMut(String, Vec<String>)) {
    match tree {
        UseTree::Path(path) => {
            above.push(path.ident.to_string());
            imported(&path.tree, above, found);
            above.pop();
        }
        UseTree::Name(name) => found(name.ident.to_string(), above.clone()),
        UseTree::Group(group) => {
            for tree in &group.items {
                imported(tree, above, found);
            }
        }
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

/// The modules of a file, as an import names them.
fn segments(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/');
    let parts = parts.filter(|part| !["crates", "src"].contains(part));
    parts.map(|part| part.replace('-', "_")).collect()
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

/// The sources in a folder, or a file itself.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.is_file() {
        found.push(folder.to_path_buf());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
