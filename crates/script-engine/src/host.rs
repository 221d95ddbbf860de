//! The program around the engine: the callbacks that it implements, and the virtual user of a realm.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

use rquickjs::{Ctx, Value, qjs};

use super::classes::Classes;
use super::pace::Pace;
use super::throw::Throw;

/// One virtual user, as the engine sees it.
pub trait Host: Any {
    /// The full name of the module that `base` imports as `name`.
    ///
    /// # Errors
    /// There is no such module.
    fn resolve(&self, base: &str, name: &str) -> Result<String, Throw>;

    /// The module with that full name, in this realm.
    ///
    /// # Errors
    /// The module cannot be loaded, or is not code.
    fn instantiate<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Loaded<'js>, Throw>;

    /// Tells the host that a script imports names that the module with that full name does not export; they are
    /// added to its exports.
    fn absent(&self, module: &str) -> Absent;

    /// The author's file, line and column for a place in the code of a module.
    fn original_place(&self, file: &str, line: u32, column: u32) -> (String, u32, u32);

    /// The message of a new error in the host's own words, if it has some. `origin` returns the origin of the
    /// error; it is costly.
    fn reworded(&self, message: &str, origin: &dyn Fn() -> ErrorOrigin) -> Option<String>;

    /// Whether the running code has to end.
    fn is_interrupted(&self) -> bool;

    /// A promise was rejected without a handler, or such a promise has now got a handler.
    fn note_rejection(&self, promise: usize, reason: Value<'_>, is_handled: bool);
}

/// The origin of a new error.
#[derive(Debug, Clone, Default)]
pub struct ErrorOrigin {
    /// The native function that throws it.
    pub native: Option<String>,
    /// The place in the code of a module: file, line and column.
    pub place: Option<(String, u32, u32)>,
}

/// Names that a module lacks.
#[derive(Debug, Clone, Default)]
pub struct Absent {
    /// All but `default`.
    pub names: Vec<String>,
    /// They become `null` instead of `undefined`.
    pub are_null: bool,
    /// The default export is imported, too. It is then the module as a whole.
    pub has_default: bool,
}

/// A module in a realm.
pub enum Loaded<'js> {
    /// An ES module, not evaluated.
    Code(Value<'js>),
    /// An object whose properties are the exports.
    Exports(Value<'js>),
}

/// The virtual user of an isolate; its realm points to it while its code runs.
pub(crate) struct Resident {
    pub(crate) host: Rc<dyn Host>,
    pub(crate) classes: Rc<Classes>,
    pub(crate) context: *mut qjs::JSContext,
    pub(crate) pace: Pace,
    /// Whether it is in its realm. While it is not, an object for all VUs is being made, which must not be interrupted.
    pub(crate) is_home: Cell<bool>,
}

/// The virtual user whose code runs in this realm.
pub(crate) fn resident<'js>(ctx: &Ctx<'js>) -> &'js Resident {
    // SAFETY: an isolate stores its resident in the realm whenever code may run in it, removes it afterwards,
    // and keeps the resident as long as values of the realm live.
    let resident = unsafe {
        qjs::JS_GetContextOpaque(ctx.as_raw().as_ptr())
            .cast::<Resident>()
            .as_ref()
    };
    resident.expect("script code runs only while a virtual user has the realm")
}

/// The host of the virtual user whose code runs in this realm. All hosts of a program are of one type.
pub fn host<'js, H: Host>(ctx: &Ctx<'js>) -> &'js H {
    let host: &dyn Any = &*resident(ctx).host;
    host.downcast_ref()
        .expect("an isolate is attached to a host of this type")
}
