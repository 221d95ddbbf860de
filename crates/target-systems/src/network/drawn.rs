//! The demands of a visit, drawn from its own random stream.

use fault_profile::draw::{Purpose, Root};

use super::event::Nanos;
use super::fifo::Load;
use super::store::Store;
use crate::plan::{Amount, Demand, Expression, Operation, Path, PathRoot, Value};

/// Demands of one visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drawn {
    pub(super) service: Nanos,
    pub(super) cpu: Nanos,
    pub(super) disk: Load,
    pub(super) link_bytes: f64,
    pub(super) allocate_kb: f64,
}

/// The values that the expressions of a request read.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) input: &'a Value,
    pub(super) kept: &'a Value,
    pub(super) item: &'a Value,
    pub(super) stores: &'a [Store],
}

/// Times and sizes are limited to this, so that sums do not overflow.
const MAX_MS: f64 = 86_400_000.0;
const MAX_KB: f64 = 1e9;
const MAX_OPERATIONS: f64 = 1e9;

impl<'a> Facts<'a> {
    pub(super) fn value(&self, path: &Path) -> &'a Value {
        let root = match path.root {
            PathRoot::Body | PathRoot::Path | PathRoot::Query => self.input.get(path.root.name()),
            PathRoot::State => self.kept,
            PathRoot::Item => self.item,
        };
        root.at(&path.names)
    }

    /// Never negative nor infinite.
    pub(super) fn number(&self, expression: &Expression) -> f64 {
        match expression {
            Expression::Number(number) => *number,
            Expression::Field(path) => self.value(path).number(),
            Expression::Len(path) => self.value(path).len() as f64,
            Expression::Kb(path) => self.value(path).bytes() as f64 / 1e3,
            Expression::Rows(store) => self
                .stores
                .get(*store)
                .map_or(0.0, |store| store.rows() as f64),
            Expression::Log2(inner) => self.number(inner).max(1.0).log2(),
        }
    }
}

impl Drawn {
    pub(super) const NOTHING: Self = Self {
        service: 0,
        cpu: 0,
        disk: Load {
            operations: 0.0,
            bytes: 0.0,
        },
        link_bytes: 0.0,
        allocate_kb: 0.0,
    };

    /// Draws the demands; the same for the same root and facts, independent of other draws.
    pub(super) fn of(operation: &Operation, root: Root, facts: &Facts<'_>) -> Self {
        let mut sum = Sum::default();
        sum.add(&operation.demand, root, 1.0);
        for (place, per) in operation.per.iter().enumerate() {
            let items = facts.number(&per.of);
            if items > 0.0 {
                sum.add(&per.demand, root.word(place as u64 + 1), items);
            }
        }
        let factor = operation
            .factor
            .as_ref()
            .map_or(1.0, |factor| factor.of(facts.value(&factor.by)));
        Self {
            service: time(sum.service_ms * factor),
            cpu: time(sum.cpu_ms * factor),
            disk: Load {
                operations: sum.disk_ops.min(MAX_OPERATIONS),
                bytes: size(sum.disk_kb) * 1e3,
            },
            link_bytes: size(sum.network_kb) * 1e3,
            allocate_kb: size(sum.allocate_kb),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.service += other.service;
        self.cpu += other.cpu;
        self.disk.operations += other.disk.operations;
        self.disk.bytes += other.disk.bytes;
        self.link_bytes += other.link_bytes;
        self.allocate_kb += other.allocate_kb;
    }
}

/// Demands in the units of a plan.
#[derive(Debug, Default)]
struct Sum {
    service_ms: f64,
    cpu_ms: f64,
    disk_ops: f64,
    disk_kb: f64,
    network_kb: f64,
    allocate_kb: f64,
}

impl Sum {
    fn add(&mut self, demand: &Demand, root: Root, items: f64) {
        let draw = |amount: &Option<Amount>, purpose: Purpose| {
            amount
                .as_ref()
                .map_or(0.0, |amount| items * amount.draw(&mut root.draws(purpose)))
        };
        self.service_ms += draw(&demand.service_ms, Purpose::Visit);
        self.cpu_ms += draw(&demand.cpu_ms, Purpose::Cpu);
        self.network_kb += draw(&demand.network_kb, Purpose::Network);
        // Sizes come from streams that are independent of the times of the same visit.
        let sizes = root.word(SIZES);
        let size = |amount: &Option<Amount>, purpose: Purpose| {
            amount
                .as_ref()
                .map_or(0.0, |amount| items * amount.draw(&mut sizes.draws(purpose)))
        };
        self.disk_kb += size(&demand.disk_kb, Purpose::Disk);
        self.allocate_kb += size(&demand.allocate_kb, Purpose::Cpu);
        if let Some(operations) = &demand.disk_ops {
            let mut draws = root.draws(Purpose::Disk);
            let operations = items * operations.draw(&mut draws);
            let one_more = draws.unit() < operations.fract();
            self.disk_ops += operations.floor() + f64::from(u8::from(one_more));
        }
    }
}

/// Distinguishes the streams of sizes from those of times.
const SIZES: u64 = u64::MAX;

fn time(ms: f64) -> Nanos {
    (ms.min(MAX_MS) * 1e6 + 0.5) as Nanos
}

fn size(kb: f64) -> f64 {
    kb.min(MAX_KB)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::{Factor, Per};

    fn facts<'a>(input: &'a Value, stores: &'a [Store]) -> Facts<'a> {
        Facts {
            input,
            kept: &Value::Null,
            item: &Value::Null,
            stores,
        }
    }

    fn path(name: &str) -> Path {
        Path {
            root: PathRoot::Body,
            names: vec![name.into()],
        }
    }

    #[test]
    fn demands_add_up_by_item_and_the_factor_multiplies_times_only() {
        let constant = |value| Some(Amount::constant(value));
        let demand = Demand {
            cpu_ms: constant(10.0),
            network_kb: constant(1.0),
            ..Demand::default()
        };
        let per = Demand {
            cpu_ms: constant(2.0),
            network_kb: constant(3.0),
            ..Demand::default()
        };
        let operation = Operation {
            per: vec![Per {
                of: Expression::Len(path("targets")),
                demand: per,
            }],
            factor: Some(Factor {
                by: path("complexity"),
                cases: [("high".to_owned(), 2.5)].into(),
                otherwise: 1.0,
            }),
            ..Operation::new("run", demand)
        };
        let body = Value::map([
            ("targets", Value::List(Arc::from(vec![Value::Null; 5]))),
            ("complexity", Value::from("high")),
        ]);
        let input = Value::map([("body", body)]);
        let drawn = Drawn::of(&operation, Root::new(1), &facts(&input, &[]));
        assert_eq!(drawn.cpu, 50_000_000);
        assert_eq!(drawn.link_bytes, 16_000.0);
        let drawn = Drawn::of(&operation, Root::new(1), &facts(&Value::Null, &[]));
        assert_eq!(drawn.cpu, 10_000_000);
    }

    #[test]
    fn a_fraction_of_a_disk_operation_is_a_probability() {
        let operation = Operation::new(
            "run",
            Demand {
                disk_ops: Some(Amount::constant(1.2)),
                ..Demand::default()
            },
        );
        let draws: f64 = (0..20_000)
            .map(|n| Drawn::of(&operation, Root::new(n), &facts(&Value::Null, &[])))
            .map(|drawn| drawn.disk.operations)
            .sum();
        assert!(
            (draws / 20_000.0 - 1.2).abs() < 0.01,
            "mean {}",
            draws / 2e4
        );
    }
}
