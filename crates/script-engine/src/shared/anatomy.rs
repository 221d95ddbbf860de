//! The places of the state that VUs of a shared realm exchange.
//!
//! As with the fields of the runtime (see `layout`), every place is observed in a separate runtime and must be
//! found unambiguously; otherwise every VU gets a realm of its own. The shape of an object is assumed to be as
//! in the engine that the lock file names, and each assumption is checked by the effect of an operation on an
//! object.

use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::OnceLock;

use rquickjs::qjs;

/// Words of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anatomy {
    /// The global object; the object of lexical declarations lies two words on.
    pub(super) globals: usize,
    /// Head of the list of modules.
    pub(super) modules: usize,
}

/// Words of an object: flags and class, shape, properties, a link to weak references, then three words
/// that depend on the class.
pub(super) const FLAGS: usize = 2;
pub(super) const SHAPE: usize = 3;
pub(super) const PROPERTIES: usize = 4;
pub(super) const DATA: usize = 6;
pub(super) const DATA_WORDS: usize = 3;
/// Flags that say how the object behaves and not how the engine uses it: extensible, exotic, fast.
pub(super) const BEHAVIOUR: usize = 0b1_1010;
const EXTENSIBLE: usize = 0b10;
/// Offset in bytes of a shape's flag that other objects may have it.
const IS_SHARED: usize = 16;
/// Offset in bytes of a block's reference count, which lies before it.
const COUNT: usize = 4;

/// The anatomy of this build of the engine, if it is the expected one.
pub(super) fn anatomy() -> Option<Anatomy> {
    static ANATOMY: OnceLock<Option<Anatomy>> = OnceLock::new();
    // SAFETY: the probe works on a runtime of its own.
    *ANATOMY.get_or_init(|| unsafe { observe() })
}

/// A word of the engine's memory.
///
/// # Safety
/// `base` must point to a live structure that has such a word.
pub(super) unsafe fn word(base: usize, index: usize) -> *mut usize {
    ptr::with_exposed_provenance_mut::<usize>(base + index * size_of::<usize>())
}

/// The reference count of a block.
///
/// # Safety
/// `block` must be the address of a live block of the engine.
pub(super) unsafe fn count_of(block: usize) -> *mut i32 {
    ptr::with_exposed_provenance_mut::<i32>(block - COUNT)
}

/// Whether other objects may have this shape, so that the engine copies it before a change.
///
/// # Safety
/// `shape` must be the address of a live shape.
pub(super) unsafe fn is_shared(shape: usize) -> bool {
    // SAFETY: see above.
    unsafe { ptr::with_exposed_provenance::<u8>(shape + IS_SHARED).read() == 1 }
}

/// The address of an object.
pub(super) fn address_of(object: qjs::JSValue) -> usize {
    // SAFETY: reads the pointer of a value.
    unsafe { qjs::JS_VALUE_GET_PTR(object) }.expose_provenance()
}

/// Whether the value is an object.
pub(super) fn is_object(value: qjs::JSValue) -> bool {
    // SAFETY: reads the tag of a value.
    unsafe { qjs::JS_VALUE_GET_TAG(value) == qjs::JS_TAG_OBJECT }
}

/// # Safety
/// Runtimes that are in use are not touched.
unsafe fn observe() -> Option<Anatomy> {
    if cfg!(not(target_pointer_width = "64")) {
        return None;
    }
    // SAFETY: a fresh runtime and realm, freed at the end.
    unsafe {
        let engine = qjs::JS_NewRuntime();
        if engine.is_null() {
            return None;
        }
        let ctx = qjs::JS_NewContext(engine);
        let mut anatomy = None;
        if !ctx.is_null() {
            anatomy = objects_are_as_expected(ctx)
                .then(|| observe_context(ctx))
                .flatten();
            qjs::JS_FreeContext(ctx);
        }
        qjs::JS_FreeRuntime(engine);
        anatomy
    }
}

