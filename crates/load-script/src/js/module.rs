//! ES modules: k6's own ones as synthetic modules, scripts as bytecode.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rquickjs::{Ctx, Object, Value, qjs};

use super::data;
use super::exception::raise;
use super::native::{Call, Outcome, Shape, Throw, Visible, plain, state};
use crate::literals;
use crate::modules;
use crate::source::SourceError;

/// A module of the realm that is loaded but perhaps not evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Module(NonNull<qjs::JSModuleDef>);

impl Module {
    /// Its exports as one object.
    pub(crate) fn namespace<'js>(self, ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
        // SAFETY: modules live as long as their realm.
        let raw = unsafe { qjs::JS_GetModuleNamespace(ctx.as_raw().as_ptr(), self.0.as_ptr()) };
        own(ctx, raw).and_then(|value| Ok(Object::from_value(value)?))
    }
}

/// Compiles module source; the module is known to the realm under `name` then.
pub(crate) fn compile<'js>(ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Value<'js>, Throw> {
    evaluate_raw(
        ctx,
        name,
        source,
        qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY,
    )
}

/// Compiles a classic script; running it gives the value of its last expression.
pub(crate) fn compile_classic<'js>(
    ctx: &Ctx<'js>,
    name: &str,
    source: &str,
) -> Result<Value<'js>, Throw> {
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
    // The parser reads the byte behind the end.
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
pub(crate) fn write(compiled: &Value<'_>) -> Result<Vec<u8>, Throw> {
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

/// What [`write`] wrote, in this realm. `bytecode` must come from [`write`] of this process.
pub(crate) fn read<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> Result<Value<'js>, Throw> {
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
pub(crate) fn evaluate<'js>(compiled: Value<'js>) -> Result<(Module, Value<'js>), Throw> {
    let ctx = compiled.ctx().clone();
    let module = definition(&compiled)?;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the value is a module; evaluation takes over one reference.
    unsafe {
        if qjs::JS_ResolveModule(raw, compiled.as_raw()) < 0 {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        let outcome = qjs::JS_EvalFunction(raw, qjs::JS_DupValue(raw, compiled.as_raw()));
        let outcome = own(&ctx, outcome).map_err(|throw| reworded(&ctx, throw))?;
        Ok((module, outcome))
    }
}

/// A missing export in the words of k6's engine.
fn reworded(ctx: &Ctx<'_>, throw: Throw) -> Throw {
    if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
        return throw;
    }
    let error = ctx.catch();
    let message = error
        .as_object()
        .and_then(|object| object.get::<_, String>("message").ok());
    let parts = message.as_deref().and_then(|message| {
        let rest = message.strip_prefix("Could not find export '")?;
        rest.strip_suffix('\'')?.split_once("' in module '")
    });
    let Some((export, module)) = parts else {
        return Throw::Engine(ctx.throw(error.clone()));
    };
    let module = state(ctx).script.specifier(module);
    let text =
        format!("The requested module \"{module}\" does not provide an export named \"{export}\"");
    Throw::Engine(rquickjs::Exception::throw_syntax(ctx, &text))
}

/// Runs a compiled classic script.
pub(crate) fn run<'js>(compiled: &Value<'js>) -> Result<Value<'js>, Throw> {
    let ctx = compiled.ctx();
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: evaluation takes over one reference.
    let outcome = unsafe { qjs::JS_EvalFunction(raw, qjs::JS_DupValue(raw, compiled.as_raw())) };
    own(ctx, outcome)
}

/// Gives a compiled module its `import.meta`, which can only resolve names.
pub(crate) fn add_meta(compiled: &Value<'_>, name: &str) -> Result<(), Throw> {
    let ctx = compiled.ctx();
    let module = definition(compiled)?;
    // SAFETY: the module is alive, and so is its realm.
    let meta = unsafe { qjs::JS_GetImportMeta(ctx.as_raw().as_ptr(), module.0.as_ptr()) };
    let meta = Object::from_value(own(ctx, meta)?)?;
    let resolve = super::native::function(ctx, resolve, c"resolve", Shape::Function)?;
    let bind: rquickjs::Function<'_> = resolve.get("bind")?;
    let base = super::convert::string(ctx, name)?;
    let undefined = Value::new_undefined(ctx.clone());
    let bound: Value<'_> = bind.call((rquickjs::function::This(resolve), undefined, base))?;
    super::native::define(&meta, c"resolve", bound, Visible::Yes)?;
    Ok(())
}

