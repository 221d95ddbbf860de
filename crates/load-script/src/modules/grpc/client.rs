//! `Client`: its schema and its channel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use grpc_client::channel::Channel;
use grpc_client::schema::{MethodDescriptor, Schema};
use script_engine::class::{self, Class, Exotic};
use script_engine::native::Call;
use script_engine::own_methods;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Object, Value};

/// The value of a client object.
pub(super) struct Client(Rc<State>);

/// The state of a client.
#[derive(Default)]
pub(super) struct State {
    schema: RefCell<Schema>,
    methods: RefCell<HashMap<String, Rc<Method>>>,
    link: RefCell<Option<Link>>,
}

/// The connection of a client.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) channel: Rc<Channel>,
    /// The address as the script wrote it.
    pub(super) address: Rc<str>,
}

/// A method that can be called.
pub(super) struct Method {
    /// `/package.Service/Method`
    pub(super) path: String,
    pub(super) service: String,
    pub(super) descriptor: MethodDescriptor,
}

impl Class for Client {
    const NAME: &'static CStr = c"Client";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    /// The module adds the methods, which depend on clients, so that clients do not depend on them.
    fn prototype(_: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

/// `new Client()`
pub(super) fn construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let client = Client(Rc::default());
    Ok(class::new(call.ctx, client)?.into_value())
}

/// The client whose method was called.
pub(super) fn this(call: &Call<'_, '_>) -> Result<Rc<State>, Throw> {
    let this = call.this();
    let client = class::of::<Client>(&this).map(|client| Rc::clone(&client.0));
    client.ok_or_else(|| Throw::Type("this is not a gRPC client".to_owned()))
}

/// The client of a script value.
pub(super) fn of(value: &Value<'_>) -> Option<Rc<State>> {
    class::of::<Client>(value).map(|client| Rc::clone(&client.0))
}

impl State {
    /// Adds the content of a schema.
    pub(super) fn learn(&self, schema: &Schema) -> Result<(), Throw> {
        let merged = self.schema.borrow_mut().merge(schema);
        self.methods.borrow_mut().clear();
        merged.map_err(|error| plain(error.to_string()))
    }

    /// The current connection.
    pub(super) fn link(&self) -> Result<Link, Throw> {
        let link = self.link.borrow().clone();
        link.ok_or_else(|| plain("no gRPC connection, you must call connect first"))
    }

    /// Stores a connection; calls on the previous one continue.
    pub(super) fn set_link(&self, link: Link) {
        *self.link.borrow_mut() = Some(link);
    }

    /// The method that a script names, with or without a leading slash.
    pub(super) fn method(&self, name: &str) -> Result<Rc<Method>, Throw> {
        if let Some(known) = self.methods.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let path = match name.strip_prefix('/') {
            Some(_) => name.to_owned(),
            None => format!("/{name}"),
        };
        let found = self.schema.borrow().method(&path);
        let Some(descriptor) = found else {
            return Err(plain(format!(
                "method {path:?} not found in file descriptors"
            )));
        };
        let method = Rc::new(Method {
            service: descriptor.parent_service().full_name().to_owned(),
            path,
            descriptor,
        });
        let mut methods = self.methods.borrow_mut();
        methods.insert(name.to_owned(), Rc::clone(&method));
        Ok(method)
    }
}

/// `client.close()`
pub(super) fn close<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let link = this(call)?.link.take();
    if let Some(link) = link {
        link.channel.close();
    }
    Ok(call.undefined())
}
