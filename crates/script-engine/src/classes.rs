//! The identities of classes of script objects.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::FixedState;
use rquickjs::qjs;

use super::function_text;

/// The identities of the classes of one runtime by Rust type.
pub(crate) type Ids = RefCell<HashMap<TypeId, qjs::JSClassID, FixedState>>;

/// The classes of one realm: those of its runtime that have their prototype here.
pub(crate) struct Classes {
    pub(crate) runtime: Rc<Ids>,
    pub(crate) realm: RefCell<HashMap<TypeId, qjs::JSClassID, FixedState>>,
    /// The engine's own getter of `stack`, which this crate's getter keeps alive and calls.
    pub(crate) stack_getter: Cell<Option<qjs::JSValue>>,
    /// The same for `JSON.parse`.
    pub(crate) json_parse: Cell<Option<qjs::JSValue>>,
    /// The same for `Function.prototype.toString`.
    pub(crate) function_text: Cell<Option<function_text::Engines>>,
}

impl Classes {
    /// No classes yet, in a realm of the runtime that has these identities.
    pub(crate) fn new(runtime: Rc<Ids>) -> Self {
        Self {
            runtime,
            realm: RefCell::default(),
            stack_getter: Cell::default(),
            json_parse: Cell::default(),
            function_text: Cell::default(),
        }
    }

    pub(crate) fn id<T: 'static>(&self) -> Option<qjs::JSClassID> {
        self.realm.borrow().get(&TypeId::of::<T>()).copied()
    }
}
