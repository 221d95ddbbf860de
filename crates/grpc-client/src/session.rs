//! One HTTP/2 connection.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::preface::{Preface, Watched};

/// The receive window of a stream, in bytes.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The receive window of a connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// The maximum size of the headers of a response, in bytes.
const MAX_HEAD_BYTES: u32 = 16 << 20;

/// A stream of bytes to a server.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire for S {}

/// A connection, driven by a task of its own that ends with it.
pub(crate) struct Session {
    sender: SendRequest<Bytes>,
    driver: AbortHandle,
    end: Rc<End>,
}

/// The end of a connection.
#[derive(Default)]
struct End {
    failure: RefCell<Option<String>>,
    came: Notify,
}

impl Session {
    /// Starts HTTP/2 on a stream. Must be called inside a `LocalSet`.
    ///
    /// # Errors
    /// The server does not use HTTP/2.
    pub(crate) async fn begin(wire: Box<dyn Wire>) -> Result<Self, String> {
        let preface = Rc::<Preface>::default();
        let handshake = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(MAX_HEAD_BYTES)
            .enable_push(false)
            .handshake::<_, Bytes>(Watched::new(wire, &preface));
        let (sender, connection) = handshake.await.map_err(|error| error.to_string())?;
        let end = Rc::new(End::default());
        let note = Rc::clone(&end);
        let driver = tokio::task::spawn_local(async move {
            let failure = connection.await.err().map(|error| error.to_string());
            *note.failure.borrow_mut() = Some(failure.unwrap_or_default());
            note.came.notify_waiters();
        });
        let session = Self {
            sender,
            driver: driver.abort_handle(),
            end,
        };
        tokio::select! {
            biased;
            judged = preface.wait() => judged?,
            () = session.ended() => preface.judge()?,
        }
        Ok(session)
    }

    async fn ended(&self) {
        if self.is_usable() {
            self.end.came.notified().await;
        }
    }

    /// Whether the connection is open, as far as known.
    pub(crate) fn is_usable(&self) -> bool {
        !self.driver.is_finished() && self.end.failure.borrow().is_none()
    }

    /// Ends the connection and all calls on it.
    pub(crate) fn abort(&self) {
        self.driver.abort();
    }

    /// The sender of requests.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
