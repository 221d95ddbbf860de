//! Types with their own deserialization: from a short form, such as a number, or from a map.

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ImplItemFn, ItemImpl, Lit, Type};

use super::types::last;

/// The accepted forms of such a type.
pub struct Reader {
    /// The forms as in its error messages: `a number or a map such as { at: a.b }`.
    pub expecting: String,
    /// The type that reads the map.
    pub long: Option<Type>,
}

impl Reader {
    /// The type of a manual implementation of `Deserialize`, and its accepted forms.
    pub fn of(item: &ItemImpl) -> Option<(String, Self)> {
        let (_, of_trait, _) = item.trait_.as_ref()?;
        if of_trait.segments.last()?.ident != "Deserialize" {
            return None;
        }
        let mut found = Found::default();
        found.visit_item_impl(item);
        let reader = Self {
            expecting: found.expecting?,
            long: found.long,
        };
        Some((last(&item.self_ty)?, reader))
    }

    /// The forms without the article, and with the example as code.
    pub fn told(&self) -> String {
        let text = ["a ", "an "]
            .iter()
            .find_map(|article| self.expecting.strip_prefix(article))
            .unwrap_or(&self.expecting);
        match text.split_once(" such as ") {
            Some((what, example)) => format!("{what} such as `{example}`"),
            None => text.to_owned(),
        }
    }
}

#[derive(Default)]
struct Found {
    expecting: Option<String>,
    long: Option<Type>,
}

impl<'a> Visit<'a> for Found {
    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        if function.sig.ident == "expecting" {
            let mut text = FirstText(None);
            text.visit_block(&function.block);
            self.expecting = text.0;
        } else {
            visit::visit_impl_item_fn(self, function);
        }
    }

    /// `Long::deserialize(MapAccessDeserializer::new(map))`.
    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        visit::visit_expr_call(self, call);
        let Expr::Path(function) = call.func.as_ref() else {
            return;
        };
        let names: Vec<String> = function
            .path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        let is_of_map = matches!(call.args.first(), Some(Expr::Call(inner))
            if matches!(inner.func.as_ref(), Expr::Path(path)
                if path.path.segments.iter().any(|one| one.ident == "MapAccessDeserializer")));
        if let ([long, "deserialize"], true) = (
            names
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .as_slice(),
            is_of_map,
        ) {
            self.long = syn::parse_str(long).ok();
        }
    }
}

struct FirstText(Option<String>);

impl<'a> Visit<'a> for FirstText {
    fn visit_lit(&mut self, literal: &'a Lit) {
        if let (Lit::Str(text), None) = (literal, &self.0) {
            self.0 = Some(text.value());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_says_what_it_takes_and_which_type_reads_a_map() {
        let source = r#"
            impl<'de> Deserialize<'de> for Entry {
                fn deserialize<D>(deserializer: D) -> Result<Self, D::Error> {
                    struct Reader;
                    impl<'de> Visitor<'de> for Reader {
                        fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                            f.write_str("a weight or a map such as { weight: 3 }")
                        }
                        fn visit_map<A>(self, map: A) -> Result<Entry, A::Error> {
                            let long = LongEntry::deserialize(MapAccessDeserializer::new(map))?;
                            Ok(Entry { weight: long.weight })
                        }
                    }
                    deserializer.deserialize_any(Reader)
                }
            }
        "#;
        let item: ItemImpl = syn::parse_str(source).expect("an implementation");
        let (name, reader) = Reader::of(&item).expect("a reader");
        let long = reader.long.as_ref().and_then(last);
        assert_eq!(
            (name.as_str(), long.as_deref()),
            ("Entry", Some("LongEntry"))
        );
        assert_eq!(reader.told(), "weight or a map such as `{ weight: 3 }`");
        let other: ItemImpl = syn::parse_str("impl Default for Entry {}").expect("one");
        assert!(Reader::of(&other).is_none());
    }
}
