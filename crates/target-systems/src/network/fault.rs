//! Faults that components inject.

use std::time::Duration;

use fault_profile::Failure;
use fault_profile::draw::Purpose;

use super::drawn::Drawn;
use super::event::Nanos;
use super::outcome::{Cause, Failed};
use super::slab::Id;
use super::task::{Frame, Key};
use super::{Network, nanos};

impl Network {
    /// Applies the faults of the component: additional latency, and possibly a failure at the end.
    pub(super) fn inject(&mut self, id: Id, drawn: &mut Drawn) {
        let now = Duration::from_nanos(self.now);
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let (Some(Frame::Visit(visit)), Some(request)) =
            (task.frames.last_mut(), self.requests.get(task.request))
        else {
            return;
        };
        let Some(model) = &self.loaded.component(visit.call.component).faults else {
            return;
        };
        let arrival = &request.arrival;
        // Each visit of a request has its own random stream.
        let number = visit.root.draws(Purpose::Choice).next_word();
        let decision = model.decide(&fault_profile::Request {
            tenant: &arrival.tenant,
            key: match &arrival.key {
                Key::Named(name) => fault_profile::Key::Named(name),
                Key::Index(index) => fault_profile::Key::Index(*index),
            },
            attempt: (number as u32).max(1),
            index: arrival.index,
            chars: 0,
            items: 1,
            at: now,
        });
        drawn.service += nanos(decision.latency);
        match decision.failure {
            None => {}
            Some(Failure::Timeout { after_ms }) => {
                drawn.service = (after_ms.clamp(0.0, 86_400_000.0) * 1e6) as Nanos;
            }
            Some(Failure::Hang { .. }) => visit.hangs = true,
            Some(Failure::Status {
                code,
                retry_after_s,
                ..
            }) => {
                let failed = Failed::new(Cause::Injected).with_status(code);
                let retry_after = retry_after_s.map(|wait| Duration::from_secs(wait.into()));
                visit.injected = Some(Failed {
                    retry_after,
                    ..failed
                });
            }
            Some(_) => visit.injected = Some(Failed::new(Cause::Injected)),
        }
    }
}
