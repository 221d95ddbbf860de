//! The client's side of RFC 6455 without I/O: encoding of handshake and messages, decoding of arriving bytes.
//!
//! The only supported extension is permessage-deflate without context takeover.

mod decode;
mod encode;
mod handshake;

pub use decode::{Decoder, Event, ProtocolError};
pub use encode::{CloseError, close, deflated_message, message, ping, pong};
pub use handshake::{accept_of, new_key};

#[cfg(test)]
mod tests;
