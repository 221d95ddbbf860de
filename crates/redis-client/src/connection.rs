//! One connection: its initial commands, then one command after another.

use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use redis::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::command::Command;
use super::failure::Failure;
use super::options::{Login, Timeouts};

/// A stream of bytes to a server.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// Both addresses, such as `127.0.0.1:40000->127.0.0.1:6379`.
    fn ends(&self) -> String;
}

/// The reason why a stream could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialError {
    pub why: String,
    /// A further attempt is useless, since the caller itself refuses the address.
    pub is_final: bool,
}

/// Opens a stream to `host:port`.
pub type Dial = Rc<dyn Fn(String) -> LocalBoxFuture<'static, Result<Box<dyn Wire>, DialError>>>;

/// The initial commands of all connections of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    pub(crate) login: Login,
    /// Reads may go to a replica of a cluster.
    pub(crate) reads_replicas: bool,
}

/// An open connection.
pub(crate) struct Connection {
    wire: Box<dyn Wire>,
    timeouts: Timeouts,
    opened: Instant,
    used: Instant,
}

impl Connection {
    /// Connects and logs in.
    pub(crate) async fn open(
        dial: &Dial,
        address: &str,
        greeting: &Greeting,
        timeouts: &Timeouts,
    ) -> Result<Self, Failure> {
        let dialed = limited(timeouts.dial, dial(address.to_owned())).await;
        let late = || Failure::Late(format!("dial tcp {address}: i/o timeout"));
        let wire = dialed
            .ok_or_else(late)?
            .map_err(|error| match error.is_final {
                true => Failure::Refused(error.why),
                false => Failure::Connection(error.why),
            })?;
        let now = Instant::now();
        let mut connection = Self {
            wire,
            timeouts: *timeouts,
            opened: now,
            used: now,
        };
        match connection.greet(greeting).await {
            Ok(()) => Ok(connection),
            Err(Failure::Late(_)) => Err(Failure::NoGreeting),
            Err(failure) => Err(failure),
        }
    }

    async fn greet(&mut self, greeting: &Greeting) -> Result<(), Failure> {
        let login = &greeting.login;
        let has_password = !login.password.is_empty();
        let mut hello = Command::new("hello").arg("2");
        if has_password {
            let user = match login.username.as_str() {
                "" => "default",
                user => user,
            };
            hello = hello.arg("auth").arg(user).arg(&login.password);
        }
        // Servers before Redis 6 do not support `HELLO`; if the password is wrong, `AUTH` reports it again.
        let is_known = match self.send(&hello).await {
            Ok(_) => true,
            Err(Failure::Server(_)) => false,
            Err(failure) => return Err(failure),
        };
        if has_password && !is_known {
            let mut auth = Command::new("auth");
            if !login.username.is_empty() {
                auth.push(&login.username);
            }
            self.send(&auth.arg(&login.password)).await?;
        }
        if login.database > 0 {
            let select = Command::new("select").arg(login.database.to_string());
            self.send(&select).await?;
        }
        if greeting.reads_replicas {
            self.send(&Command::new("readonly")).await?;
        }
        if !login.client_name.is_empty() {
            let name = Command::new("CLIENT")
                .arg("SETNAME")
                .arg(&login.client_name);
            self.send(&name).await?;
        }
        Ok(())
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The connection broke, or the server answers with an error.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<Value, Failure> {
        let packed = command.packed();
        let written = limited(self.timeouts.write, async {
            self.wire.write_all(&packed).await?;
            self.wire.flush().await
        });
        let written = written
            .await
            .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        written.map_err(|error| self.broken("write", &error))?;
        let mut decoder = Default::default();
        let reading = redis::parse_redis_value_async(&mut decoder, &mut self.wire);
        let reply = match limited(self.timeouts.read, reading).await {
            None => Err(self.broken("read", &io::ErrorKind::TimedOut.into())),
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.unread(&error)),
        }?;
        self.used = Instant::now();
        match reply {
            Value::ServerError(error) => Err(Failure::Server(words(&error))),
            Value::Nil => Err(Failure::Nil),
            reply => Ok(reply),
        }
    }

    /// Whether the connection can carry another command: it is neither too old nor closed by the server.
    pub(crate) fn is_fit(&mut self) -> bool {
        let within = |limit: Option<Duration>, since: Instant| {
            limit.is_none_or(|limit| since.elapsed() < limit)
        };
        if !within(self.timeouts.age, self.opened) || !within(self.timeouts.idle, self.used) {
            return false;
        }
        // A server that sends data without a request has closed the connection or is out of sync.
        self.wire.read(&mut [0]).now_or_never().is_none()
    }

    fn unread(&self, error: &redis::RedisError) -> Failure {
        let source = error.source();
        let io = source.and_then(|source| {
            let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
            let plain = || source.downcast_ref();
            shared
                .and_then(|shared| shared.downcast_ref())
                .or_else(plain)
        });
        match io {
            Some(io) => self.broken("read", io),
            None if error.is_io_error() => Failure::Connection(error.to_string()),
            None => Failure::Reply(format!("redis: can't parse reply: {error}")),
        }
    }

    fn broken(&self, operation: &str, error: &io::Error) -> Failure {
        let ends = self.wire.ends();
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => return Failure::Connection("EOF".to_owned()),
            io::ErrorKind::TimedOut => {
                return Failure::Late(format!("{operation} tcp {ends}: i/o timeout"));
            }
            io::ErrorKind::ConnectionReset => format!("{operation}: connection reset by peer"),
            io::ErrorKind::BrokenPipe => format!("{operation}: broken pipe"),
            _ => error.to_string(),
        };
        Failure::Connection(format!("{operation} tcp {ends}: {why}"))
    }
}

/// An error of the server in its own words.
pub(crate) fn words(error: &redis::ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// The result of `future`, `None` when it takes longer than the limit.
async fn limited<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
