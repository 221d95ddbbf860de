//! Messages: batches that share a slot of a bus, and the tasks that wait for them.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::Root;

use super::drawn::Drawn;
use super::event::{Class, What};
use super::outcome::Failed;
use super::slab::Id;
use super::task::{Entering, Flow, Frame, Message, Parent, Place, StepAt, Task, Usage};
use super::{Network, nanos};
use crate::plan::{Bus, Publish, Step};

/// Messages that wait for their batch to fill.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    messages: Vec<Message>,
    /// Counts batches, to distinguish the end of this wait from that of an earlier one.
    number: u32,
}

impl Network {
    pub(super) fn publish(
        &mut self,
        id: Id,
        step: StepAt<'_>,
        publish: &Publish,
        root: Root,
    ) -> Flow {
        if self.count(id, &publish.messages) == 0 {
            return Flow::On;
        }
        let connect = self.bus(publish).map_or(Duration::ZERO, |bus| bus.connect);
        if connect.is_zero() {
            return self.post(id, step, root);
        }
        self.push_frame(
            id,
            Frame::Connect {
                block: step.block.clone(),
                at: step.at,
                root,
                since: self.now,
            },
        );
        let wait = self.rest(id, Place::Stage);
        let at = self.after(connect);
        self.schedule(at, Class::Departure, What::Delay { task: id, wait });
        Flow::Wait
    }

    fn bus(&self, publish: &Publish) -> Option<Bus> {
        self.loaded.component(publish.call.component).bus
    }

    /// Hands the messages of a publish step to the bus.
    pub(super) fn post(&mut self, id: Id, step: StepAt<'_>, root: Root) -> Flow {
        let Step::Publish(publish) = &step.block[step.at] else {
            return Flow::On;
        };
        let messages = self.count(id, &publish.messages);
        if let Err(failed) = self.charge(id, messages as usize) {
            return Flow::Failed(failed);
        }
        for number in 0..messages {
            let message = self.message(id, publish, root.word(number.into()));
            self.hand_over(publish.call.component, message);
        }
        self.join(id)
    }

    fn message(&mut self, id: Id, publish: &Publish, root: Root) -> Message {
        let request_id = self.request_of(id);
        let root = root.word(self.salt(id, publish.call));
        let drawn = match self.requests.get(request_id) {
            Some(request) => {
                let operation = request.loaded.operation(publish.call);
                Drawn::of(operation, root, &self.facts(id))
            }
            None => Drawn::NOTHING,
        };
        let drawn = self.compressed(publish, drawn);
        if let Some(request) = self.requests.get_mut(request_id) {
            request.needed += 1;
        }
        self.ledger.background_begun += 1;
        let overhead = self.bus(publish).map_or(0, |bus| nanos(bus.batch.overhead));
        let publisher = self.tasks.get_mut(id).filter(|_| publish.wait);
        Message {
            request: request_id,
            publisher: publisher.map(|task| {
                task.children += 1;
                Parent {
                    task: id,
                    joining: task.joining,
                }
            }),
            root,
            consume: publish.consume,
            planned: overhead + drawn.service + drawn.cpu,
            drawn,
            call: publish.call,
        }
    }

    fn compressed(&self, publish: &Publish, mut drawn: Drawn) -> Drawn {
        let compress = self.bus(publish).and_then(|bus| bus.compress);
        if let Some(compress) = compress {
            let cpu_ms = compress.cpu_ms_per_kb * drawn.link_bytes / 1e3;
            drawn.cpu += (cpu_ms.clamp(0.0, 86_400_000.0) * 1e6).round() as u64;
            drawn.link_bytes *= compress.ratio;
        }
        drawn
    }

    fn hand_over(&mut self, component: usize, message: Message) {
        self.units[component].tally.messages += 1;
        let Some(bus) = self.loaded.component(component).bus else {
            return self.message_ended(message, None);
        };
        let buffer = &mut self.buffers[component];
        buffer.messages.push(message);
        if buffer.messages.len() >= bus.batch.max_items {
            return self.send_batch(component);
        }
        if buffer.messages.len() == 1 {
            let number = buffer.number;
            let at = self.after(bus.batch.wait);
            let component = component as u32;
            let what = What::Batch { component, number };
            self.schedule(at, Class::Departure, what);
        }
    }

    pub(super) fn batch_due(&mut self, component: usize, number: u32) {
        let buffer = &self.buffers[component];
        if buffer.number == number && !buffer.messages.is_empty() {
            self.send_batch(component);
        }
    }

    /// A visit that carries the messages of the buffer.
    fn send_batch(&mut self, component: usize) {
        let overhead = self.loaded.component(component).bus;
        let overhead = overhead.map_or(0, |bus| nanos(bus.batch.overhead));
        let buffer = &mut self.buffers[component];
        buffer.number = buffer.number.wrapping_add(1);
        let messages = std::mem::take(&mut buffer.messages);
        let Some(first) = messages.first() else {
            return;
        };
        self.units[component].tally.batches += 1;
        let mut drawn = Drawn::NOTHING;
        messages
            .iter()
            .for_each(|message| drawn.add(&message.drawn));
        drawn.service += overhead;
        let (request, call, root) = (first.request, first.call, first.root);
        let entering = Entering {
            call,
            root,
            hold: Arc::new([]),
            usage: Usage::Batch { messages, drawn },
        };
        let mut task = Task::new(request, vec![Frame::Enter(Box::new(entering))]);
        task.background = true;
        self.spawn(task);
    }

    /// The messages of a batch have been delivered; their consumers are visited.
    pub(super) fn delivered(&mut self, messages: Vec<Message>) {
        for message in messages {
            let Some(call) = message.consume else {
                self.message_ended(message, None);
                continue;
            };
            let entering = Entering {
                call,
                root: message.root.word(0),
                hold: Arc::new([]),
                usage: Usage::Plain,
            };
            let frames = vec![Frame::Enter(Box::new(entering))];
            let mut task = Task::new(message.request, frames);
            task.background = true;
            task.counted = true;
            task.parent = message.publisher;
            task.planned = message.planned;
            self.spawn(task);
            self.release_request(message.request);
        }
    }

    pub(super) fn undelivered(&mut self, messages: Vec<Message>, failed: &Failed) {
        for message in messages {
            self.units[message.call.component].tally.lost_messages += 1;
            self.message_ended(message, Some(failed.clone()));
        }
    }

    fn message_ended(&mut self, message: Message, failure: Option<Failed>) {
        self.background_ended(failure.as_ref());
        if let Some(publisher) = message.publisher {
            // As with a failed visit: its demands are not counted as planned.
            let planned = failure.as_ref().map_or(message.planned, |_| 0);
            self.child_ended(publisher, failure, planned);
        }
        self.release_request(message.request);
    }
}
