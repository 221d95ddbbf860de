//! Pages as clients see them.

mod dashboard;
mod fed;
mod locust;
mod stream;
