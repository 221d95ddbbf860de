//! A record and all that is made of it.

mod alerting;
mod annotations;
mod compare;
mod exports;
mod page;
mod receipts;
mod schema;
