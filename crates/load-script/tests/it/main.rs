//! Scripts on the real engine, against a small server on the loopback.

mod hostile;
mod http;
mod isolation;
mod language;
mod literals;
mod modules;
mod natives;
mod run;
mod server;
mod sockets;
