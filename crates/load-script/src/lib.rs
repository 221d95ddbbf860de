//! The `k6/*` modules, and the virtual users that run scripts.
//!
//! A script is compiled once ([`ScriptProgram`]); every virtual user ([`ScriptVu`]) runs its bytecode in a
//! realm of its own, on a small stack of its own, and releases its thread while it waits.

mod compile;
mod dependencies;
mod functions;
mod loading;
mod modules;
mod network;
mod open_error;
mod program;
mod remote;
mod script;
pub mod secrets;
mod source;
mod system;
mod vu;
mod wording;

pub use dependencies::Dependencies;
pub use program::ScriptProgram;
pub use script::Source;
pub use system::System;
pub use vu::ScriptVu;

/// The text of a script at a URL, loaded like an imported module.
///
/// # Errors
/// Neither the server nor the cache on disk has it.
pub async fn fetch(
    url: &str,
    system: &System,
    logger: &load_engine::log::Logger,
) -> Result<String, String> {
    let fetched = remote::fetch(url, system, logger).await;
    fetched.map_err(|error| error.to_string())
}

/// The text of the script at `url`, with this content.
///
/// # Errors
/// It is JavaScript and not UTF-8; the error has the place, in k6's words.
pub fn text_of(url: &str, content: &[u8]) -> Result<String, String> {
    source::text_of(url, content).map_err(|error| error.to_string())
}

/// Whether this text is valid for the option `localIPs`.
pub fn are_local_ips(text: &str) -> bool {
    http_client::local_ips::nth(text, 0).is_some()
}

/// The default `User-Agent`. The version is that of the k6 whose behaviour is implemented.
pub(crate) const USER_AGENT: &str = concat!("Grafana k6/", load_engine::k6_version!());
