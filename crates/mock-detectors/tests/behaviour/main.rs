//! The behaviour of a running detector beyond single failures.

mod client;

mod admin;
mod fuzz;
mod intake;
mod load;
mod overlays;
mod reload;
mod schemas;
mod time;
mod toggling;
