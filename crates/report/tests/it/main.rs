//! A record and the formats derived from it.

mod alerting;
mod annotations;
mod compare;
mod exports;
mod page;
mod receipts;
mod schema;
mod views;
