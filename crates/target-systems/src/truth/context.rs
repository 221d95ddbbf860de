//! The data of a request as the truth reads it.

use crate::network::{ItemList, MAX_TIMES, items};
use crate::plan::{Expression, Path, PathRoot, Plan, Value};

/// A request's data, and the item of the innermost `each`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub input: &'a Value,
    pub state: &'a Value,
    pub item: &'a Value,
}

impl<'a> Context<'a> {
    pub fn value(&self, path: &Path) -> &'a Value {
        match path.root {
            PathRoot::State => self.state.at(&path.names),
            PathRoot::Item => self.item.at(&path.names),
            root => self.input.get(root.name()).at(&path.names),
        }
    }

    /// The value of an expression; rows are the initial ones.
    pub fn number(&self, plan: &Plan, expression: &Expression) -> f64 {
        match expression {
            Expression::Number(number) => *number,
            Expression::Field(path) => self.value(path).number(),
            Expression::Len(path) => self.value(path).len() as f64,
            Expression::Kb(path) => self.value(path).bytes() as f64 / 1_000.0,
            Expression::Rows(store) => plan.stores[*store].populate as f64,
            Expression::Log2(inner) => self.number(plan, inner).max(1.0).log2(),
        }
    }

    pub fn times(&self, plan: &Plan, expression: &Expression) -> f64 {
        self.number(plan, expression).floor().clamp(0.0, MAX_TIMES)
    }

    /// Items of a list; a number stands for that many items.
    pub fn items(&self, path: &Path) -> Vec<Value> {
        items(self.value(path), path).map_or_else(|_| Vec::new(), ItemList::to_vec)
    }
}
