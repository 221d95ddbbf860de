//! For tests of this crate and its users: a failing disk, and their own Redis server.

pub mod disk;
pub mod redis_server;
