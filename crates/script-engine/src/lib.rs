//! The script engine: QuickJS behind a small safe surface.
//!
//! The only crate that uses the C library. Values are `rquickjs` values; what that crate does not offer (native
//! functions without a box per function, bytecode, the stack guard that follows a fiber, synthetic modules,
//! realms that share their built-ins) is here.
//!
//! A [`fiber::Fiber`] runs the code of an [`isolate::Isolate`], which asks its [`host::Host`] for modules.

pub mod calls;
pub mod class;
mod classes;
pub mod code;
pub mod convert;
mod data;
pub mod exception;
pub mod failure;
pub mod fiber;
pub mod function_text;
pub mod host;
pub mod isolate;
pub mod json;
mod layout;
pub mod lazy;
pub mod memory;
pub mod module;
pub mod native;
pub mod new_error;
pub mod own_methods;
mod pace;
mod patience;
pub mod promise;
pub mod property;
pub mod raise;
mod shared;
mod stack;
pub mod throw;
mod turn;

pub use rquickjs::function::{Args, Constructor, This};
pub use rquickjs::{
    Array, ArrayBuffer, Atom, Ctx, Error, Exception, FromJs, Function, Object, Persistent, Result,
    TypedArray, Value,
};
