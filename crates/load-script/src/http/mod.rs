//! An HTTP client that behaves like k6's: a connection pool per VU, times taken at the socket,
//! redirects and cookies by Go's rules, numbered errors.
//!
//! The time of an answer ends when its bytes have come to this machine (`arrival`), whenever they are read.
//!
//! HTTP/1.1 is spoken here and not by a library: while a request waits it holds no buffers at all,
//! which at ten thousand VUs is most of the memory, and the times are those of the socket.

mod arrival;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod coding;
pub(crate) mod connection;
pub(crate) mod cookies;
pub(crate) mod exchange;
pub(crate) mod expected;
pub(crate) mod failure;
mod frames;
pub(crate) mod http2;
pub(crate) mod local_ips;
pub(crate) mod network;
pub(crate) mod ocsp;
mod pool;
mod proxy;
pub(crate) mod reply;
pub(crate) mod tls;
pub(crate) mod upgrade;
pub(crate) mod url;

pub(crate) use tls::check;
