//! ES modules: those of k6 as synthetic modules, scripts as bytecode.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rquickjs::{Ctx, Object, Value, qjs};

use super::host::{Loaded, resident};
use super::raise::raise;
use super::throw::{Throw, plain};

/// A module of the realm that is loaded but perhaps not evaluated.
#[derive(Clone, Copy)]
pub struct Module(NonNull<qjs::JSModuleDef>);

impl Module {
    /// Its exports as one object.
    pub fn namespace<'js>(self, ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
        // SAFETY: modules live as long as their realm.
        let raw = unsafe { qjs::JS_GetModuleNamespace(ctx.as_raw().as_ptr(), self.0.as_ptr()) };
        own(ctx, raw).and_then(|value| Ok(Object::from_value(value)?))
    }
}

/// Compiles module source and registers it in the realm as `name`.
pub fn compile<'js>(ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Value<'js>, Throw> {
    evaluate_raw(
        ctx,
        name,
        source,
        qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY,
    )
}

/// Compiles a classic script; running it gives the value of its last expression.
pub fn compile_classic<'js>(ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Value<'js>, Throw> {
    let flags = qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    evaluate_raw(ctx, name, source, flags)
}

fn evaluate_raw<'js>(
    ctx: &Ctx<'js>,
    name: &str,
    source: &str,
    flags: u32,
) -> Result<Value<'js>, Throw> {
    let name = c_string(name)?;
    // The parser reads the byte after the end.
    let source = c_string(source)?;
    let length = source.as_bytes().len() as qjs::size_t;
    let flags = c_int::try_from(flags).expect("flags are small");
    // SAFETY: both are C strings that outlive the call.
    let raw = unsafe {
        qjs::JS_Eval(
            ctx.as_raw().as_ptr(),
            source.as_ptr(),
            length,
            name.as_ptr(),
            flags,
        )
    };
    own(ctx, raw)
}

/// The bytecode of a compiled module or script, without its source text.
pub fn write(compiled: &Value<'_>) -> Result<Vec<u8>, Throw> {
    let ctx = compiled.ctx().as_raw().as_ptr();
    let mut size: qjs::size_t = 0;
    let flags = c_int::try_from(qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE)
        .expect("flags are small");
    // SAFETY: the value is alive; the buffer is copied and freed.
    unsafe {
        let bytes = qjs::JS_WriteObject(ctx, &mut size, compiled.as_raw(), flags);
        if bytes.is_null() {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        let copy = std::slice::from_raw_parts(bytes, size as usize).to_vec();
        qjs::js_free(ctx, bytes.cast());
        Ok(copy)
    }
}

/// Reads the output of [`write()`] in this realm. `bytecode` must come from [`write()`] of this process.
pub fn read<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> Result<Value<'js>, Throw> {
    let flags = c_int::try_from(qjs::JS_READ_OBJ_BYTECODE).expect("flags are small");
    // SAFETY: the bytecode was written by this very engine.
    let raw = unsafe {
        qjs::JS_ReadObject(
            ctx.as_raw().as_ptr(),
            bytecode.as_ptr(),
            bytecode.len() as qjs::size_t,
            flags,
        )
    };
    own(ctx, raw)
}

/// Loads the imports of a compiled module and evaluates it. The value is the promise of its end.
pub fn evaluate<'js>(compiled: Value<'js>) -> Result<(Module, Value<'js>), Throw> {
    let ctx = compiled.ctx().clone();
    let module = definition(&compiled)?;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the value is a module; evaluation takes over one reference.
    unsafe {
        if qjs::JS_ResolveModule(raw, compiled.as_raw()) < 0 {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        let outcome = qjs::JS_EvalFunction(raw, qjs::JS_DupValue(raw, compiled.as_raw()));
        Ok((module, own(&ctx, outcome)?))
    }
}

/// Runs a compiled classic script.
pub fn run<'js>(compiled: &Value<'js>) -> Result<Value<'js>, Throw> {
    let ctx = compiled.ctx();
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: evaluation takes over one reference.
    let outcome = unsafe { qjs::JS_EvalFunction(raw, qjs::JS_DupValue(raw, compiled.as_raw())) };
    own(ctx, outcome)
}

