//! The script engine, the k6 modules and the HTTP client.
//!
//! A script is compiled once ([`ScriptProgram`]); every virtual user ([`ScriptVu`]) runs its bytecode
//! in a realm of its own, on a small stack of its own, and gives its thread away while it waits.

mod compile;
pub mod crypto;
pub mod csv;
pub mod digest;
mod fiber;
mod gjson;
pub mod html;
mod http;
mod js;
mod literals;
mod modules;
pub mod ntlm;
mod program;
mod remote;
mod script;
pub mod secrets;
mod source;
mod source_map;
pub mod typescript;
mod vu;
pub mod websocket;

pub use program::ScriptProgram;
pub use script::Source;
pub use vu::ScriptVu;

/// Whether the option `localIPs` can be this text.
pub fn are_local_ips(text: &str) -> bool {
    http::local_ips::nth(text, 0).is_some()
}

/// What requests call themselves unless the option `userAgent` says otherwise. The version is that of
/// the k6 whose behaviour is followed.
pub(crate) const USER_AGENT: &str = "Grafana k6/2.2.0";

/// How many cases the tests with random input run: few, unless `FUZZ_CASES` asks for more.
#[cfg(test)]
fn fuzz_cases() -> u32 {
    let wanted = std::env::var("FUZZ_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(256)
}
