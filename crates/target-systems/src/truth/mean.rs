//! Means of a visit's demands.

use super::context::Context;
use super::moments::Moments;
use crate::plan::{Amount, Demand, Host, Operation, Plan};

/// The factor by which a host's instances slow each other.
pub(super) fn slowdown(host: &Host) -> f64 {
    host.usl_instances
        .map_or(1.0, |usl| usl.slowdown(host.instances))
}

pub(super) fn disk_ms(host: &Host, mean: &Mean) -> Moments {
    let operations = host
        .disk_iops
        .map_or(Moments::ZERO, |iops| mean.disk_ops.times(1_000.0 / iops));
    let bytes = host
        .disk_mb_per_s
        .map_or(Moments::ZERO, |rate| mean.disk_kb.times(1.0 / rate));
    operations.plus(bytes)
}

/// Means of a visit's demands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    pub service_ms: Moments,
    pub cpu_ms: Moments,
    pub disk_ops: Moments,
    pub disk_kb: Moments,
    pub network_kb: Moments,
    pub allocate_kb: Moments,
}

impl Mean {
    pub fn of(demand: &Demand) -> Self {
        let of = |amount: &Option<Amount>| {
            amount
                .as_ref()
                .map_or(Moments::ZERO, |amount| Moments::of(amount.law()))
        };
        Self {
            service_ms: of(&demand.service_ms),
            cpu_ms: of(&demand.cpu_ms),
            disk_ops: whole(of(&demand.disk_ops)),
            disk_kb: of(&demand.disk_kb),
            network_kb: of(&demand.network_kb),
            allocate_kb: of(&demand.allocate_kb),
        }
    }

    pub fn of_operation(plan: &Plan, operation: &Operation, context: Context<'_>) -> Self {
        let mut mean = Self::of(&operation.demand);
        for per in &operation.per {
            let times = context.number(plan, &per.of);
            let more = Self::of(&per.demand);
            mean.service_ms = mean.service_ms.plus(more.service_ms.times(times));
            mean.cpu_ms = mean.cpu_ms.plus(more.cpu_ms.times(times));
            mean.disk_ops = mean.disk_ops.plus(more.disk_ops.times(times));
            mean.disk_kb = mean.disk_kb.plus(more.disk_kb.times(times));
            mean.network_kb = mean.network_kb.plus(more.network_kb.times(times));
            mean.allocate_kb = mean.allocate_kb.plus(more.allocate_kb.times(times));
        }
        if let Some(factor) = &operation.factor {
            let factor = factor.of(context.value(&factor.by));
            mean.service_ms = mean.service_ms.times(factor);
            mean.cpu_ms = mean.cpu_ms.times(factor);
        }
        mean
    }
}

/// Operations are whole numbers: a constant 1.2 is 1 or 2.
fn whole(operations: Moments) -> Moments {
    let fraction = operations.mean.fract();
    if operations.variance() > 1e-12 {
        return operations;
    }
    Moments {
        second: operations.mean * operations.mean + fraction * (1.0 - fraction),
        ..operations
    }
}
