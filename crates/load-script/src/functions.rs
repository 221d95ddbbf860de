//! The texts of the functions of all modules, read when a script asks for one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use script_formats::functions::Functions;
use script_formats::typescript::strip_types;

use crate::source::{self, Kind, Syntax};

/// The functions of the modules that were asked for, by the names of the modules.
#[derive(Default)]
pub(crate) struct FunctionTexts(RwLock<HashMap<String, Option<Arc<Functions>>>>);

impl FunctionTexts {
    /// Those of a module. `text` returns its text. `None` when it is not code.
    pub(crate) fn of(
        &self,
        name: &str,
        text: impl FnOnce() -> Option<String>,
    ) -> Option<Arc<Functions>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return known.clone();
        }
        drop(known);
        let read = text().and_then(|text| read(name, text)).map(Arc::new);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), read.clone());
        read
    }
}

fn read(name: &str, text: String) -> Option<Functions> {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    let Kind::Code { syntax, has_types } = source::kind(name, &text) else {
        return None;
    };
    let text = match has_types {
        true => strip_types(&text).unwrap_or(text),
        false => text,
    };
    Functions::read(text, syntax == Syntax::Module)
}
