//! `localeCompare`: texts in the order of the root collation, as in k6's engine, which has no other locale.

use std::cmp::Ordering;
use std::sync::OnceLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};
use script_engine::native::{Call, Shape, function};
use script_engine::property::{Visible, define, define_length};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Object, convert};

/// Replaces `String.prototype.localeCompare`, which compares code units in this engine.
pub(super) fn install(globals: &Object<'_>) -> script_engine::Result<()> {
    let string: Object<'_> = globals.get("String")?;
    let prototype: Object<'_> = string.get("prototype")?;
    let name = c"localeCompare";
    let compare = function(globals.ctx(), locale_compare, name, Shape::Function)?;
    define_length(&compare, 1)?;
    define(&prototype, name, compare.into_value(), Visible::No)
}

fn locale_compare<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    if this.is_undefined() || this.is_null() {
        return Err(Throw::Type("Value is not object coercible".to_owned()));
    }
    if this.is_symbol() || call.arg(0).is_symbol() {
        let why = "Cannot convert a Symbol value to a string";
        return Err(Throw::Type(why.to_owned()));
    }
    let (this, that) = (convert::to_text(&this)?, convert::to_text(&call.arg(0))?);
    let order = match collator().compare(&this, &that) {
        Ordering::Less => -1.0,
        Ordering::Equal => 0.0,
        Ordering::Greater => 1.0,
    };
    Ok(convert::number(call.ctx, order))
}

fn collator() -> &'static CollatorBorrowed<'static> {
    static ROOT: OnceLock<CollatorBorrowed<'static>> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = Collator::try_new(
            icu_collator::CollatorPreferences::default(),
            CollatorOptions::default(),
        );
        root.expect("the root collation is part of the library")
    })
}
