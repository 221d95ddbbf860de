//! The resource demands of an operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use fault_profile::Latency;
use fault_profile::draw::Draws;
use fault_profile::sampler::Sampler;

use super::{Path, Value};

/// A number that may be random: milliseconds, kB or operations. The family is a [`Latency`], whose "ms"
/// stand for the unit of the field.
#[derive(Debug, Clone)]
pub struct Amount {
    law: Latency,
    sampler: Sampler,
}

impl Amount {
    /// `law` must have passed validation.
    pub fn new(law: Latency) -> Self {
        let sampler = Sampler::new(&law);
        Self { law, sampler }
    }

    pub fn constant(value: f64) -> Self {
        Self::new(Latency::Constant { ms: value })
    }

    /// Its distribution, for computing the mean.
    pub fn law(&self) -> &Latency {
        &self.law
    }

    /// One draw; never negative nor infinite.
    pub fn draw(&self, draws: &mut Draws) -> f64 {
        self.sampler.draw_ms(draws)
    }
}

/// Demands of one visit, or of each item of it.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// Time during which a worker is busy without using a resource.
    pub service_ms: Option<Amount>,
    /// CPU time of one core.
    pub cpu_ms: Option<Amount>,
    /// A fraction is one more operation with that probability.
    pub disk_ops: Option<Amount>,
    /// kB of 1 000 bytes.
    pub disk_kb: Option<Amount>,
    /// kB of 1 000 bytes.
    pub network_kb: Option<Amount>,
    /// Garbage, kB of 1 024 bytes.
    pub allocate_kb: Option<Amount>,
}

/// An operation of a component.
#[derive(Debug, Clone)]
pub struct Operation {
    pub name: Arc<str>,
    pub demand: Demand,
    /// Added for each item: drawn once and multiplied.
    pub per: Vec<Per>,
    /// Multiplies the times (service and CPU), those of `per` included.
    pub factor: Option<Factor>,
}

/// Demands per item, kB or row.
#[derive(Debug, Clone)]
pub struct Per {
    pub of: Expression,
    pub demand: Demand,
}

/// A number by the value of a field.
#[derive(Debug, Clone)]
pub struct Factor {
    pub by: Path,
    /// Values as text.
    pub cases: BTreeMap<String, f64>,
    /// For other values, and for a missing one.
    pub otherwise: f64,
}

/// A number that depends on the request or the state of the system. Missing values count as 0.
#[derive(Debug, Clone)]
pub enum Expression {
    Number(f64),
    /// A number, or a text that can be parsed as one.
    Field(Path),
    /// Number of items of a list, or of characters of a text.
    Len(Path),
    /// Size in kB of 1 000 bytes, as computed by [`Value::bytes`].
    Kb(Path),
    /// Number of rows of a store; the index is in [`super::Plan::stores`].
    Rows(usize),
    /// Binary logarithm; 0 for values below 1.
    Log2(Box<Expression>),
}

impl Expression {
    /// The path that the expression reads, if any.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Field(path) | Self::Len(path) | Self::Kb(path) => Some(path),
            Self::Log2(inner) => inner.path(),
            Self::Number(_) | Self::Rows(_) => None,
        }
    }
}

impl Operation {
    pub fn new(name: &str, demand: Demand) -> Self {
        Self {
            name: name.into(),
            demand,
            per: Vec::new(),
            factor: None,
        }
    }
}

impl Factor {
    pub fn of(&self, value: &Value) -> f64 {
        value
            .text()
            .and_then(|text| self.cases.get(text.as_ref()))
            .copied()
            .unwrap_or(self.otherwise)
    }
}
