//! gRPC as scripts use it: the message types are known only at run time.
//!
//! A [`schema::Schema`] comes from `.proto` files, from a set of descriptors, or from the server itself
//! ([`reflection`]). Messages are JSON for the script ([`json`]) and Protobuf on the wire; a
//! [`channel::Channel`] carries calls over any stream of bytes. Nothing here depends on scripts or
//! sockets.

pub mod call;
pub mod channel;
pub mod frame;
pub mod json;
pub mod metadata;
mod preface;
pub mod reflection;
pub mod schema;
mod session;
pub mod status;

/// The number of cases of tests with random input: few, unless `FUZZ_CASES` sets more.
#[cfg(test)]
fn fuzz_cases() -> u32 {
    let wanted = std::env::var("FUZZ_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(256)
}
