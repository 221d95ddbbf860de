//! The distributions behind intervals and tests.

mod beta;
mod binomial;
mod gamma;
mod normal;
mod student_t;

pub use beta::{beta_quantile, incomplete_beta};
pub use binomial::{binomial_at_least, binomial_at_most};
pub use gamma::ln_gamma;
pub use normal::{normal_cdf, normal_quantile};
pub use student_t::{student_t_cdf, student_t_quantile, student_t_two_sided};
