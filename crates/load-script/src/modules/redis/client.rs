//! `Client`: its settings, and the connections that are made with the first command.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::rc::Rc;

use redis_client::{Client as Server, Command};
use script_engine::class::{self, Class, Exotic};
use script_engine::fiber;
use script_engine::native::Call;
use script_engine::own_methods;
use script_engine::promise::Deferred;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Object, Value};

use super::commands::{self, Gives};
use super::options;
use super::settings::Settings;
use super::{arguments, dial, reply};
use crate::modules::rejection;
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The value of a client object.
pub(super) struct Client {
    settings: Settings,
    server: OnceCell<Rc<Server>>,
}

impl Class for Client {
    const NAME: &'static CStr = c"Client";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    /// The module adds the methods.
    fn prototype(_: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

/// `new Client(options)`
pub(super) fn construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if call.count() != 1 {
        return Err(plain("must specify one argument"));
    }
    let client = Client {
        settings: options::read(&call.arg(0))?,
        server: OnceCell::new(),
    };
    Ok(class::new(call.ctx, client)?.into_value())
}

/// `client.isConnected()`: whether a command has been sent.
pub(super) fn is_connected<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    Ok(call.bool(of(&this)?.server.get().is_some()))
}

/// A method that stands for a command.
pub(super) fn command<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let method = &commands::ALL[usize::from(call.number())];
    let command = arguments::command(call, method);
    begin(call, command, method.gives)
}

/// `client.sendCommand(name, …)`
pub(super) fn send_command<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    begin(call, arguments::any_command(call), Gives::Any)
}

fn of<'a>(this: &'a Value<'_>) -> Result<&'a Client, Throw> {
    class::of::<Client>(this).ok_or_else(|| Throw::Type("this is not a Redis client".to_owned()))
}

/// Sends a command. Returns the promise of its reply.
fn begin<'js>(call: &Call<'_, 'js>, command: Result<Command, Throw>, gives: Gives) -> Outcome<'js> {
    let this = call.this();
    let client = of(&this)?;
    let vu = call.vu();
    let (promise, deferred) = Deferred::new(call.ctx)?;
    let in_init = "connecting to a redis server in the init context is not supported";
    let command = match vu.is_init() {
        true => Err(plain(in_init)),
        false => command,
    };
    let command = match command {
        Ok(command) => command,
        Err(Throw::Plain(why)) => {
            vu.events.start(async move {
                let event: Event =
                    Box::new(move |ctx| deferred.reject(ctx, rejection::nameless(ctx, &why)?));
                event
            });
            return Ok(promise);
        }
        Err(throw) => return Err(throw),
    };
    let server = client.server.get_or_init(|| {
        let dial = dial::dial(vu, client.settings.tls.as_ref());
        Rc::new(Server::new(client.settings.options.clone(), dial))
    });
    let server = Rc::clone(server);
    let work = fiber::apart(move || async move { server.send(&command).await });
    vu.events.start(async move {
        let replied = work.await;
        let event: Event = Box::new(move |ctx| {
            let made = match replied {
                Ok(replied) => reply::value(ctx, &replied, gives)?,
                Err(failure) => Err(failure),
            };
            match made {
                Ok(value) => deferred.settle(ctx, Ok(value)),
                Err(failure) => deferred.reject(ctx, reply::failure(ctx, &failure)?),
            }
        });
        event
    });
    Ok(promise)
}