/// The `import.meta` of a compiled module, empty at first.
///
/// # Errors
/// When the value is not a module.
pub fn meta<'js>(compiled: &Value<'js>) -> Result<Object<'js>, Throw> {
    let ctx = compiled.ctx();
    let module = definition(compiled)?;
    // SAFETY: the module is alive, and so is its realm.
    let meta = unsafe { qjs::JS_GetImportMeta(ctx.as_raw().as_ptr(), module.0.as_ptr()) };
    Ok(Object::from_value(own(ctx, meta)?)?)
}

fn definition(compiled: &Value<'_>) -> Result<Module, Throw> {
    // SAFETY: reads the tag and the pointer of a value.
    let pointer = unsafe {
        (qjs::JS_VALUE_GET_TAG(compiled.as_raw()) == qjs::JS_TAG_MODULE)
            .then(|| qjs::JS_VALUE_GET_PTR(compiled.as_raw()))
    };
    let module = pointer.and_then(|pointer| NonNull::new(pointer.cast::<qjs::JSModuleDef>()));
    module.map(Module).ok_or_else(|| plain("not a module"))
}

fn own<'js>(ctx: &Ctx<'js>, raw: qjs::JSValue) -> Result<Value<'js>, Throw> {
    // SAFETY: the caller owns the value.
    unsafe {
        if qjs::JS_IsException(raw) {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        Ok(Value::from_raw(ctx.clone(), raw))
    }
}

fn c_string(text: &str) -> Result<CString, Throw> {
    CString::new(text).map_err(|_| plain("a script cannot contain a NUL character"))
}

/// The engine's callback for the full name of an import.
pub(super) unsafe extern "C" fn normalize(
    ctx: *mut qjs::JSContext,
    base: *const c_char,
    name: *const c_char,
    _: *mut c_void,
) -> *mut c_char {
    let Some(raw) = NonNull::new(ctx) else {
        return ptr::null_mut();
    };
    // SAFETY: called with a live realm and C strings.
    let (ctx, base, name) = unsafe {
        (
            Ctx::from_raw(raw),
            CStr::from_ptr(base),
            CStr::from_ptr(name),
        )
    };
    let resolved = resident(&ctx)
        .host
        .resolve(&base.to_string_lossy(), &name.to_string_lossy());
    match resolved.and_then(|name| c_string(&name)) {
        // SAFETY: the engine frees the copy, which it has allocated.
        Ok(name) => unsafe { qjs::js_strdup(raw.as_ptr(), name.as_ptr()) },
        Err(throw) => {
            raise(&ctx, throw);
            ptr::null_mut()
        }
    }
}

/// The engine's callback for a module by its full name.
pub(super) unsafe extern "C" fn load(
    ctx: *mut qjs::JSContext,
    name: *const c_char,
    _: *mut c_void,
) -> *mut qjs::JSModuleDef {
    let Some(raw) = NonNull::new(ctx) else {
        return ptr::null_mut();
    };
    // SAFETY: called with a live realm and a C string.
    let (ctx, name) = unsafe { (Ctx::from_raw(raw), CStr::from_ptr(name)) };
    let name = name.to_string_lossy();
    let loaded = resident(&ctx).host.instantiate(&ctx, &name);
    let module = loaded.and_then(|loaded| match loaded {
        Loaded::Code(compiled) => definition(&compiled),
        Loaded::Exports(exports) => synthetic(&ctx, &name, &exports),
    });
    match module {
        Ok(module) => module.0.as_ptr(),
        Err(throw) => {
            raise(&ctx, throw);
            ptr::null_mut()
        }
    }
}

/// A module whose exports are the properties of an object. If a script imports the default export of one that has none, it
/// is the object itself; otherwise there is none, as in k6.
fn synthetic(ctx: &Ctx<'_>, name: &str, exports: &Value<'_>) -> Result<Module, Throw> {
    let raw = ctx.as_raw().as_ptr();
    let name = c_string(name)?;
    // SAFETY: live realm, C string; the module takes over the duplicate.
    let module = unsafe {
        let module = qjs::JS_NewCModule(raw, name.as_ptr(), Some(fill));
        let module = NonNull::new(module).ok_or(Throw::Engine(rquickjs::Error::Exception))?;
        qjs::JS_SetModulePrivateValue(
            raw,
            module.as_ptr(),
            qjs::JS_DupValue(raw, exports.as_raw()),
        );
        module
    };
    let absent = Missing::of(ctx, &name);
    let has_default = absent.has_default || own_default(exports).is_some();
    let default = has_default.then(|| c"default".to_owned());
    let own = names_of(&name, exports);
    for key in own.iter().chain(&absent.names).chain(&default) {
        // SAFETY: as above.
        unsafe { qjs::JS_AddModuleExport(raw, module.as_ptr(), key.as_ptr()) };
    }
    Ok(Module(module))
}