/// `import.meta.resolve(name)`; the name of the module that asks comes first.
fn resolve<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(1)?;
    let resolved = call.vu().script.resolve(&call.text(0)?, &name);
    match resolved {
        Ok(resolved) if resolved.contains("://") => call.string(&resolved),
        // k6's own modules have no address.
        Ok(_) => Err(plain(SourceError::Unknown(name).to_string())),
        Err(error) => Err(plain(error.to_string())),
    }
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

/// The engine asks for the full name of an import.
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
    if literals::owner(&name.to_string_lossy()).is_some() {
        // SAFETY: the engine frees the copy, which it has allocated.
        return unsafe { qjs::js_strdup(raw.as_ptr(), name.as_ptr()) };
    }
    let resolved = state(&ctx)
        .script
        .resolve(&base.to_string_lossy(), &name.to_string_lossy());
    let resolved = resolved
        .map_err(|error| plain(error.to_string()))
        .and_then(|name| c_string(&name));
    match resolved {
        // SAFETY: the engine frees the copy, which it has allocated.
        Ok(name) => unsafe { qjs::js_strdup(raw.as_ptr(), name.as_ptr()) },
        Err(throw) => {
            raise(&ctx, throw);
            ptr::null_mut()
        }
    }
}

/// The engine asks for a module by its full name.
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
    let module = match (literals::owner(&name), modules::build(&ctx, &name)) {
        (Some(owner), _) => data::exports(&ctx, owner)
            .and_then(|exports| synthetic(&ctx, &name, &exports.into_value())),
        (None, Some(exports)) => exports.and_then(|exports| synthetic(&ctx, &name, &exports)),
        (None, None) => instantiate(&ctx, &name),
    };
    match module {
        Ok(module) => module.0.as_ptr(),
        Err(throw) => {
            raise(&ctx, throw);
            ptr::null_mut()
        }
    }
}

fn instantiate(ctx: &Ctx<'_>, name: &str) -> Result<Module, Throw> {
    match state(ctx).script.instantiate(ctx, name)? {
        Loaded::Module(compiled) => definition(&compiled),
        Loaded::Common(script) => {
            let exports = crate::modules::require::evaluate(ctx, name, &script)?;
            synthetic(ctx, name, &exports)
        }
    }
}

/// Code of either kind, in a realm.
pub(crate) enum Loaded<'js> {
    /// An ES module, not evaluated.
    Module(Value<'js>),
    /// A CommonJS module: a script whose value is its wrapping function.
    Common(Value<'js>),
}

/// A module whose exports are the properties of an object, and the object itself as default. What
/// was an ES module before a bundler made CommonJS of it keeps its own default.
pub(crate) fn synthetic(ctx: &Ctx<'_>, name: &str, exports: &Value<'_>) -> Result<Module, Throw> {
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
        qjs::JS_AddModuleExport(raw, module.as_ptr(), c"default".as_ptr());
        module
    };
    for key in names_of(&name, exports).iter() {
        // SAFETY: as above.
        unsafe { qjs::JS_AddModuleExport(raw, module.as_ptr(), key.as_ptr()) };
    }
    Ok(Module(module))
}

thread_local! {
    /// What k6's own modules export, by the modules' names: the same for all VUs.
    static EXPORTS: RefCell<HashMap<CString, Rc<[CString]>>> = RefCell::default();
}

/// Remembers what a module exports; to be told before a script can change it.
pub(crate) fn note_exports(name: &str, exports: &Value<'_>) -> Result<(), Throw> {
    let name = c_string(name)?;
    EXPORTS.with_borrow_mut(|known| {
        known.entry(name).or_insert_with(|| export_names(exports));
    });
    Ok(())
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

/// The default export: the object itself, unless it says that it was an ES module.
pub(crate) fn default_of<'js>(exports: &Value<'js>) -> Value<'js> {
    let own = exports
        .as_object()
        .filter(|object| object.get("__esModule").unwrap_or(false));
    let own = own.and_then(|object| object.get::<_, Value<'js>>("default").ok());
    own.filter(|value| !value.is_undefined())
        .unwrap_or_else(|| exports.clone())
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
        let default = default_of(&exports);
        let default = qjs::JS_DupValue(raw.as_ptr(), default.as_raw());
        qjs::JS_SetModuleExport(raw.as_ptr(), module, c"default".as_ptr(), default);
        for key in names_of(&name, &exports).iter() {
            let value = qjs::JS_GetPropertyStr(raw.as_ptr(), exports.as_raw(), key.as_ptr());
            qjs::JS_SetModuleExport(raw.as_ptr(), module, key.as_ptr(), value);
        }
    }
    0
}
