//! The whole system: the real binary as a user calls it, and the stack in one process.

mod bad_input;
mod binary;
mod check;
mod stack;
mod toggle;
