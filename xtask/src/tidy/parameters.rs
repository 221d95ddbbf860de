//! Parameters: no tuples, since a reader of the call cannot see what their parts mean.

use std::path::Path;

use syn::visit::{self, Visit};

use super::modules::{entries, is_test, shipped};

pub(super) fn check(root: &Path) -> Vec<String> {
    let folders = match entries(&root.join("crates")) {
        Ok(folders) => folders,
        Err(message) => return vec![message],
    };
    let mut found = Vec::new();
    for folder in folders.iter().chain([&root.join("xtask")]) {
        match shipped(&folder.join("src")) {
            Ok(files) => {
                for (file, text) in files {
                    let place = folder.strip_prefix(root).unwrap_or(folder);
                    let place = place.join("src").join(file);
                    found.extend(tuples(&text).into_iter().map(|name| {
                        let place = place.display();
                        format!("{place}: {name} takes a tuple; use parameters or a struct")
                    }));
                }
            }
            Err(message) => found.push(message),
        }
    }
    found
}

/// The functions of a file that take tuples. Implementations of external traits and tests do not count.
fn tuples(text: &str) -> Vec<String> {
    let mut finder = Finder { found: Vec::new() };
    if let Ok(file) = syn::parse_file(text) {
        finder.visit_file(&file);
    }
    finder.found
}

struct Finder {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.is_none() && !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        let takes = signature.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(parameter) => is_tuple(&parameter.ty),
            syn::FnArg::Receiver(_) => false,
        });
        if takes {
            self.found.push(signature.ident.to_string());
        }
    }
}

fn is_tuple(of: &syn::Type) -> bool {
    match of {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 1,
        syn::Type::Reference(reference) => is_tuple(&reference.elem),
        _ => has_tuples(of),
    }
}

/// Whether a list or an option holds tuples. Pairs are allowed: a name and its value, or a point of a curve.
fn has_tuples(of: &syn::Type) -> bool {
    match of {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 2,
        syn::Type::Reference(reference) => has_tuples(&reference.elem),
        syn::Type::Slice(slice) => has_tuples(&slice.elem),
        syn::Type::Array(array) => has_tuples(&array.elem),
        syn::Type::Path(path) => {
            let last = path.path.segments.last();
            let of_list = last.filter(|it| it.ident == "Vec" || it.ident == "Option");
            of_list.is_some_and(|it| match &it.arguments {
                syn::PathArguments::AngleBracketed(inner) => inner
                    .args
                    .iter()
                    .any(|inner| matches!(inner, syn::GenericArgument::Type(of) if has_tuples(of))),
                _ => false,
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(tuples(text), expected, "{text}");
    }

    #[test]
    fn tuples_of_functions_are_found_and_those_of_trait_implementations_are_not() {
        check("fn f(a: (u8, u8)) {}", &["f"]);
        check("fn f((a, b): &(u8, u8)) {}", &["f"]);
        check("impl A { fn g(&self, a: (u8, u8)) {} }", &["g"]);
        check("impl B for A { fn g(&self, a: (u8, u8)) {} }", &[]);
        check("fn f(a: u8, of: &[(u8, u8)]) {}", &[]);
        check("fn f(of: &mut Vec<(u8, u8, u8)>) {}", &["f"]);
        check("fn f(of: &[Option<(u8, u8, u8)>]) {}", &["f"]);
        check("#[cfg(test)] mod tests { fn f(a: (u8, u8)) {} }", &[]);
    }
}
