//! The stages of a visit: CPU, disk, link, service.

use super::Network;
use super::drawn::Drawn;
use super::event::{Class, Nanos, Resource, What};
use super::fifo::Load;
use super::slab::Id;
use super::task::{Flow, Frame, Place, Stage, Task, Usage};

impl Network {
    /// Moves the visit from stage to stage.
    pub(super) fn proceed(&mut self, id: Id) -> Flow {
        loop {
            let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
                return Flow::On;
            };
            let stage = visit.stage;
            visit.stage = match stage {
                Stage::Begin => Stage::Cpu,
                Stage::Cpu => Stage::Disk,
                Stage::Disk => Stage::Link,
                Stage::Link => Stage::Service,
                Stage::Service => Stage::Done,
                Stage::Done | Stage::Close => Stage::Close,
            };
            let waits = match stage {
                Stage::Begin => {
                    self.begin(id);
                    // This may have exhausted the memory, which takes precedence.
                    if !self.exceeded.is_empty() {
                        self.wake(id);
                        return Flow::Wait;
                    }
                    false
                }
                Stage::Cpu => self.take_cpu(id),
                Stage::Disk => self.take_disk(id),
                Stage::Link => self.take_link(id),
                Stage::Service => self.take_service(id),
                Stage::Done => return self.complete(id),
                Stage::Close => {
                    self.leave_visit(id);
                    return Flow::On;
                }
            };
            if waits {
                return Flow::Wait;
            }
        }
    }

    /// Called when the slot is available: draws the demands and the garbage.
    fn begin(&mut self, id: Id) {
        let now = self.now;
        let drawn = self.demands(id);
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return;
        };
        let (host, machine, component) = (visit.host, visit.machine, visit.call.component);
        visit.drawn = drawn;
        let domain = &mut self.domains[host];
        let slowdown = domain.slowdown;
        let one = &mut domain.machines[machine as usize];
        visit.disk = one.disk.service(drawn.disk);
        visit.link = one.link.service(link_load(drawn.link_bytes));
        visit.planned = drawn.cpu + visit.disk + visit.link + drawn.service;
        visit.service_at = now;
        if slowdown != 1.0 {
            let slow = |time: Nanos| (time as f64 * slowdown).round() as Nanos;
            visit.drawn.cpu = slow(drawn.cpu);
            visit.drawn.service = slow(drawn.service);
        }
        let allocates = drawn.allocate_kb > 0.0;
        one.memory.allocate(drawn.allocate_kb);
        if allocates {
            self.press(host, machine);
        }
        self.job_runs(id, component);
    }

    fn demands(&mut self, id: Id) -> Drawn {
        let facts = self.facts(id);
        let Some(task) = self.tasks.get(id) else {
            return Drawn::NOTHING;
        };
        let (Some(Frame::Visit(visit)), Some(request)) =
            (task.frames.last(), self.requests.get(task.request))
        else {
            return Drawn::NOTHING;
        };
        if let Usage::Batch { drawn, .. } = &visit.usage {
            return *drawn;
        }
        let mut drawn = Drawn::of(request.loaded.operation(visit.call), visit.root, &facts);
        if visit.call.component == self.loaded.edge {
            drawn.link_bytes += request.arrival.bytes as f64;
        }
        self.inject(id, &mut drawn);
        drawn
    }

    fn take_cpu(&mut self, id: Id) -> bool {
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return false;
        };
        let (host, machine, demand) = (visit.host, visit.machine, visit.drawn.cpu);
        if demand == 0 {
            return false;
        }
        let cpu = &mut self.domains[host].machines[machine as usize].cpu;
        cpu.join(self.now, id, demand);
        self.expect(host, machine, Resource::Cpu);
        self.rest(id, Place::Stage);
        true
    }

    fn take_disk(&mut self, id: Id) -> bool {
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return false;
        };
        let (host, machine, load) = (visit.host, visit.machine, visit.drawn.disk);
        let disk = &mut self.domains[host].machines[machine as usize].disk;
        if !disk.join(self.now, id, load) {
            return false;
        }
        self.expect(host, machine, Resource::Disk);
        self.rest(id, Place::Stage);
        true
    }

    fn take_link(&mut self, id: Id) -> bool {
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return false;
        };
        let (host, machine, bytes) = (visit.host, visit.machine, visit.drawn.link_bytes);
        let link = &mut self.domains[host].machines[machine as usize].link;
        if !link.join(self.now, id, link_load(bytes)) {
            return false;
        }
        self.expect(host, machine, Resource::Link);
        self.rest(id, Place::Stage);
        true
    }

    fn take_service(&mut self, id: Id) -> bool {
        let now = self.now;
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return false;
        };
        visit.service_at = now;
        if visit.hangs {
            self.rest(id, Place::Hang);
            return true;
        }
        let (component, machine) = (visit.call.component, visit.machine);
        let demand = visit.drawn.service;
        if demand == 0 {
            return false;
        }
        if let Some(service) = &mut self.units[component].posts[machine as usize].service {
            service.join(now, id, demand);
            self.expect_service(component, machine);
            self.rest(id, Place::Stage);
        } else {
            let wait = self.rest(id, Place::Stage);
            let at = now.saturating_add(demand);
            self.schedule(at, Class::Departure, What::Delay { task: id, wait });
        }
        true
    }
}

fn link_load(bytes: f64) -> Load {
    Load {
        operations: 0.0,
        bytes,
    }
}
