//! The items of an `each` step: sequential, parallel, or along a graph.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use fault_profile::draw::Root;

use super::Network;
use super::bound;
use super::slab::Id;
use super::task::{Flow, Forked, Frame, Items, StepAt};
use crate::plan::{Each, Order, Step, Value};

impl Network {
    pub(super) fn begin_items(
        &mut self,
        id: Id,
        step: StepAt<'_>,
        each: &Each,
        root: Root,
    ) -> Flow {
        let list = self.value(id, &each.list);
        let items: Arc<[Value]> = match (bound::items(list, &each.list), list) {
            (Err(failed), _) => return Flow::Failed(failed),
            (Ok(_), Value::List(items)) => items.clone(),
            (Ok(numbers), _) => (0..numbers.len()).map(|place| numbers.get(place)).collect(),
        };
        if let Err(failed) = self.charge(id, items.len()) {
            return Flow::Failed(failed);
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
                let blocks = pieces.map(|(root, item)| Forked {
                    block: block.clone(),
                    root,
                    item: Some(item),
                });
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

/// Indices of items, grouped by the length of the longest path to them. Items in a cycle, and edges from or
/// to unknown items, delay nothing. Each item and edge is processed once.
fn waves(items: &[Value], edges: &Value) -> Vec<Vec<usize>> {
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for (place, item) in items.iter().enumerate() {
        if let Some(id) = item.get("id").text() {
            places.entry(id).or_insert(place);
        }
    }
    let place = |id: &Value| places.get(&id.text()?).copied();
    let mut behind = vec![Vec::new(); items.len()];
    let mut open = vec![0_usize; items.len()];
    if let Value::List(edges) = edges {
        for edge in edges.iter().take(bound::MAX_TIMES as usize) {
            if let (Some(from), Some(to)) = (place(edge.get("from")), place(edge.get("to"))) {
                behind[from].push(to);
                open[to] += 1;
            }
        }
    }
    let mut left = vec![true; items.len()];
    let mut wave: Vec<usize> = (0..items.len()).filter(|&place| open[place] == 0).collect();
    let mut waves = Vec::new();
    while !wave.is_empty() {
        let mut next = Vec::new();
        for &place in &wave {
            left[place] = false;
            for &to in &behind[place] {
                open[to] -= 1;
                if open[to] == 0 {
                    next.push(to);
                }
            }
        }
        next.sort_unstable();
        waves.push(std::mem::replace(&mut wave, next));
    }
    // The remaining items are in a cycle, or after one.
    let rest: Vec<usize> = (0..items.len()).filter(|&place| left[place]).collect();
    waves.extend((!rest.is_empty()).then_some(rest));
    waves
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
    fn an_item_begins_after_all_of_its_predecessors() {
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
    fn cycles_and_unknown_names_delay_no_item() {
        check(
            &["a", "b", "c"],
            &[("a", "b"), ("b", "a")],
            &[&[2], &[0, 1]],
        );
        check(&["a", "b"], &[("x", "b")], &[&[0, 1]]);
    }
}