/// # Safety
/// `ctx` must be live and unused.
unsafe fn observe_context(ctx: *mut qjs::JSContext) -> Option<Anatomy> {
    // SAFETY: plain calls of the engine's interface; memory is only read, and only within the context.
    unsafe {
        let global = qjs::JS_GetGlobalObject(ctx);
        let own = address_of(global);
        let before = words_of(ctx)?;
        let tag = qjs::JS_TAG_OBJECT as i64 as usize;
        let pairs = (0..before.len() - 3)
            .filter(|at| before[*at] == own && before[at + 1] == tag && before[at + 3] == tag);
        let globals = only(pairs)?;
        qjs::JS_FreeValue(ctx, global);

        // A lexical declaration appears in the other object.
        let source = c"let probe_of_anatomy = 7";
        let flags = (qjs::JS_EVAL_TYPE_GLOBAL) as std::ffi::c_int;
        let done = qjs::JS_Eval(ctx, source.as_ptr(), 24, c"probe".as_ptr(), flags);
        qjs::JS_FreeValue(ctx, done);
        let lexical = qjs::JS_MKPTR(qjs::JS_TAG_OBJECT, address(before[globals + 2]));
        let seven = qjs::JS_GetPropertyStr(ctx, lexical, c"probe_of_anatomy".as_ptr());
        let is_lexical =
            qjs::JS_VALUE_GET_TAG(seven) == qjs::JS_TAG_INT && qjs::JS_VALUE_GET_INT(seven) == 7;
        qjs::JS_FreeValue(ctx, seven);

        let is_empty = |words: &[usize], at: usize| {
            let here = ctx.addr() + at * size_of::<usize>();
            words[at] == here && words[at + 1] == here
        };
        let idle = words_of(ctx)?;
        qjs::JS_NewCModule(ctx, c"probe".as_ptr(), None);
        let loaded = words_of(ctx)?;
        let lists =
            (0..idle.len() - 1).filter(|at| is_empty(&idle, *at) && !is_empty(&loaded, *at));
        let modules = only(lists)?;
        is_lexical.then_some(Anatomy { globals, modules })
    }
}

fn only(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    found.next().filter(|_| found.next().is_none())
}

/// The words of a context: a large block, whose header of one word lies before it.
///
/// # Safety
/// `ctx` must be a live context of a runtime that uses the C library's allocator.
unsafe fn words_of(ctx: *mut qjs::JSContext) -> Option<Vec<usize>> {
    // SAFETY: the block is as long as the allocator says.
    unsafe {
        let block = ctx.cast::<usize>().sub(1);
        let bytes = libc::malloc_usable_size(block.cast());
        let count = bytes.checked_sub(size_of::<usize>())? / size_of::<usize>();
        (16..1024)
            .contains(&count)
            .then(|| std::slice::from_raw_parts(ctx.cast::<usize>(), count).to_vec())
    }
}

/// # Safety
/// `ctx` must be live and unused.
unsafe fn objects_are_as_expected(ctx: *mut qjs::JSContext) -> bool {
    // SAFETY: plain calls of the engine's interface; words that may not be pointers are read by the system.
    unsafe {
        let make = || {
            let object = qjs::JS_NewObject(ctx);
            for (name, value) in [(c"probe_a", PROBE_A), (c"probe_b", PROBE_B)] {
                qjs::JS_SetPropertyStr(ctx, object, name.as_ptr(), qjs::JS_NewFloat64(value));
            }
            object
        };
        let first = make();
        let result = check_objects(ctx, first, make);
        qjs::JS_FreeValue(ctx, first);
        result.is_some()
    }
}

const PROBE_A: f64 = 1.25e77;
const PROBE_B: f64 = -3.5e-66;

