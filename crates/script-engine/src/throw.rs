//! The reasons why code ends early, and the result of native functions.

use rquickjs::Value;

use super::fiber::Cancelled;

/// The reason why a native function did not return a value.
#[derive(Debug)]
pub enum Throw {
    /// An engine error; usually an exception is pending already.
    Engine(rquickjs::Error),
    /// A `GoError`: thrown by k6's own functions.
    Plain(String),
    /// A `TypeError`.
    Type(String),
    /// The job has to end: no script code may run any more, `catch` and `finally` included.
    Interrupted,
}

impl From<rquickjs::Error> for Throw {
    fn from(error: rquickjs::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Cancelled> for Throw {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

/// A `GoError` with this message.
pub fn plain(message: impl Into<String>) -> Throw {
    Throw::Plain(message.into())
}

/// The result of a native function.
pub type Outcome<'js> = Result<Value<'js>, Throw>;
