//! Events, ordered by (time, class, sequence).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::slab::Id;

/// Nanoseconds since the origin.
pub(super) type Nanos = u64;

/// The order of events at equal times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Class {
    Departure = 0,
    Change = 1,
    /// Inputs are not events of the heap; this is their position in the order.
    Arrival = 2,
    Expiry = 3,
}

/// A station of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Cpu,
    Disk,
    Link,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A job of this station may be complete.
    Station {
        host: u32,
        machine: u32,
        resource: Resource,
    },
    /// A job of a component's shared service time may be complete.
    Service {
        component: u32,
        machine: u32,
    },
    /// A time that belongs to a single task is over.
    Delay {
        task: Id,
        wait: u32,
    },
    /// A batch is sent although it is not full.
    Batch {
        component: u32,
        number: u32,
    },
    /// A CPU resumes after a garbage collection.
    Resume {
        host: u32,
        machine: u32,
    },
    /// A machine begins to accept work.
    Up {
        host: u32,
        machine: u32,
        life: u32,
    },
    /// The level of a machine's memory may reach a bound.
    Memory {
        host: u32,
        machine: u32,
    },
    Autoscale {
        host: u32,
    },
    Planned {
        place: u32,
    },
    /// The maximum waiting time in a queue or pool is over.
    Patience {
        task: Id,
        wait: u32,
    },
    /// A caller stops waiting for its visit.
    Timeout {
        task: Id,
        wait: u32,
    },
    Deadline {
        request: Id,
    },
    /// An entry of the store may have expired.
    Store {
        store: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Nanos,
    /// Class in the upper two bits, sequence below.
    order: u64,
    pub(super) what: What,
}

impl Event {
    pub(super) fn class(&self) -> Class {
        match self.order >> 62 {
            0 => Class::Departure,
            1 => Class::Change,
            2 => Class::Arrival,
            _ => Class::Expiry,
        }
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The scheduled events.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<Event>>,
    /// Events scheduled in the order of their times, such as deadlines: there are as many as requests, and
    /// most have no effect, so they are kept out of the heap.
    line: VecDeque<Event>,
    sequence: u64,
    /// The number of past events, including inputs.
    pub(super) happened: u64,
}

impl Events {
    pub(super) fn push(&mut self, at: Nanos, class: Class, what: What) {
        let event = self.event(at, class, what);
        self.heap.push(Reverse(event));
    }

    /// Like [`Self::push`], but cheaper if events of this kind are scheduled in the order of their times.
    pub(super) fn push_in_line(&mut self, at: Nanos, class: Class, what: What) {
        let event = self.event(at, class, what);
        if self.line.back().is_none_or(|last| *last < event) {
            self.line.push_back(event);
        } else {
            self.heap.push(Reverse(event));
        }
    }

    fn event(&mut self, at: Nanos, class: Class, what: What) -> Event {
        self.sequence += 1;
        let order = (class as u64) << 62 | self.sequence;
        Event { at, order, what }
    }

    /// The first event, and whether it is in the queue `line`.
    fn first(&self) -> Option<(Event, bool)> {
        let heap = self.heap.peek().map(|one| one.0);
        match (heap, self.line.front()) {
            (Some(heap), Some(line)) if *line < heap => Some((*line, true)),
            (None, Some(line)) => Some((*line, true)),
            (heap, _) => heap.map(|event| (event, false)),
        }
    }

    /// The next event that precedes an input at `now`.
    pub(super) fn pop_before(&mut self, now: Nanos) -> Option<Event> {
        let (next, is_in_line) = self.first()?;
        if (next.at, next.class()) >= (now, Class::Arrival) {
            return None;
        }
        if is_in_line {
            self.line.pop_front();
        } else {
            self.heap.pop();
        }
        self.happened += 1;
        Some(next)
    }

    /// The time of the next event for `pop_before`.
    pub(super) fn next_at(&self) -> Option<Nanos> {
        let (next, _) = self.first()?;
        Some(next.at + u64::from(next.class() == Class::Expiry))
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len() + self.line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_are_ordered_by_class_and_then_by_sequence() {
        let mut events = Events::default();
        let store = |store| What::Store { store };
        events.push(5, Class::Expiry, store(0));
        events.push(5, Class::Change, store(1));
        events.push(5, Class::Departure, store(2));
        events.push(5, Class::Departure, store(3));
        events.push(4, Class::Expiry, store(4));
        let mut order = Vec::new();
        while let Some(event) = events.pop_before(5) {
            order.push(event.what);
        }
        assert_eq!(order, [store(4), store(2), store(3), store(1)]);
        assert_eq!(events.next_at(), Some(6), "an expiry comes after inputs");
        assert!(events.pop_before(6).is_some());
    }

    #[test]
    fn events_in_line_come_in_their_order_among_the_others() {
        let mut events = Events::default();
        let store = |store| What::Store { store };
        events.push_in_line(10, Class::Expiry, store(0));
        events.push(10, Class::Expiry, store(1));
        // Earlier than the last one in the queue.
        events.push_in_line(7, Class::Expiry, store(2));
        events.push_in_line(10, Class::Expiry, store(3));
        events.push(12, Class::Departure, store(4));
        events.push_in_line(11, Class::Expiry, store(5));
        assert_eq!(events.len(), 6);
        let mut order = Vec::new();
        while let Some(event) = events.pop_before(20) {
            order.push(event.what);
        }
        assert_eq!(order, [2, 0, 1, 3, 5, 4].map(store));
        assert_eq!((events.len(), events.next_at()), (0, None));
    }
}
