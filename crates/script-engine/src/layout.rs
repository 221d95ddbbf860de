//! Three private fields of the engine's runtime, found by observation.
//!
//! Realms that share a runtime share its current stack frame and its queue of promise jobs. A VU that is suspended in
//! the middle of a call must take both with it. The engine offers no way to do so, and its source must not be changed;
//! but the offsets of the fields can be observed safely: the frame is the word that is null outside of a call and
//! points into the stack inside, the queue is the self-pointing pair that changes when a job is enqueued. The third is
//! the flag that the engine is reporting a new error: the byte that is one only while `Error.prepareStackTrace` is
//! called. If one of them is not found beyond doubt, every VU gets a runtime of its own.

use std::cell::RefCell;
use std::ffi::c_int;
use std::ptr;
use std::sync::OnceLock;

use rquickjs::qjs;

/// Offsets in words from the beginning of `JSRuntime`, and one in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) frame: usize,
    pub(super) jobs: usize,
    telling: usize,
}

impl Layout {
    /// Whether the engine is reporting a new error.
    ///
    /// # Safety
    /// `engine` must be live.
    pub(super) unsafe fn tells_of_error(self, engine: *mut qjs::JSRuntime) -> bool {
        // SAFETY: the offset was observed in a runtime of the same build.
        unsafe { engine.cast::<u8>().add(self.telling).read() != 0 }
    }
}

/// The layout of this build of the engine, if it was found.
pub(super) fn layout() -> Option<Layout> {
    static LAYOUT: OnceLock<Option<Layout>> = OnceLock::new();
    // SAFETY: the probe works on a runtime of its own.
    *LAYOUT.get_or_init(|| unsafe { observe() })
}

