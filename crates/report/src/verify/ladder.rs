//! The figures of a ladder, computed again from its phases.

use serde_json::Value;

use super::{Computed, Verified};
use crate::content::ladder;
use crate::record::{LoadModel, TestContent, TestRecord};

/// Tolerance of fits, whose last digits depend on the order of sums.
const SLACK: f64 = 1e-6;

pub fn test(test: &TestRecord, path: &str, verified: &mut Verified) {
    if test.content != TestContent::Ladder || test.model != LoadModel::Closed {
        return;
    }
    let Some(computed) = ladder::analyse(test) else {
        return;
    };
    let mut check = |name: &str, value: Option<f64>| {
        let recorded = test
            .analysis
            .get(name.split('/').next().unwrap_or_default());
        let pointer = format!("/{}", name.split_once('/').map_or("", |(_, rest)| rest));
        let recorded = recorded
            .and_then(|of| of.pointer(&pointer))
            .and_then(Value::as_f64);
        if let Some((recorded, value)) = recorded.zip(value) {
            let path = format!("{path}.analysis.{}", name.replace('/', "."));
            let computed = Computed {
                value,
                slack: SLACK,
                from: "its phases",
            };
            verified.close(&path, recorded, &computed);
        }
    };
    if let Some(figures) = &computed.figures {
        check(
            "ladder/linear_scalability_score",
            Some(figures.linear_scalability_score),
        );
        check("ladder/max_stable_users", figures.max_stable_users);
        check("ladder/retention", figures.retention);
        check("ladder/saturation_point", figures.saturation_point);
        check("ladder/correlation", figures.correlation);
    }
    if let Some(fit) = &computed.fit {
        check("usl/alpha/estimate", Some(fit.alpha.estimate));
        check("usl/beta/estimate", Some(fit.beta.estimate));
        check("usl/gamma/estimate", Some(fit.gamma.estimate));
        check("usl/r_squared", Some(fit.r_squared));
    }
}
