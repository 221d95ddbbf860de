//! The items of an `each` step: in sequence, at once, or along a graph.

use std::sync::Arc;

use fault_profile::draw::Root;

use super::Network;
use super::flow::MAX_TIMES;
use super::slab::Id;
use super::task::{Flow, Frame, Items, StepAt};
use crate::plan::{Each, Order, Step, Value};

impl Network {
    pub(super) fn begin_items(
        &mut self,
        id: Id,
        step: StepAt<'_>,
        each: &Each,
        root: Root,
    ) -> Flow {
        let mut items: Arc<[Value]> = match self.value(id, &each.list) {
            Value::List(items) => items.clone(),
            // A number stands for as many items, which are their numbers.
            other => {
                let count = other.number().min(MAX_TIMES) as usize;
                (0..count)
                    .map(|place| Value::Number(place as f64))
                    .collect()
            }
        };
        if items.len() > MAX_TIMES as usize {
            items = items[..MAX_TIMES as usize].into();
        }
        let waves = match &each.order {
            Order::Sequence => None,
            Order::AtOnce => Some(vec![(0..items.len()).collect()]),
            Order::Graph(edges) => Some(waves(&items, self.value(id, edges))),
        };
        let items = Items {
            block: step.block.clone(),
            at: step.at,
            root,
            items,
            waves,
            next: 0,
            inside: false,
        };
        self.push_frame(id, Frame::Each(Box::new(items)));
        Flow::On
    }

    pub(super) fn next_item(&mut self, id: Id) -> Flow {
        let Some(task) = self.tasks.get_mut(id) else {
            return Flow::Wait;
        };
        let Some(Frame::Each(each)) = task.frames.last_mut() else {
            return Flow::On;
        };
        if std::mem::take(&mut each.inside) {
            task.items.pop();
        }
        let place = each.next;
        each.next += 1;
        let Step::Each(step) = &each.block[each.at] else {
            return Flow::On;
        };
        let block = step.block.clone();
        let piece = |place: usize| (each.root.word(place as u64), each.items[place].clone());
        match &each.waves {
            None if place < each.items.len() => {
                let (root, item) = piece(place);
                each.inside = true;
                task.items.push(item);
                self.inside(id, &block, root)
            }
            Some(waves) if place < waves.len() => {
                let pieces = waves[place].iter().map(|&place| piece(place));
                let blocks = pieces.map(|(root, item)| (block.clone(), root, Some(item)));
                let blocks = blocks.collect();
                self.fork(id, blocks)
            }
            _ => {
                task.frames.pop();
                Flow::On
            }
        }
    }
}

/// Places of items by the length of the longest way to them. Items on a circle, and edges from or
/// to nowhere, hold nobody up.
fn waves(items: &[Value], edges: &Value) -> Vec<Vec<usize>> {
    let place = |id: &Value| {
        let id = id.text()?;
        let same = |item: &Value| item.get("id").text().is_some_and(|text| text == id);
        items.iter().position(same)
    };
    let edges: Vec<(usize, usize)> = match edges {
        Value::List(edges) => edges
            .iter()
            .take(MAX_TIMES as usize)
            .filter_map(|edge| Some((place(edge.get("from"))?, place(edge.get("to"))?)))
            .collect(),
        _ => Vec::new(),
    };
    let mut done = vec![false; items.len()];
    let mut waves = Vec::new();
    loop {
        let open = |to: usize| edges.iter().any(|edge| edge.1 == to && !done[edge.0]);
        let left = || (0..items.len()).filter(|&place| !done[place]);
        let mut wave: Vec<usize> = left().filter(|&place| !open(place)).collect();
        if wave.is_empty() {
            wave = left().collect();
        }
        if wave.is_empty() {
            return waves;
        }
        wave.iter().for_each(|&place| done[place] = true);
        waves.push(wave);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nodes: &[&str], edges: &[(&str, &str)], expected: &[&[usize]]) {
        let nodes: Vec<Value> = nodes
            .iter()
            .map(|id| Value::map([("id", Value::from(*id))]))
            .collect();
        let edges: Vec<Value> = edges
            .iter()
            .map(|(from, to)| Value::map([("from", Value::from(*from)), ("to", Value::from(*to))]))
            .collect();
        assert_eq!(waves(&nodes, &Value::from(edges)), expected);
    }

    #[test]
    fn an_item_begins_behind_all_that_lead_to_it() {
        check(&[], &[], &[]);
        check(&["a", "b"], &[], &[&[0, 1]]);
        check(
            &["out", "llm", "tool", "in"],
            &[
                ("in", "llm"),
                ("in", "tool"),
                ("llm", "out"),
                ("tool", "out"),
            ],
            &[&[3], &[1, 2], &[0]],
        );
    }

    #[test]
    fn a_circle_and_an_unknown_name_hold_nobody_up() {
        check(
            &["a", "b", "c"],
            &[("a", "b"), ("b", "a")],
            &[&[2], &[0, 1]],
        );
        check(&["a", "b"], &[("x", "b")], &[&[0, 1]]);
    }
}