thread_local! {
    /// The state of the runtime inside a call, and the position of the stack.
    static INSIDE: RefCell<(Vec<usize>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

/// The largest distance of a call's frame above the native function that it calls.
const NEAR_BYTES: usize = 64 * 1024;

/// # Safety
/// Runtimes that are in use are not touched.
unsafe fn observe() -> Option<Layout> {
    // SAFETY: a fresh runtime and realm, freed at the end; nothing is written to their memory here.
    unsafe {
        let engine = qjs::JS_NewRuntime();
        if engine.is_null() {
            return None;
        }
        let ctx = qjs::JS_NewContext(engine);
        let layout = if ctx.is_null() {
            None
        } else {
            observe_in(engine, ctx)
        };
        if !ctx.is_null() {
            qjs::JS_FreeContext(ctx);
        }
        qjs::JS_FreeRuntime(engine);
        layout
    }
}

/// # Safety
/// Both must be live and unused.
unsafe fn observe_in(engine: *mut qjs::JSRuntime, ctx: *mut qjs::JSContext) -> Option<Layout> {
    // SAFETY: plain calls of the engine's interface; memory is only read.
    unsafe {
        let before = words(engine);
        let probe = qjs::JS_NewCFunction2(
            ctx,
            Some(probe),
            c"probe".as_ptr(),
            0,
            qjs::JSCFunctionEnum_JS_CFUNC_generic,
            0,
        );
        qjs::JS_FreeValue(
            ctx,
            qjs::JS_Call(ctx, probe, qjs::JS_UNDEFINED, 0, ptr::null_mut()),
        );
        qjs::JS_FreeValue(ctx, probe);
        let (inside, stack) = INSIDE.take();
        let points_up = |word: usize| (stack..stack + NEAR_BYTES).contains(&word);
        let frame =
            only((0..before.len()).filter(|at| before[*at] == 0 && points_up(inside[*at])))?;

        let own = |at: usize| engine.addr() + at * size_of::<usize>();
        let is_empty =
            |words: &[usize], at: usize| words[at] == own(at) && words[at + 1] == own(at);
        let idle = words(engine);
        qjs::JS_EnqueueJob(ctx, Some(nothing), 0, ptr::null_mut());
        let busy = words(engine);
        let mut of = ptr::null_mut();
        qjs::JS_ExecutePendingJob(engine, &mut of);
        let after = words(engine);
        let lists = (0..idle.len() - 1)
            .filter(|at| is_empty(&idle, *at) && !is_empty(&busy, *at) && is_empty(&after, *at));
        let jobs = only(lists)?;
        let telling = observe_telling(ctx, &before, &inside)?;
        (after[frame] == 0).then_some(Layout {
            frame,
            jobs,
            telling,
        })
    }
}

/// The byte that is set while the engine reports a new error, but neither `before` nor `inside` of a plain call.
///
/// # Safety
/// `ctx` must be live and unused.
unsafe fn observe_telling(
    ctx: *mut qjs::JSContext,
    before: &[usize],
    inside: &[usize],
) -> Option<usize> {
    // SAFETY: plain calls of the engine's interface; memory is only read.
    unsafe {
        let global = qjs::JS_GetGlobalObject(ctx);
        let error = qjs::JS_GetPropertyStr(ctx, global, c"Error".as_ptr());
        let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic;
        let probe = qjs::JS_NewCFunction2(ctx, Some(probe), c"probe".as_ptr(), 0, kind, 0);
        qjs::JS_SetPropertyStr(ctx, error, c"prepareStackTrace".as_ptr(), probe);
        qjs::JS_ThrowPlainError(ctx, c"probe".as_ptr());
        qjs::JS_FreeValue(ctx, qjs::JS_GetException(ctx));
        qjs::JS_FreeValue(ctx, error);
        qjs::JS_FreeValue(ctx, global);
        let (telling, _) = INSIDE.take();
        let after = words(qjs::JS_GetRuntime(ctx));
        let byte = |words: &[usize], at: usize| {
            words
                .get(at / size_of::<usize>())
                .map(|word| word.to_ne_bytes()[at % size_of::<usize>()])
        };
        let is_flag = |at: &usize| {
            let quiet = [before, inside, &after].map(|words| byte(words, *at));
            quiet == [Some(0); 3] && byte(&telling, *at) == Some(1)
        };
        only((0..size_of_val(before)).filter(is_flag))
    }
}

fn only(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    found.next().filter(|_| found.next().is_none())
}

/// # Safety
/// `engine` must have come from the C library's allocator, as `JS_NewRuntime` does.
unsafe fn words(engine: *mut qjs::JSRuntime) -> Vec<usize> {
    // SAFETY: the block is as long as the allocator says, and zeroed by the engine at first.
    unsafe {
        let bytes = libc::malloc_usable_size(engine.cast()).min(2048);
        std::slice::from_raw_parts(engine.cast::<usize>(), bytes / size_of::<usize>()).to_vec()
    }
}

unsafe extern "C" fn probe(
    ctx: *mut qjs::JSContext,
    _this: qjs::JSValue,
    _argc: c_int,
    _argv: *mut qjs::JSValue,
) -> qjs::JSValue {
    let here = 0_u8;
    // SAFETY: called by `observe_in` only.
    let seen = unsafe { words(qjs::JS_GetRuntime(ctx)) };
    INSIDE.set((seen, ptr::from_ref(&here).addr()));
    qjs::JS_UNDEFINED
}

unsafe extern "C" fn nothing(
    _ctx: *mut qjs::JSContext,
    _argc: c_int,
    _argv: *mut qjs::JSValue,
) -> qjs::JSValue {
    qjs::JS_UNDEFINED
}

/// The state that a VU takes out of the runtime while another VU runs.
#[derive(Debug, Default)]
pub(super) struct SavedState {
    frame: usize,
    /// First and last job.
    jobs: Option<(usize, usize)>,
}

impl SavedState {
    /// Puts the state back into the runtime.
    ///
    /// # Safety
    /// `engine` must be the runtime it was taken from, and hold the state of no other VU.
    pub(super) unsafe fn unpack(&mut self, engine: *mut qjs::JSRuntime, layout: Layout) {
        // SAFETY: the offsets were observed in a runtime of the same build; list nodes begin with
        // their two links, `prev` in the first word of neither: `struct list_head { prev, next }`.
        unsafe {
            let base = engine.cast::<usize>();
            base.add(layout.frame)
                .write(std::mem::take(&mut self.frame));
            if let Some((first, last)) = self.jobs.take() {
                let head = base.add(layout.jobs);
                link(head.addr(), first, last);
            }
        }
    }

    /// Takes frame and jobs out of the runtime.
    ///
    /// # Safety
    /// As for [`Self::unpack`].
    pub(super) unsafe fn pack(&mut self, engine: *mut qjs::JSRuntime, layout: Layout) {
        // SAFETY: see `unpack`.
        unsafe {
            let base = engine.cast::<usize>();
            self.frame = base.add(layout.frame).replace(0);
            self.jobs = unlink(base.add(layout.jobs).expose_provenance());
        }
    }
}

/// Takes all nodes out of the list at `head`: the first and the last one.
///
/// # Safety
/// `head` must be the address of the head of a list.
pub(super) unsafe fn unlink(head: usize) -> Option<(usize, usize)> {
    let node = ptr::with_exposed_provenance_mut::<usize>(head);
    // SAFETY: see above; a head is two links, the last node and the first one.
    unsafe {
        let (last, first) = (node.read(), node.add(1).read());
        node.write(head);
        node.add(1).write(head);
        (first != head).then_some((first, last))
    }
}

/// Makes `head` the head of the list from `first` to `last`.
///
/// # Safety
/// All three must be the addresses of list nodes.
pub(super) unsafe fn link(head: usize, first: usize, last: usize) {
    let node = |address: usize| ptr::with_exposed_provenance_mut::<usize>(address);
    // SAFETY: see above; a node is `prev`, then `next`.
    unsafe {
        node(head).write(last);
        node(head).add(1).write(first);
        node(first).write(head);
        node(last).add(1).write(head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_the_runtime_are_found() {
        let layout = layout().expect("this build of the engine is known");
        assert_ne!(layout.frame, layout.jobs);
    }
}
