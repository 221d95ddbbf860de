//! What the large literals of a module make: one object for all VUs of a realm, until they change it.

use rquickjs::{Ctx, Object, Value, qjs};

use super::isolate;
use super::module;
use super::native::{Throw, state};

/// The literals of the module `owner` as the properties `l0`, `l1`, … of an object.
pub(super) fn exports<'js>(ctx: &Ctx<'js>, owner: &str) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    for (number, value) in values(ctx, owner)?.into_iter().enumerate() {
        exports.set(format!("l{number}"), value)?;
    }
    Ok(exports)
}

/// What the literals of the module `owner` make, in order.
pub(crate) fn values<'js>(ctx: &Ctx<'js>, owner: &str) -> Result<Vec<Value<'js>>, Throw> {
    let script = &state(ctx).script;
    let literals = script.literals(owner);
    let make = || {
        let made = literals.iter().map(|code| {
            let code = module::read(ctx, code)?;
            module::run(&code)
        });
        made.collect::<Result<Vec<Value<'js>>, Throw>>()
    };
    if !script.shares_literals() {
        return make();
    }
    let key = format!("literals of {owner}");
    isolate::shared_data(ctx, &key, make)
}

/// Values of a realm that live as long as its shared objects do.
#[derive(Clone)]
pub(super) struct Data(Vec<qjs::JSValue>);

impl Data {
    /// The values must be shared objects.
    pub(super) fn new(values: &[Value<'_>]) -> Self {
        Self(values.iter().map(Value::as_raw).collect())
    }

    pub(super) fn raw(&self) -> &[qjs::JSValue] {
        &self.0
    }

    /// The values, in the realm that they come from.
    pub(super) fn values<'js>(&self, ctx: &Ctx<'js>) -> Vec<Value<'js>> {
        let raw = ctx.as_raw().as_ptr();
        // SAFETY: shared objects are alive as long as there is a VU in their realm.
        let own = |value: &qjs::JSValue| unsafe {
            Value::from_raw(ctx.clone(), qjs::JS_DupValue(raw, *value))
        };
        self.0.iter().map(own).collect()
    }
}
