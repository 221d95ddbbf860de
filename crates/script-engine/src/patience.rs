//! The time that the engine runs before it checks for an interrupt: another private field, found by observation.
//!
//! The engine checks after ten thousand jumps or calls. A loop whose every iteration is one long native call,
//! such as `for (;;) JSON.stringify(large)`, would run for hours. The engine counts down in a field of the
//! context, whose offset can be observed safely, as for [`super::layout`]: it is the number that a loop decreases
//! by its number of iterations. With the count at zero, the engine checks at the next jump. Only the thread on
//! which the engine runs ever writes to it.

use std::sync::OnceLock;

use rquickjs::qjs;

/// The largest initial value of the count.
const MOST: i32 = 1_000_000;

/// Makes the engine check for an interrupt after this many jumps or calls in the context that runs on the calling
/// thread. Does nothing when this build of the engine is unknown.
pub(super) fn ask_after(ctx: *mut qjs::JSContext, jumps: i32) {
    if let Some(offset) = count_offset() {
        // SAFETY: the context is alive, and its engine runs on this thread and nowhere else; the offset
        // was observed in a context of the same build.
        unsafe { ctx.cast::<i32>().add(offset).write(jumps) };
    }
}

/// The position of the count, in words of four bytes from the beginning of `JSContext`.
fn count_offset() -> Option<usize> {
    static OFFSET: OnceLock<Option<usize>> = OnceLock::new();
    // SAFETY: the probe works on a runtime of its own.
    *OFFSET.get_or_init(|| unsafe { observe() })
}

/// # Safety
/// Runtimes that are in use are not touched.
unsafe fn observe() -> Option<usize> {
    // SAFETY: a fresh runtime and realm, freed at the end; nothing is written to their memory here.
    unsafe {
        let engine = qjs::JS_NewRuntime();
        if engine.is_null() {
            return None;
        }
        let ctx = qjs::JS_NewContext(engine);
        let mut found = None;
        if !ctx.is_null() {
            found = observe_in(ctx);
            qjs::JS_FreeContext(ctx);
        }
        qjs::JS_FreeRuntime(engine);
        found
    }
}

/// # Safety
/// The context must be live and unused.
unsafe fn observe_in(ctx: *mut qjs::JSContext) -> Option<usize> {
    // SAFETY: plain calls of the engine's interface; memory is only read.
    unsafe {
        // The first check happens at once, and sets the count.
        run(ctx, c"for (let i = 0; i < 10; i++);");
        let before = numbers(ctx);
        run(ctx, c"for (let i = 0; i < 100; i++);");
        let between = numbers(ctx);
        run(ctx, c"for (let i = 0; i < 350; i++);");
        let after = numbers(ctx);
        let counts_down = |at: &usize| {
            let fell = |from: i32, to: i32| from.checked_sub(to);
            let first = fell(before[*at], between[*at]);
            let second = fell(between[*at], after[*at]);
            let difference = first.zip(second).and_then(|(a, b)| b.checked_sub(a));
            // An iteration may count more than once.
            let is_exact = difference.is_some_and(|d| matches!(d, 250 | 500 | 750 | 1000));
            (1..MOST).contains(&after[*at]) && is_exact && first >= Some(100)
        };
        let mut found = (0..before.len()).filter(counts_down);
        found.next().filter(|_| found.next().is_none())
    }
}

/// # Safety
/// `ctx` must be live.
unsafe fn numbers(ctx: *mut qjs::JSContext) -> Vec<i32> {
    // SAFETY: the block is as long as the engine says, which has a header of its own before it, and zeroed by the
    // engine at first.
    unsafe {
        let bytes = qjs::js_malloc_usable_size(ctx, ctx.cast()) as usize;
        let bytes = bytes.min(2048);
        std::slice::from_raw_parts(ctx.cast::<i32>(), bytes / size_of::<i32>()).to_vec()
    }
}

/// # Safety
/// The context must be live.
unsafe fn run(ctx: *mut qjs::JSContext, code: &std::ffi::CStr) {
    // SAFETY: the code is a C string, as the engine requires.
    unsafe {
        let length = code.to_bytes().len() as qjs::size_t;
        let flags = qjs::JS_EVAL_TYPE_GLOBAL as std::ffi::c_int;
        let result = qjs::JS_Eval(ctx, code.as_ptr(), length, c"probe".as_ptr(), flags);
        qjs::JS_FreeValue(ctx, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_the_context_is_found() {
        assert!(
            count_offset().is_some(),
            "this build of the engine is known"
        );
    }
}
