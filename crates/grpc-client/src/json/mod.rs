//! Protobuf messages as JSON, by the rules of Protobuf 3.

mod calendar;
mod decode;
mod details;
mod encode;
mod number;
mod rpc_errors;
mod tree;
mod well_known;

pub use decode::decode;
pub use details::details;
pub use encode::{Unset, encode};

#[cfg(test)]
mod tests;
