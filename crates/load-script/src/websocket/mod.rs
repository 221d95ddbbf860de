//! The client's side of RFC 6455 without input and output: what to send for the handshake and for
//! a message, and what arriving bytes mean.
//!
//! Of extensions only permessage-deflate without context takeover is known.

mod decode;
mod encode;
mod handshake;

pub use decode::{Decoder, Event, ProtocolError};
pub use encode::{CloseError, close, deflated_message, message, ping, pong};
pub use handshake::{accept_of, new_key};

#[cfg(test)]
mod tests;
