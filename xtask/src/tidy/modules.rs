//! The source files of a crate as modules, and which of them use which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The path of a module from the crate's root.
pub(super) type ModulePath = Vec<String>;

/// The maximum length of a chain of re-exports that is followed.
const MOST_STEPS: usize = 8;

/// One source file.
#[derive(Debug, Default)]
struct Module {
    /// The names of its own items.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths in its code that begin with `crate`, `self` or `super`.
    paths: Vec<Vec<String>>,
}

/// One leaf of a `use`.
#[derive(Debug, Clone)]
struct Import {
    segments: Vec<String>,
    /// The imported name; none for `*`.
    name: Option<String>,
    is_public: bool,
}

/// The modules of one crate.
#[derive(Debug)]
pub(super) struct Modules {
    known: BTreeMap<ModulePath, Module>,
}

impl Modules {
    /// Reads the files below `src`, which are given relative to it, with their texts.
    ///
    /// # Errors
    /// A file that is not Rust.
    pub(super) fn read(files: &[(PathBuf, String)]) -> Result<Self, String> {
        let mut known = BTreeMap::new();
        for (file, text) in files {
            let parsed =
                syn::parse_file(text).map_err(|error| format!("{}: {error}", file.display()))?;
            let mut reader = Reader::default();
            reader.visit_file(&parsed);
            known.insert(module_path(file), reader.module);
        }
        Ok(Self { known })
    }

    /// The modules that each module uses. A re-export is not a use: a module that imports a
    /// re-exported name uses the defining module. Imports from a parent module do not count either.
    pub(super) fn uses(&self) -> BTreeMap<&ModulePath, BTreeSet<&ModulePath>> {
        let mut uses = BTreeMap::new();
        for (path, module) in &self.known {
            let imports = module
                .imports
                .iter()
                .filter(|import| !(import.is_public && self.is_below(path, &import.segments)))
                .map(|import| &import.segments);
            let used = imports
                .chain(&module.paths)
                .filter_map(|segments| self.resolve(path, segments, MOST_STEPS))
                .filter(|used| *used != path && !is_parent(used, path))
                .collect();
            uses.insert(path, used);
        }
        uses
    }

    fn is_below(&self, from: &ModulePath, segments: &[String]) -> bool {
        self.resolve(from, segments, MOST_STEPS)
            .is_some_and(|target| target.len() > from.len() && target.starts_with(from))
    }

    /// The module that defines what `segments` name in the module `from`; none outside the crate.
    fn resolve(&self, from: &ModulePath, segments: &[String], steps: usize) -> Option<&ModulePath> {
        let mut place = self.absolute(from, segments)?;
        let mut rest = Vec::new();
        while !self.known.contains_key(&place) {
            rest.push(place.pop()?);
        }
        let (found, module) = self.known.get_key_value(&place)?;
        let Some(name) = rest.last() else {
            return Some(found);
        };
        if steps == 0 || module.items.contains(name) {
            return Some(found);
        }
        let named = |import: &&Import| import.name.as_ref() == Some(name);
        if let Some(import) = module.imports.iter().find(named) {
            let origin = self.resolve(found, &import.segments, steps - 1);
            return origin.or(Some(found));
        }
        let wanted = ["self".to_owned(), name.clone()];
        let globs = module.imports.iter().filter(|import| import.name.is_none());
        let mut origins = globs.filter_map(|import| {
            let origin = self.resolve(found, &import.segments, steps - 1)?;
            let origin = self.resolve(origin, &wanted, steps - 1)?;
            self.known[origin].items.contains(name).then_some(origin)
        });
        Some(origins.next().unwrap_or(found))
    }

    /// A path from the crate's root.
    fn absolute(&self, from: &ModulePath, segments: &[String]) -> Option<ModulePath> {
        let mut place = from.clone();
        let mut rest = segments;
        match rest.first()?.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                place.pop()?;
            }
            name => {
                // A child module can be named without a prefix; other names are crates.
                place.push(name.to_owned());
                self.known.contains_key(&place).then_some(())?;
            }
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|name| name == "super") {
            place.pop()?;
            rest = &rest[1..];
        }
        place.extend(rest.iter().cloned());
        Some(place)
    }
}

fn is_parent(parent: &ModulePath, child: &ModulePath) -> bool {
    !parent.is_empty() && child.split_last().is_some_and(|(_, above)| above == parent)
}

/// The files below `source` that are shipped, relative to it, with their texts: those that a
/// `#[cfg(test)] mod` brings in are left out.
///
/// # Errors
/// A folder or file that cannot be read, a file that is not Rust.
pub(super) fn shipped(source: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let mut files = Vec::new();
    collect(source, source, &mut files)?;
    let mut tests: Vec<ModulePath> = Vec::new();
    for (file, text) in &files {
        let parsed =
            syn::parse_file(text).map_err(|error| format!("{}: {error}", file.display()))?;
        let path = module_path(file);
        tests.extend(parsed.items.iter().filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() && is_test(&module.attrs) => {
                let mut path = path.clone();
                path.push(module.ident.to_string());
                Some(path)
            }
            _ => None,
        }));
    }
    files.retain(|(file, _)| {
        let path = module_path(file);
        !tests.iter().any(|test| path.starts_with(test))
    });
    Ok(files)
}

