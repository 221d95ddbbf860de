//! Native functions: plain Rust `fn` items as script functions.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use rquickjs::{Ctx, FromJs, Function, Object, Value, qjs};

use super::convert;
use super::property::{Accessor, Visible, define, define_accessor};
use super::raise::raise;
use super::throw::{Outcome, Throw, plain};

/// One call of a native function.
pub struct Call<'a, 'js> {
    /// The realm that the function belongs to.
    pub ctx: &'a Ctx<'js>,
    this: qjs::JSValue,
    args: &'a [qjs::JSValue],
    /// The number of a numbered method, otherwise 0.
    number: u16,
}

impl<'a, 'js> Call<'a, 'js> {
    /// A call of a function that is not a native of its own. `this` must live as long as the arguments.
    pub(crate) fn of(ctx: &'a Ctx<'js>, this: qjs::JSValue, args: &'a [qjs::JSValue]) -> Self {
        Self {
            ctx,
            this,
            args,
            number: 0,
        }
    }

    /// The number of arguments.
    pub fn count(&self) -> usize {
        self.args.len()
    }

    /// The number of the called method among those that share this native.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The argument at `index`, or undefined.
    pub fn arg(&self, index: usize) -> Value<'js> {
        self.args
            .get(index)
            .map_or_else(|| self.undefined(), |raw| self.own(*raw))
    }

    /// The arguments from `index` on.
    pub(crate) fn rest(&self, index: usize) -> &[qjs::JSValue] {
        self.args.get(index..).unwrap_or_default()
    }

    /// `this`; the new target when called as a constructor.
    pub fn this(&self) -> Value<'js> {
        self.own(self.this)
    }

    /// The argument at `index` as text, by `String(…)`.
    pub fn text(&self, index: usize) -> Result<String, Throw> {
        convert::to_text(&self.arg(index))
    }

    /// The argument at `index`, unless it is missing, undefined or null.
    pub fn given(&self, index: usize) -> Option<Value<'js>> {
        let value = self.arg(index);
        (!value.is_undefined() && !value.is_null()).then_some(value)
    }

    /// `undefined`.
    pub fn undefined(&self) -> Value<'js> {
        Value::new_undefined(self.ctx.clone())
    }

    /// `null`.
    pub fn null(&self) -> Value<'js> {
        Value::new_null(self.ctx.clone())
    }

    /// `true` or `false`.
    pub fn bool(&self, value: bool) -> Value<'js> {
        Value::new_bool(self.ctx.clone(), value)
    }

    /// A string.
    pub fn string(&self, text: &str) -> Outcome<'js> {
        convert::string(self.ctx, text)
    }

    fn own(&self, raw: qjs::JSValue) -> Value<'js> {
        // SAFETY: arguments are alive during the call; the duplicate is owned by the value.
        unsafe {
            Value::from_raw(
                self.ctx.clone(),
                qjs::JS_DupValue(self.ctx.as_raw().as_ptr(), raw),
            )
        }
    }
}

/// A native function item: no state of its own, so that no box is needed per function.
pub trait Native: for<'a, 'js> Fn(&Call<'a, 'js>) -> Outcome<'js> + Copy + 'static {}

impl<N: for<'a, 'js> Fn(&Call<'a, 'js>) -> Outcome<'js> + Copy + 'static> Native for N {}

/// How a script function behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Called as a function or method.
    Function,
    /// Called with `new`.
    Constructor,
    /// Called with `new` or without.
    Either,
}

/// A script function that calls `N`.
pub fn function<'js, N: Native>(
    ctx: &Ctx<'js>,
    _: N,
    name: &CStr,
    shape: Shape,
) -> rquickjs::Result<Function<'js>> {
    const { assert!(size_of::<N>() == 0, "a native function must not capture") };
    let kind = match shape {
        Shape::Function => qjs::JSCFunctionEnum_JS_CFUNC_generic,
        Shape::Constructor => qjs::JSCFunctionEnum_JS_CFUNC_constructor,
        Shape::Either => qjs::JSCFunctionEnum_JS_CFUNC_constructor_or_func,
    };
    // SAFETY: a plain constructor call; the result is owned by the value.
    let value = unsafe {
        let raw = qjs::JS_NewCFunction2(
            ctx.as_raw().as_ptr(),
            Some(enter::<N>),
            name.as_ptr(),
            0,
            kind,
            0,
        );
        Value::from_raw(ctx.clone(), raw)
    };
    Function::from_js(ctx, value)
}

/// Sets a method of an object.
pub fn method<'js, N: Native>(
    object: &Object<'js>,
    name: &CStr,
    native: N,
) -> rquickjs::Result<()> {
    let made = function(object.ctx(), native, name, Shape::Function)?;
    define(object, name, made.into_value(), Visible::Yes)
}

/// Sets one of several methods that share a native, which tells them apart by [`Call::number`].
pub fn numbered_method<N: Native>(
    object: &Object<'_>,
    name: &CStr,
    _: N,
    number: u16,
) -> rquickjs::Result<()> {
    const { assert!(size_of::<N>() == 0, "a native function must not capture") };
    let ctx = object.ctx();
    // SAFETY: the engine calls functions of this kind with the number as an additional argument, as
    // `enter_numbered` expects it; the result is owned by the value.
    let value = unsafe {
        let entry: Entry = std::mem::transmute::<NumberedEntry, Entry>(enter_numbered::<N>);
        let raw = qjs::JS_NewCFunction2(
            ctx.as_raw().as_ptr(),
            Some(entry),
            name.as_ptr(),
            0,
            qjs::JSCFunctionEnum_JS_CFUNC_generic_magic,
            c_int::from(number),
        );
        Value::from_raw(ctx.clone(), raw)
    };
    define(object, name, value, Visible::Yes)
}

