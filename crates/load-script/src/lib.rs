//! The script engine, the k6 modules and the HTTP client.

pub mod typescript;
