//! Events of the stations that visits share.

use super::Network;
use super::event::{Class, Nanos, Resource, What};

impl Network {
    /// Schedules an event for the next completed job of a station, unless an earlier one is already
    /// scheduled.
    pub(super) fn expect(&mut self, host: usize, machine: u32, resource: Resource) {
        let one = &mut self.domains[host].machines[machine as usize];
        let (next, scheduled) = match resource {
            Resource::Cpu => (one.cpu.next(), &mut one.cpu.scheduled),
            Resource::Disk => (one.disk.next(), &mut one.disk.scheduled),
            Resource::Link => (one.link.next(), &mut one.link.scheduled),
        };
        let Some(at) = next.filter(|at| scheduled.is_none_or(|earlier| *at < earlier)) else {
            return;
        };
        *scheduled = Some(at);
        let host = host as u32;
        let what = What::Station {
            host,
            machine,
            resource,
        };
        self.schedule(at, Class::Departure, what);
    }

    pub(super) fn station_done(
        &mut self,
        host: usize,
        machine: u32,
        resource: Resource,
        at: Nanos,
    ) {
        let one = &mut self.domains[host].machines[machine as usize];
        let scheduled = match resource {
            Resource::Cpu => &mut one.cpu.scheduled,
            Resource::Disk => &mut one.disk.scheduled,
            Resource::Link => &mut one.link.scheduled,
        };
        if *scheduled != Some(at) {
            return;
        }
        *scheduled = None;
        loop {
            let one = &mut self.domains[host].machines[machine as usize];
            let done = match resource {
                Resource::Cpu => one.cpu.pop(at),
                Resource::Disk => one.disk.pop(at),
                Resource::Link => one.link.pop(at),
            };
            match done {
                Some(task) => self.wake(task),
                None => return self.expect(host, machine, resource),
            }
        }
    }

    pub(super) fn expect_service(&mut self, component: usize, machine: u32) {
        let post = &mut self.units[component].posts[machine as usize];
        let Some(service) = &mut post.service else {
            return;
        };
        let scheduled = service.scheduled;
        let Some(at) = service
            .next()
            .filter(|at| scheduled.is_none_or(|one| *at < one))
        else {
            return;
        };
        service.scheduled = Some(at);
        let component = component as u32;
        let what = What::Service { component, machine };
        self.schedule(at, Class::Departure, what);
    }

    pub(super) fn service_done(&mut self, component: usize, machine: u32, at: Nanos) {
        loop {
            let post = &mut self.units[component].posts[machine as usize];
            let Some(service) = &mut post.service else {
                return;
            };
            if service.scheduled == Some(at) {
                service.scheduled = None;
            }
            match service.pop(at) {
                Some(task) => self.wake(task),
                None => return self.expect_service(component, machine),
            }
        }
    }
}
