//! Promises that native code settles, and the jobs that follow.

use std::ptr;

use rquickjs::{Ctx, Function, Persistent, Value, qjs};

use super::raise::raise;
use super::throw::{Outcome, Throw};

/// The two functions that settle a promise. They outlive suspensions, and must be dropped before their realm.
pub struct Deferred {
    resolve: Persistent<Function<'static>>,
    reject: Persistent<Function<'static>>,
}

impl Deferred {
    /// A pending promise and the functions that settle it.
    pub fn new<'js>(ctx: &Ctx<'js>) -> Result<(Value<'js>, Self), Throw> {
        let (promise, resolve, reject) = ctx.promise()?;
        let deferred = Self {
            resolve: Persistent::save(ctx, resolve),
            reject: Persistent::save(ctx, reject),
        };
        Ok((promise.into_value(), deferred))
    }

    /// Settles it with the result of a native function.
    pub fn settle<'js>(self, ctx: &Ctx<'js>, outcome: Outcome<'js>) -> Result<(), Throw> {
        let settled = match outcome {
            Ok(value) => self.resolve.restore(ctx)?.call::<_, ()>((value,)),
            Err(Throw::Interrupted) => return Err(Throw::Interrupted),
            Err(throw) => {
                raise(ctx, throw);
                let error = ctx.catch();
                self.reject.restore(ctx)?.call::<_, ()>((error,))
            }
        };
        Ok(settled?)
    }

    /// Rejects it with a value of any kind.
    pub fn reject<'js>(self, ctx: &Ctx<'js>, reason: Value<'js>) -> Result<(), Throw> {
        Ok(self.reject.restore(ctx)?.call::<_, ()>((reason,))?)
    }
}

/// The state of a promise.
#[derive(Debug)]
pub enum State<'js> {
    /// Not settled.
    Pending,
    /// Fulfilled, with its value.
    Fulfilled(Value<'js>),
    /// Rejected, with its reason.
    Rejected(Value<'js>),
}

/// The state of `value`; a value that is not a promise counts as fulfilled with itself. A rejection that is
/// read here counts as handled.
pub fn state<'js>(value: &Value<'js>) -> State<'js> {
    let ctx = value.ctx().as_raw().as_ptr();
    // SAFETY: the value is alive; the result of a promise is owned by the new value.
    unsafe {
        if !qjs::JS_IsPromise(value.as_raw()) {
            return State::Fulfilled(value.clone());
        }
        let state = qjs::JS_PromiseState(ctx, value.as_raw());
        if state == qjs::JSPromiseStateEnum_JS_PROMISE_PENDING {
            return State::Pending;
        }
        let result = Value::from_raw(
            value.ctx().clone(),
            qjs::JS_PromiseResult(ctx, value.as_raw()),
        );
        if state == qjs::JSPromiseStateEnum_JS_PROMISE_FULFILLED {
            return State::Fulfilled(result);
        }
        qjs::JS_PromiseMarkAsHandled(ctx, value.as_raw());
        State::Rejected(result)
    }
}

/// Runs the promise jobs that are due.
///
/// # Errors
/// A job throws, which happens only on an interrupt.
pub fn run_jobs(ctx: &Ctx<'_>) -> Result<(), Throw> {
    // SAFETY: the realm is alive.
    let engine = unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) };
    loop {
        let mut of: *mut qjs::JSContext = ptr::null_mut();
        // SAFETY: as above.
        match unsafe { qjs::JS_ExecutePendingJob(engine, &mut of) } {
            0 => return Ok(()),
            1.. => {}
            _ => return Err(Throw::Engine(rquickjs::Error::Exception)),
        }
    }
}
