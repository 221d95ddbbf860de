//! Values that the virtual users of a realm share.

use rquickjs::{Ctx, Value, qjs};

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

    /// The values, in their own realm.
    pub(super) fn values<'js>(&self, ctx: &Ctx<'js>) -> Vec<Value<'js>> {
        let raw = ctx.as_raw().as_ptr();
        // SAFETY: shared objects are alive as long as there is a VU in their realm.
        let own = |value: &qjs::JSValue| unsafe {
            Value::from_raw(ctx.clone(), qjs::JS_DupValue(raw, *value))
        };
        self.0.iter().map(own).collect()
    }
}
