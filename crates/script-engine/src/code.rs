//! Bytecode that the VUs of a realm share.
//!
//! The engine reads bytecode into a module or a script with all functions in it. Code never changes, only the
//! module around it does, so the VUs of a realm can share what the first of them has read. The place where a
//! module stores its function is found by observation; when the result is ambiguous, each VU keeps its own
//! code.

use rquickjs::{Ctx, Value, qjs};

use super::isolate;
use super::throw::Throw;

/// Replaces the code of a module that was just read by the code that another VU of the realm read before. Its
/// imports must not be linked yet.
pub fn share_module(ctx: &Ctx<'_>, name: &str, module: &Value<'_>) {
    let Some(mut known) = isolate::known_code() else {
        return;
    };
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the value is a live module, whose block is as long as the engine says; its function is
    // exchanged for one of the same code, and the references change places with it.
    unsafe {
        let Some(place) = function_of(raw, module.as_raw()) else {
            return;
        };
        match known.get(name) {
            Some(code) => {
                let own = place.replace(qjs::JS_DupValue(raw, *code));
                qjs::JS_FreeValue(raw, own);
            }
            None => {
                known.insert(name.to_owned(), qjs::JS_DupValue(raw, place.read()));
            }
        }
    }
}

/// A script's code: shared with another VU of the realm that has read it, or else the result of `read`.
///
/// # Errors
/// The error of `read`.
pub fn shared_script<'js>(
    ctx: &Ctx<'js>,
    name: &str,
    read: impl FnOnce() -> Result<Value<'js>, Throw>,
) -> Result<Value<'js>, Throw> {
    let raw = ctx.as_raw().as_ptr();
    let known = isolate::known_code().and_then(|known| known.get(name).copied());
    if let Some(code) = known {
        // SAFETY: known code lives as long as the runtime.
        return Ok(unsafe { Value::from_raw(ctx.clone(), qjs::JS_DupValue(raw, code)) });
    }
    let code = read()?;
    if let Some(mut known) = isolate::known_code() {
        // SAFETY: the value is alive.
        let kept = unsafe { qjs::JS_DupValue(raw, code.as_raw()) };
        known.insert(name.to_owned(), kept);
    }
    Ok(code)
}

/// The word of an unlinked module that holds its function, if it can be found unambiguously.
///
/// # Safety
/// Both must be live, and the value a module.
unsafe fn function_of(ctx: *mut qjs::JSContext, module: qjs::JSValue) -> Option<*mut qjs::JSValue> {
    // SAFETY: see above; a value is two words, the second of which is its tag.
    unsafe {
        if qjs::JS_VALUE_GET_TAG(module) != qjs::JS_TAG_MODULE {
            return None;
        }
        let block = qjs::JS_VALUE_GET_PTR(module).cast::<usize>();
        let bytes = qjs::js_malloc_usable_size(ctx, block.cast());
        let words = std::slice::from_raw_parts(block, bytes as usize / size_of::<usize>());
        let tag = qjs::JS_TAG_FUNCTION_BYTECODE as i64 as usize;
        let mut places = (1..words.len()).filter(|at| words[*at] == tag);
        let place = places.next().filter(|_| places.next().is_none())?;
        (words[place - 1] > 4096).then(|| block.add(place - 1).cast())
    }
}
