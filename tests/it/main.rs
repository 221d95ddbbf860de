//! The whole system: the real binary as a user calls it, and the stack in one process.

mod binary;
mod check;
