//! The script engine: QuickJS behind a small safe surface.
//!
//! The only folder that speaks to the C library. Values are `rquickjs` values; what that crate does
//! not offer (native functions without a box per function, bytecode, the stack guard that follows a
//! fiber, synthetic modules) is here.

pub(crate) mod class;
pub(crate) mod code;
pub(crate) mod convert;
pub(crate) mod data;
pub(crate) mod exception;
pub(crate) mod isolate;
mod layout;
pub(crate) mod memory;
mod metronome;
pub(crate) mod module;
pub(crate) mod native;
pub(crate) mod own_methods;
mod patience;
pub(crate) mod promise;
mod shared;
