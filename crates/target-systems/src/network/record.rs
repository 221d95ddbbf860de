//! The record of a visit.

use std::time::Duration;

use super::event::Nanos;
use super::outcome::Failed;
use super::slab::Id;
use super::task::{Frame, MAX_RECORDS, Stage, Visit, VisitRecord};
use super::{Detail, Network};

impl Network {
    pub(super) fn record(&mut self, id: Id, failure: Option<&Failed>) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let Some(Frame::Visit(mut visit)) = task.frames.pop() else {
            return;
        };
        self.push_record(id, &visit, failure);
        visit.recorded = true;
        self.push_frame(id, Frame::Visit(visit));
    }

    pub(super) fn push_record(&mut self, id: Id, visit: &Visit, failure: Option<&Failed>) {
        if self.detail == Detail::Totals {
            return;
        }
        let request = self.request_of(id);
        let now = self.now;
        let Some(request) = self.requests.get_mut(request) else {
            return;
        };
        if request.answered || request.visits.len() >= MAX_RECORDS {
            request.omitted += 1;
            return;
        }
        let record = record_of(visit, now, failure);
        request.visits.push(record);
    }
}

/// The consumption of a visit; for a failed one, that of the completed stages.
fn record_of(visit: &Visit, now: Nanos, failure: Option<&Failed>) -> VisitRecord {
    let over = |stage: Stage, time: Nanos| if visit.stage > stage { time } else { 0 };
    let cpu = over(Stage::Disk, visit.drawn.cpu);
    let disk = over(Stage::Link, visit.disk);
    let network = over(Stage::Service, visit.link);
    let service = match visit.stage {
        Stage::Done | Stage::Close => now - visit.service_at,
        _ => 0,
    };
    let elapsed = now - visit.entered;
    VisitRecord {
        component: visit.call.component as u32,
        operation: visit.call.operation as u32,
        instance: visit.machine,
        queued: Duration::from_nanos(elapsed.saturating_sub(cpu + disk + network + service)),
        cpu: Duration::from_nanos(cpu),
        disk: Duration::from_nanos(disk),
        network: Duration::from_nanos(network),
        service: Duration::from_nanos(service),
        error_type: failure.map(|failed| failed.cause.name().into()),
    }
}
