//! The whole system: the real binary as a user calls it, and the stack in one process.

mod bad_input;
mod binary;
mod check;
mod drain;
mod drill;
mod fms;
mod generator;
mod health;
mod k6_command;
mod k6_diff;
mod kill_nine;
mod left_behind;
mod log_output;
mod many_vus;
mod mock_commands;
mod openai_sdk;
mod orchestration_script;
mod orchestrator_process;
#[expect(dead_code, reason = "shared; not every user needs all of it")]
#[path = "../../crates/orchestrator/src/store/redis/server.rs"]
mod redis_server;
mod script_errors;
mod smoke;
mod stack;
mod steady_load;
mod toggle;
