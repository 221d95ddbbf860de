//! What a running detector promises beyond single failures.

mod client;

mod admin;
mod fuzz;
mod load;
mod reload;
mod time;
mod toggling;
