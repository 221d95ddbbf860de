//! The whole system: the real binary as a user calls it, and the stack in one process.

mod bad_input;
mod binary;
mod check;
mod drill;
mod generator;
mod health;
mod k6_command;
mod k6_diff;
mod many_vus;
mod mock_commands;
mod openai_sdk;
mod orchestration_script;
mod script_errors;
mod smoke;
mod stack;
mod toggle;
