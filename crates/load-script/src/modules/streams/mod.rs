//! `k6/experimental/streams`. Streams call scripts at every step and hold many script values, so they are
//! implemented in JavaScript; only a VU that imports them pays for them.

use std::sync::{Arc, OnceLock};

use script_engine::module;
use script_engine::throw::{Throw, plain};
use script_engine::{Ctx, Object, Persistent, Value};

use crate::vu::state::state;

/// The names that scripts import.
pub(super) const NAME: &str = "k6/experimental/streams";
const SOURCE: &str = concat!(
    "((shared) => ({ CountQueuingStrategy: shared.CountQueuingStrategy, ...(",
    include_str!("readable.js"),
    ")(shared), ...(",
    include_str!("writable.js"),
    ")(shared) }))((",
    include_str!("shared.js"),
    ")());"
);

/// The compiled source: compiled once in a process.
static CODE: OnceLock<Arc<[u8]>> = OnceLock::new();

/// The module's exports: one set per VU.
pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let vu = state(ctx);
    if let Some(known) = vu.required.borrow().get(NAME) {
        return object(known.clone().restore(ctx)?);
    }
    let exports = module::run(&compiled(ctx)?)?;
    let kept = Persistent::save(ctx, exports.clone());
    vu.required.borrow_mut().insert(NAME.to_owned(), kept);
    object(exports)
}

fn object(exports: Value<'_>) -> Result<Object<'_>, Throw> {
    exports
        .into_object()
        .ok_or_else(|| plain("the streams module has no exports"))
}

fn compiled<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>, Throw> {
    if let Some(code) = CODE.get() {
        return module::read(ctx, code);
    }
    let compiled = module::compile_classic(ctx, NAME, SOURCE)?;
    let code: Arc<[u8]> = module::write(&compiled)?.into();
    let _ = CODE.set(code);
    Ok(compiled)
}