thread_local! {
    /// The exports of k6's own modules by module name: the same for all VUs.
    static EXPORTS: RefCell<HashMap<CString, Rc<[CString]>>> = RefCell::default();
}

/// Stores the exports of a module; must be called before a script can change them.
pub fn note_exports(name: &str, exports: &Value<'_>) -> Result<(), Throw> {
    let name = c_string(name)?;
    EXPORTS.with_borrow_mut(|known| {
        known.entry(name).or_insert_with(|| export_names(exports));
    });
    Ok(())
}

/// Names that are imported from a module but missing, and their value.
struct Missing {
    names: Vec<CString>,
    value: qjs::JSValue,
    has_default: bool,
}

impl Missing {
    fn of(ctx: &Ctx<'_>, name: &CStr) -> Self {
        let absent = resident(ctx).host.absent(&name.to_string_lossy());
        let names = absent.names.into_iter().map(CString::new);
        Self {
            names: names.filter_map(Result::ok).collect(),
            value: match absent.are_null {
                true => qjs::JS_NULL,
                false => qjs::JS_UNDEFINED,
            },
            has_default: absent.has_default,
        }
    }
}

fn names_of(name: &CStr, exports: &Value<'_>) -> Rc<[CString]> {
    let known = EXPORTS.with_borrow(|known| known.get(name).cloned());
    known.unwrap_or_else(|| export_names(exports))
}

fn export_names(exports: &Value<'_>) -> Rc<[CString]> {
    let keys = exports.as_object().into_iter().flat_map(Object::keys);
    keys.filter_map(|key: rquickjs::Result<String>| CString::new(key.ok()?).ok())
        .filter(|key| key.as_c_str() != c"default")
        .collect()
}

/// The default export that a module has itself.
fn own_default<'js>(exports: &Value<'js>) -> Option<Value<'js>> {
    let object = exports.as_object()?;
    object.contains_key("default").ok().filter(|has| *has)?;
    object.get("default").ok()
}

/// # Safety
/// The module must be one of the realm's.
unsafe fn name_of(ctx: &Ctx<'_>, module: *mut qjs::JSModuleDef) -> CString {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: see above; both the name and its text are freed once.
    unsafe {
        let name = qjs::JS_GetModuleName(raw, module);
        let text = qjs::JS_AtomToCStringLen(raw, ptr::null_mut(), name);
        qjs::JS_FreeAtom(raw, name);
        if text.is_null() {
            return CString::default();
        }
        let own = CStr::from_ptr(text).to_owned();
        qjs::JS_FreeCString(raw, text);
        own
    }
}

unsafe extern "C" fn fill(ctx: *mut qjs::JSContext, module: *mut qjs::JSModuleDef) -> c_int {
    let Some(raw) = NonNull::new(ctx) else {
        return -1;
    };
    // SAFETY: the engine calls with a live realm and a module of `synthetic`; exports take over
    // the references they are given.
    unsafe {
        let ctx = Ctx::from_raw(raw);
        let exports = Value::from_raw(
            ctx.clone(),
            qjs::JS_GetModulePrivateValue(raw.as_ptr(), module),
        );
        let name = name_of(&ctx, module);
        let default = own_default(&exports).unwrap_or_else(|| exports.clone());
        let default = qjs::JS_DupValue(raw.as_ptr(), default.as_raw());
        // A module without this export is left as it is.
        qjs::JS_SetModuleExport(raw.as_ptr(), module, c"default".as_ptr(), default);
        let absent = Missing::of(&ctx, &name);
        for key in &absent.names {
            qjs::JS_SetModuleExport(raw.as_ptr(), module, key.as_ptr(), absent.value);
        }
        for key in names_of(&name, &exports).iter() {
            let value = qjs::JS_GetPropertyStr(raw.as_ptr(), exports.as_raw(), key.as_ptr());
            qjs::JS_SetModuleExport(raw.as_ptr(), module, key.as_ptr(), value);
        }
    }
    0
}
