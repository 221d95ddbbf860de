//! Calls with any number of arguments. The engine's own `apply` and its spread arguments end at 65 535. And calls that
//! are passed on.

use std::ptr::NonNull;

use rquickjs::{Ctx, Exception, Object, Value, qjs};

use super::native::{self, Call, Shape};
use super::property::{Visible, define};
use super::throw::{Outcome, Throw};

/// The maximum number of arguments that the engine itself spreads.
const ENGINES_MOST: i64 = 65_535;

/// The maximum number of arguments of one call: 256 MB of them.
const MOST: i64 = 1 << 24;

/// Calls a function with the items of a list, or of an object that looks like one.
///
/// # Errors
/// The function throws, or the list has no length or too many items.
pub fn apply<'js>(function: &Value<'js>, this: &Value<'js>, list: &Object<'js>) -> Outcome<'js> {
    let items = Items::of(list)?;
    let raw = list.ctx().as_raw().as_ptr();
    // SAFETY: live values of a live realm, and as many items as are said.
    let result = unsafe {
        let (count, start) = items.parts();
        qjs::JS_Call(raw, function.as_raw(), this.as_raw(), count, start)
    };
    own(list.ctx(), result)
}

/// The same with `new`. `target` is the constructor that the object is made for.
///
/// # Errors
/// As for [`apply`], or the function is not a constructor.
pub fn construct<'js>(
    constructor: &Value<'js>,
    target: &Value<'js>,
    list: &Object<'js>,
) -> Outcome<'js> {
    let items = Items::of(list)?;
    let raw = list.ctx().as_raw().as_ptr();
    // SAFETY: as in `apply`.
    let result = unsafe {
        let (count, start) = items.parts();
        qjs::JS_CallConstructor2(raw, constructor.as_raw(), target.as_raw(), count, start)
    };
    own(list.ctx(), result)
}

/// Whether the engine cannot spread a list over the arguments of a call.
///
/// # Errors
/// Reading the length of the list throws.
pub fn is_too_long(list: &Object<'_>) -> Result<bool, Throw> {
    Ok(length(list)? > ENGINES_MOST)
}

/// The next call of a class' parent, by `super()` in its constructor, passes on the items of a list. Returns whether it will:
/// the parent of a frozen class stays.
///
/// # Errors
/// A lack of memory.
pub fn pass_to_parent<'js>(class: &Object<'js>, list: &Object<'js>) -> Result<bool, Throw> {
    let ctx = class.ctx();
    let raw = ctx.as_raw().as_ptr();
    let handler = Object::new(ctx.clone())?;
    let trap = native::function(ctx, construct_with_list, c"\x01parent", Shape::Function)?;
    for (name, value) in [
        (c"construct", trap.into_value()),
        (c"of", class.clone().into_value()),
        (c"list", list.clone().into_value()),
    ] {
        define(&handler, name, value, Visible::Yes)?;
    }
    // SAFETY: live values of a live realm; what the engine returns is owned by a value.
    unsafe {
        let parent = own(ctx, qjs::JS_GetPrototype(raw, class.as_raw()))?;
        if !parent.is_constructor() {
            return Ok(false);
        }
        let proxy = own(
            ctx,
            qjs::JS_NewProxy(raw, parent.as_raw(), handler.as_raw()),
        )?;
        let is_set = qjs::JS_SetPrototype(raw, class.as_raw(), proxy.as_raw()) > 0;
        if !is_set {
            drop(ctx.catch());
        }
        Ok(is_set)
    }
}

/// The trap for `super()` while a class has another parent: `construct(parent, arguments, target)` of a proxy's handler.
fn construct_with_list<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (handler, parent) = (Object::from_value(call.this())?, call.arg(0));
    let class: Value<'js> = handler.get("of")?;
    let raw = call.ctx.as_raw().as_ptr();
    // SAFETY: live values of a live realm. The class had this parent before.
    if unsafe { qjs::JS_SetPrototype(raw, class.as_raw(), parent.as_raw()) } < 0 {
        return Err(Throw::Engine(rquickjs::Error::Exception));
    }
    construct(&parent, &call.arg(2), &handler.get("list")?)
}

/// Calls a function with the arguments of a call from the one at `from` on.
///
/// # Errors
/// What the function throws.
pub fn pass_on<'js>(
    call: &Call<'_, 'js>,
    from: usize,
    function: &Value<'js>,
    this: &Value<'js>,
) -> Outcome<'js> {
    let arguments = call.rest(from);
    let count = i32::try_from(arguments.len()).expect("as many as in a call");
    let raw = call.ctx.as_raw().as_ptr();
    // SAFETY: live values of a live realm; the engine copies arguments that the function changes.
    let result = unsafe {
        let start = arguments.as_ptr().cast_mut();
        qjs::JS_Call(raw, function.as_raw(), this.as_raw(), count, start)
    };
    own(call.ctx, result)
}

fn own<'js>(ctx: &Ctx<'js>, result: qjs::JSValue) -> Outcome<'js> {
    // SAFETY: the value owns the result.
    unsafe {
        match qjs::JS_IsException(result) {
            true => Err(Throw::Engine(rquickjs::Error::Exception)),
            false => Ok(Value::from_raw(ctx.clone(), result)),
        }
    }
}

fn length(list: &Object<'_>) -> Result<i64, Throw> {
    let mut length: i64 = 0;
    let raw = list.ctx().as_raw().as_ptr();
    // SAFETY: a live object of a live realm.
    match unsafe { qjs::JS_GetLength(raw, list.as_raw(), &mut length) } {
        0.. => Ok(length),
        _ => Err(Throw::Engine(rquickjs::Error::Exception)),
    }
}

/// The items of a list, in memory that is charged to the VU.
struct Items {
    ctx: NonNull<qjs::JSContext>,
    start: NonNull<qjs::JSValue>,
    count: usize,
}

impl Items {
    fn of(list: &Object<'_>) -> Result<Self, Throw> {
        let ctx = list.ctx();
        let raw = ctx.as_raw();
        let failed = || Throw::Engine(rquickjs::Error::Exception);
        let length = length(list)?;
        if length > MOST {
            let why = format!("too many arguments in function call (only {MOST} allowed)");
            return Err(Exception::throw_range(ctx, &why).into());
        }
        let length = u32::try_from(length).unwrap_or(0);
        let bytes = (length.max(1) as usize * size_of::<qjs::JSValue>()) as qjs::size_t;
        // SAFETY: memory of the realm's engine.
        let start = unsafe { qjs::js_malloc(raw.as_ptr(), bytes) };
        let start = NonNull::new(start.cast()).ok_or_else(failed)?;
        let mut items = Self {
            ctx: raw,
            start,
            count: 0,
        };
        for at in 0..length {
            // SAFETY: a live object; there is room for `length` values.
            unsafe {
                let item = qjs::JS_GetPropertyUint32(raw.as_ptr(), list.as_raw(), at);
                if qjs::JS_IsException(item) {
                    return Err(failed());
                }
                start.add(items.count).write(item);
            }
            items.count += 1;
        }
        Ok(items)
    }

    fn parts(&self) -> (i32, *mut qjs::JSValue) {
        let count = i32::try_from(self.count).expect("bounded when they were read");
        (count, self.start.as_ptr())
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        let ctx = self.ctx.as_ptr();
        // SAFETY: the values and the memory are owned, and freed once.
        unsafe {
            for at in 0..self.count {
                qjs::JS_FreeValue(ctx, self.start.add(at).read());
            }
            qjs::js_free(ctx, self.start.as_ptr().cast());
        }
    }
}
