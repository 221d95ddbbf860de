//! A record and all that is made of it.

mod alerting;
mod annotations;
mod compare;
mod exports;
#[path = "../fixture/mod.rs"]
mod fixture;
mod page;
mod receipts;
mod schema;