/// # Safety
/// `ctx` must be live; `first` is one of the objects that `make` makes.
unsafe fn check_objects(
    ctx: *mut qjs::JSContext,
    first: qjs::JSValue,
    make: impl Fn() -> qjs::JSValue,
) -> Option<()> {
    let reader = Reader::new()?;
    let is = |holds: bool| holds.then_some(());
    // SAFETY: see above; an object is at least nine words long on a 64 bit machine.
    unsafe {
        let own = address_of(first);
        let words: [usize; 9] = std::array::from_fn(|at| word(own, at).read());
        let (shape, properties) = (words[SHAPE], words[PROPERTIES]);
        let held = reader.words::<4>(properties)?;
        let float = qjs::JS_TAG_FLOAT64 as usize;
        is(held
            == [
                PROBE_A.to_bits() as usize,
                float,
                PROBE_B.to_bits() as usize,
                float,
            ])?;
        // The shape has a reference count before its block and a flag that it is shared.
        let before = reader.words::<1>(shape - 8)?[0] >> 32;
        let second = make();
        let twin = address_of(second);
        let after = reader.words::<1>(shape - 8)?[0] >> 32;
        is(word(twin, SHAPE).read() == shape && after == before + 1)?;
        is(reader.words::<1>(shape + IS_SHARED)?[0] & 0xff == 1)?;
        // Reference counts of objects lie there, too.
        let count = count_of(twin).read();
        let dup = qjs::JS_DupValue(ctx, second);
        is(count_of(twin).read() == count + 1)?;
        qjs::JS_FreeValue(ctx, dup);
        // A shape that other objects have is copied before a change.
        let atom = qjs::JS_NewAtom(ctx, c"probe_a".as_ptr());
        qjs::JS_DeleteProperty(ctx, second, atom, 0);
        qjs::JS_FreeAtom(ctx, atom);
        let copied = word(twin, SHAPE).read();
        is(copied != shape && reader.words::<1>(copied + IS_SHARED)?[0] & 0xff == 0)?;
        is(reader.words::<1>(shape - 8)?[0] >> 32 == before)?;
        // Flags.
        let flags = word(twin, FLAGS).read();
        qjs::JS_PreventExtensions(ctx, second);
        is(flags ^ word(twin, FLAGS).read() == EXTENSIBLE)?;
        qjs::JS_FreeValue(ctx, second);
        check_array(ctx, &reader)
    }
}

/// # Safety
/// `ctx` must be live.
unsafe fn check_array(ctx: *mut qjs::JSContext, reader: &Reader) -> Option<()> {
    // SAFETY: see above.
    unsafe {
        let array = qjs::JS_NewArray(ctx);
        let own = address_of(array);
        let empty: [usize; DATA_WORDS] = std::array::from_fn(|at| word(own, DATA + at).read());
        for (index, value) in [PROBE_A, PROBE_B].into_iter().enumerate() {
            qjs::JS_SetPropertyUint32(ctx, array, index as u32, qjs::JS_NewFloat64(value));
        }
        let full: [usize; DATA_WORDS] = std::array::from_fn(|at| word(own, DATA + at).read());
        let held = reader.words::<3>(full[1])?;
        let is_fast = word(own, FLAGS).read() & BEHAVIOUR == BEHAVIOUR;
        qjs::JS_FreeValue(ctx, array);
        let counts = (empty[2] & 0xffff_ffff, full[2] & 0xffff_ffff);
        (is_fast
            && counts == (0, 2)
            && held[0] == PROBE_A.to_bits() as usize
            && held[2] == PROBE_B.to_bits() as usize)
            .then_some(())
    }
}

fn address(number: usize) -> *mut std::ffi::c_void {
    ptr::with_exposed_provenance_mut(number)
}

/// Reads memory that may not be there: the system reports an error where an access would fault.
struct Reader {
    input: std::io::PipeReader,
    output: std::io::PipeWriter,
}

impl Reader {
    fn new() -> Option<Self> {
        let (input, output) = std::io::pipe().ok()?;
        Some(Self { input, output })
    }

    fn words<const N: usize>(&self, at: usize) -> Option<[usize; N]> {
        use std::io::Read;
        let bytes = N * size_of::<usize>();
        let from: *const std::ffi::c_void = ptr::with_exposed_provenance(at);
        // SAFETY: the system checks the address.
        let written = unsafe { libc::write(self.output.as_raw_fd(), from, bytes) };
        if usize::try_from(written).ok()? != bytes {
            return None;
        }
        let mut words = [0; N];
        for word in &mut words {
            let mut one = [0; size_of::<usize>()];
            (&self.input).read_exact(&mut one).ok()?;
            *word = usize::from_ne_bytes(one);
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_of_the_engine_has_the_expected_anatomy() {
        anatomy().expect("objects and contexts are where they should be");
    }
}
