//! The connections to one server. Each carries one command at a time.

use std::cell::RefCell;
use std::rc::Rc;

use redis::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::command::Command;
use super::connection::{Connection, Dial, Greeting};
use super::failure::Failure;
use super::options::{Options, Timeouts};
use super::sentinels::Sentinels;

/// The address of a pool's connections.
#[derive(Clone)]
pub(crate) enum Address {
    Fixed(Rc<str>),
    /// The current master.
    Master(Rc<Sentinels>),
}

/// The connections to one server.
pub(crate) struct Pool {
    dial: Dial,
    address: Address,
    greeting: Greeting,
    timeouts: Timeouts,
    places: Semaphore,
    /// The idle connections, the most recently used one last.
    idle: RefCell<Vec<Connection>>,
}

/// A connection in use. If it is dropped before the end of a command, it is closed, since a reply may still arrive.
struct Lease<'a> {
    connection: Connection,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(dial: Dial, address: Address, greeting: Greeting, options: &Options) -> Self {
        let size = options.pool.0.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            dial,
            address,
            greeting,
            timeouts: options.timeouts,
            places: Semaphore::new(size),
            idle: RefCell::default(),
        }
    }

    /// Sends commands one after another over one connection. Returns the reply of the last one.
    pub(crate) async fn send(&self, commands: &[&Command]) -> Result<Value, Failure> {
        let mut lease = self.take().await?;
        let mut reply = Err(Failure::Nil);
        for command in commands {
            reply = lease.connection.send(command).await;
            if matches!(&reply, Err(failure) if failure.spoils_connection()) {
                return reply;
            }
        }
        self.idle.borrow_mut().push(lease.connection);
        reply
    }

    async fn take(&self) -> Result<Lease<'_>, Failure> {
        let place = timeout(self.timeouts.pool, self.places.acquire()).await;
        let place = place.map_err(|_| Failure::PoolTimeout)?;
        let place = place.expect("the semaphore is never closed");
        let idle = || self.idle.borrow_mut().pop();
        while let Some(mut connection) = idle() {
            if connection.is_fit() {
                return Ok(Lease {
                    connection,
                    _place: place,
                });
            }
        }
        let connection = self.open().await?;
        Ok(Lease {
            connection,
            _place: place,
        })
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let address = match &self.address {
            Address::Fixed(address) => Rc::clone(address),
            Address::Master(sentinels) => sentinels.master(&self.dial).await?.into(),
        };
        Connection::open(&self.dial, &address, &self.greeting, &self.timeouts).await
    }
}