fn collect(folder: &Path, source: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<(), String> {
    for entry in entries(folder)? {
        if entry.is_dir() {
            collect(&entry, source, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&entry)
                .map_err(|error| format!("{}: {error}", entry.display()))?;
            files.push((
                entry.strip_prefix(source).unwrap_or(&entry).to_owned(),
                text,
            ));
        }
    }
    Ok(())
}

/// The entries of a folder, by name.
///
/// # Errors
/// A folder that cannot be read.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    Ok(entries)
}

fn module_path(file: &Path) -> ModulePath {
    let mut path: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let last = path.last().map(String::as_str);
    if last == Some("mod") || path == ["lib"] || path == ["main"] {
        path.pop();
    }
    path
}

/// Collects the names that a file defines and uses.
#[derive(Default)]
struct Reader {
    module: Module,
    /// The depth of inline modules.
    depth: usize,
}

impl Reader {
    fn import(&mut self, tree: &syn::UseTree, mut segments: Vec<String>, is_public: bool) {
        let (name, bound) = match tree {
            syn::UseTree::Path(path) => {
                segments.push(path.ident.to_string());
                return self.import(&path.tree, segments, is_public);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, segments.clone(), is_public);
                }
                return;
            }
            syn::UseTree::Name(name) => (Some(name.ident.to_string()), name.ident.to_string()),
            syn::UseTree::Rename(rename) => {
                (Some(rename.ident.to_string()), rename.rename.to_string())
            }
            syn::UseTree::Glob(_) => (None, String::new()),
        };
        let mut bound = bound;
        match name {
            Some(name) if name == "self" => bound = segments.last().cloned().unwrap_or_default(),
            Some(name) => segments.push(name),
            None => {}
        }
        if let Some(segments) = self.outside_inline_modules(segments) {
            let name = (!matches!(tree, syn::UseTree::Glob(_))).then_some(bound);
            self.module.imports.push(Import {
                segments,
                name,
                is_public,
            });
        }
    }

    /// A path relative to the file's own module; none if it stays in an inline module.
    fn outside_inline_modules(&self, segments: Vec<String>) -> Option<Vec<String>> {
        let ups = segments.iter().take_while(|name| *name == "super").count();
        if self.depth == 0 || segments.first().is_some_and(|name| name == "crate") {
            return Some(segments);
        }
        if ups < self.depth {
            return None;
        }
        let mut own = vec!["self".to_owned()];
        own.extend(segments.into_iter().skip(self.depth));
        Some(own)
    }
}

pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg")
            && list.is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

fn item_name(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let (0, Some(name)) = (self.depth, item_name(item)) {
            self.module.items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_test(&module.attrs) {
            return;
        }
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, Vec::new(), is_public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        let is_ours = segments.len() > 1 && ["crate", "super"].contains(&segments[0].as_str());
        if let (true, Some(segments)) = (is_ours, self.outside_inline_modules(segments)) {
            self.module.paths.push(segments);
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &[(&str, &[&str])]) {
        let files: Vec<(PathBuf, String)> = files
            .iter()
            .map(|(file, text)| (PathBuf::from(file), (*text).to_owned()))
            .collect();
        let modules = Modules::read(&files).expect("Rust");
        let uses = modules.uses();
        let shown: Vec<(String, Vec<String>)> = uses
            .into_iter()
            .filter(|(_, used)| !used.is_empty())
            .map(|(path, used)| {
                let used = used.into_iter().map(|path| path.join("::")).collect();
                (path.join("::"), used)
            })
            .collect();
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(path, used)| {
                let used = used.iter().map(|path| (*path).to_owned()).collect();
                ((*path).to_owned(), used)
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_are_followed_through_re_exports_to_where_they_are_defined() {
        check(
            &[
                ("lib.rs", "mod a; mod b; pub use a::Thing; pub use b::*;"),
                ("a.rs", "pub struct Thing; use crate::Other;"),
                ("b/mod.rs", "mod inner; pub use inner::Other;"),
                ("b/inner.rs", "pub struct Other; fn f() { crate::Thing; }"),
            ],
            &[("a", &["b::inner"]), ("b::inner", &["a"])],
        );
    }

    #[test]
    fn parents_re_exports_tests_and_other_crates_are_no_uses() {
        check(
            &[
                ("lib.rs", "mod a; pub use a::A;"),
                (
                    "a.rs",
                    "mod part; pub struct A; pub use part::P; use std::fmt;",
                ),
                (
                    "a/part.rs",
                    "use super::A; pub struct P; #[cfg(test)] mod tests { use crate::c::C; }",
                ),
                (
                    "c.rs",
                    "pub struct C; mod inline { use super::C; use super::super::A; }",
                ),
            ],
            &[("c", &["a"])],
        );
    }
}
