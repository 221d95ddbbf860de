//! An HTTP client that behaves like k6's: a connection pool per VU, times taken at the socket,
//! redirects and cookies by Go's rules, numbered errors; and the client's side of WebSockets.
//!
//! The time of a response ends when its bytes arrive at this machine (`arrival`), whenever they are read.
//!
//! HTTP/1.1 is implemented here instead of by a library: while a request waits it holds no buffers at all,
//! which at ten thousand VUs is most of the memory, and the times are those of the socket.

mod arrival;
pub mod bare;
mod body;
pub mod client;
pub mod coding;
mod config;
mod connection;
pub mod cookies;
mod counted;
pub mod digest;
mod environment;
mod exchange;
pub mod expected;
pub mod failure;
mod frames;
pub mod header_order;
mod http2;
pub mod local_ips;
pub mod network;
pub mod ntlm;
pub mod ocsp;
mod origin;
mod pool;
mod proxy;
pub mod reply;
mod tls;
pub mod token;
pub mod upgrade;
pub mod url;
pub mod websocket;

pub use config::{AddressPolicy, AddressSelect, ClientCertificate, Config, NameConfig, TlsConfig};
pub use environment::Environment;
pub use tls::check;

/// The number of cases of tests with random input: few, unless `FUZZ_CASES` sets more.
#[cfg(test)]
fn fuzz_cases() -> u32 {
    let wanted = std::env::var("FUZZ_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(256)
}