/// Sets a constructor with its prototype.
pub fn constructor<'js, N: Native>(
    object: &Object<'js>,
    name: &CStr,
    native: N,
    prototype: &Object<'js>,
) -> rquickjs::Result<()> {
    let made = function(object.ctx(), native, name, Shape::Constructor)?;
    set_constructor(object, name, made, prototype)
}

/// The same for one that needs no `new`.
pub fn constructor_or_function<'js, N: Native>(
    object: &Object<'js>,
    name: &CStr,
    native: N,
    prototype: &Object<'js>,
) -> rquickjs::Result<()> {
    let made = function(object.ctx(), native, name, Shape::Either)?;
    set_constructor(object, name, made, prototype)
}

fn set_constructor<'js>(
    object: &Object<'js>,
    name: &CStr,
    made: Function<'js>,
    prototype: &Object<'js>,
) -> rquickjs::Result<()> {
    // SAFETY: both are objects of this realm.
    unsafe {
        qjs::JS_SetConstructor(
            object.ctx().as_raw().as_ptr(),
            made.as_raw(),
            prototype.as_raw(),
        )
    };
    define(object, name, made.into_value(), Visible::Yes)
}

/// Sets an accessor property that can only be read.
pub fn getter<'js, N: Native>(
    object: &Object<'js>,
    name: &CStr,
    native: N,
    visible: Visible,
) -> rquickjs::Result<()> {
    let get = function(object.ctx(), native, name, Shape::Function)?;
    let accessor = Accessor {
        get: get.into_value(),
        set: None,
    };
    define_accessor(object, name, accessor, visible)
}

/// Sets an enumerable accessor property that can be read and written.
pub fn accessor<G: Native, S: Native>(
    object: &Object<'_>,
    name: &CStr,
    get: G,
    set: S,
) -> rquickjs::Result<()> {
    let get = function(object.ctx(), get, name, Shape::Function)?;
    let set = function(object.ctx(), set, name, Shape::Function)?;
    let accessor = Accessor {
        get: get.into_value(),
        set: Some(set.into_value()),
    };
    define_accessor(object, name, accessor, Visible::Yes)
}

unsafe extern "C" fn enter<N: Native>(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    argc: c_int,
    argv: *mut qjs::JSValue,
) -> qjs::JSValue {
    // SAFETY: the engine calls with `argc` values at `argv`.
    unsafe { dispatch::<N>(ctx, this, Arguments { argc, argv }, 0) }
}

type Entry = unsafe extern "C" fn(
    *mut qjs::JSContext,
    qjs::JSValue,
    c_int,
    *mut qjs::JSValue,
) -> qjs::JSValue;

type NumberedEntry = unsafe extern "C" fn(
    *mut qjs::JSContext,
    qjs::JSValue,
    c_int,
    *mut qjs::JSValue,
    c_int,
) -> qjs::JSValue;

unsafe extern "C" fn enter_numbered<N: Native>(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    argc: c_int,
    argv: *mut qjs::JSValue,
    number: c_int,
) -> qjs::JSValue {
    // SAFETY: the engine calls with `argc` values at `argv`.
    unsafe { dispatch::<N>(ctx, this, Arguments { argc, argv }, number) }
}

/// The arguments of a call, as the engine passes them.
pub(crate) struct Arguments {
    pub(crate) argc: c_int,
    pub(crate) argv: *mut qjs::JSValue,
}

impl Arguments {
    /// # Safety
    /// There are `argc` values at `argv`, which live as long as the result.
    pub(crate) unsafe fn values<'a>(&self) -> &'a [qjs::JSValue] {
        let count = usize::try_from(self.argc).unwrap_or(0);
        if count == 0 {
            return &[];
        }
        // SAFETY: the caller promises that many live values; only an empty list may have no pointer.
        unsafe { std::slice::from_raw_parts(self.argv, count) }
    }
}

/// # Safety
/// There are `argc` live values at `argv`; `ctx` is a live realm.
unsafe fn dispatch<N: Native>(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    args: Arguments,
    number: c_int,
) -> qjs::JSValue {
    let raw = NonNull::new(ctx).expect("the engine calls with a realm");
    // SAFETY: the realm is alive during the call, and its values do not leave it.
    let ctx = unsafe { Ctx::from_raw(raw) };
    let call = Call {
        ctx: &ctx,
        this,
        // SAFETY: the caller promises live values.
        args: unsafe { args.values() },
        number: u16::try_from(number).unwrap_or(0),
    };
    // SAFETY: `N` has no size (checked where the function was made) and one was at hand then.
    let native: &N = unsafe { NonNull::dangling().as_ref() };
    let outcome = catch_unwind(AssertUnwindSafe(|| native(&call)));
    let outcome = outcome.unwrap_or_else(|panic| Err(plain(panic_text(&panic))));
    match outcome {
        // SAFETY: the reference that the value owns goes to the engine.
        Ok(value) => unsafe { qjs::JS_DupValue(raw.as_ptr(), value.as_raw()) },
        Err(throw) => {
            raise(&ctx, throw);
            qjs::JS_EXCEPTION
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error of the driver: {}", text.unwrap_or_default())
}
