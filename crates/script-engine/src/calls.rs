//! Calls with any number of arguments. The engine's own `apply` and its spread arguments end at 65 535. And calls that
//! are passed on.

use std::ptr::NonNull;

use rquickjs::{Ctx, Exception, Object, Value, qjs};

use super::native::Call;
use super::throw::{Outcome, Throw};

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
        let mut length: i64 = 0;
        // SAFETY: a live object of a live realm.
        if unsafe { qjs::JS_GetLength(raw.as_ptr(), list.as_raw(), &mut length) } < 0 {
            return Err(failed());
        }
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
