//! A call of the driver.

use crate::args::Args;
use crate::surroundings::Surroundings;

/// The flags of a call, and its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) args: &'a Args,
    pub(crate) around: &'a Surroundings,
}
