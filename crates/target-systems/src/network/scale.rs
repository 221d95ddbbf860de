//! Adds and removes instances.

use super::Network;
use super::event::{Class, What};
use super::machine::{Machine, State};
use super::nanos;
use super::unit::Post;
use std::time::Duration;

impl Network {
    /// Sets the target number of instances of a host; added ones accept work after `start`.
    pub(super) fn scale(&mut self, host: usize, wanted: usize, start: Duration) {
        let wanted = wanted.max(1);
        self.domains[host].wanted = wanted;
        self.remove_above(host, wanted);
        for machine in 0..wanted {
            self.want(host, machine, start);
        }
        self.domains[host].set_slowdown(&self.loaded.plan.hosts[host]);
    }

    fn remove_above(&mut self, host: usize, wanted: usize) {
        for one in self.domains[host].machines.iter_mut().skip(wanted) {
            one.state = State::Off;
        }
    }

    fn want(&mut self, host: usize, machine: usize, start: Duration) {
        let now = self.now;
        let up_at = now.saturating_add(nanos(start));
        let state = if start.is_zero() {
            State::Up
        } else {
            State::Starting { up_at }
        };
        let rules = &self.loaded.plan.hosts[host];
        let machines = &mut self.domains[host].machines;
        match machines.get_mut(machine) {
            None => {
                machines.push(Machine::new(rules, self.loaded.plan.ageing, state, now));
                for (unit, component) in self.units.iter_mut().zip(&self.loaded.plan.components) {
                    if component.host == host {
                        unit.posts.push(Post::new(component));
                    }
                }
            }
            Some(one) if one.state == State::Off => one.state = state,
            Some(_) => return,
        }
        let life = self.domains[host].machines[machine].life;
        let (host, machine) = (host as u32, machine as u32);
        if start.is_zero() {
            self.became_up(host as usize, machine);
        } else {
            let what = What::Up {
                host,
                machine,
                life,
            };
            self.schedule(up_at, Class::Departure, what);
        }
    }

    fn became_up(&mut self, host: usize, machine: u32) {
        self.press(host, machine);
        for component in 0..self.units.len() {
            if self.loaded.component(component).host == host {
                self.dispatch(component, machine);
            }
        }
    }

    /// Decides on the number of instances of a host by its CPU utilisation since the last decision.
    pub(super) fn autoscale(&mut self, host: usize) {
        let rules = &self.loaded.plan.hosts[host];
        let domain = &mut self.domains[host];
        domain.scaling = false;
        let Some(scale) = rules.autoscale else {
            return;
        };
        let (work_before, since) = domain.last_scaled;
        let work_s = domain.work_s(self.now);
        domain.last_scaled = (work_s, self.now);
        let passed_s = self.now.saturating_sub(since) as f64 * 1e-9;
        let up = domain.up();
        // Without a limit of cores their utilisation is undefined.
        let cores = rules.cpu_cores.unwrap_or(f64::INFINITY) * up as f64;
        let used = (work_s - work_before) / (passed_s * cores);
        let wanted = if up == 0 || !used.is_finite() {
            domain.wanted
        } else {
            // A rounding error must not add an instance.
            (up as f64 * used / scale.target_cpu - 1e-9).ceil() as usize
        };
        let wanted = wanted.clamp(scale.min, scale.max);
        self.plan_autoscale(host);
        if wanted != self.domains[host].wanted {
            self.scale(host, wanted, scale.start);
        }
    }

    /// Schedules the next decision, if autoscaling is on.
    pub(super) fn plan_autoscale(&mut self, host: usize) {
        let domain = &mut self.domains[host];
        let Some(scale) = self.loaded.plan.hosts[host].autoscale else {
            return;
        };
        if domain.scaling {
            return;
        }
        domain.scaling = true;
        domain.last_scaled = (domain.work_s(self.now), self.now);
        let at = self.after(scale.every);
        let host = host as u32;
        self.schedule(at, Class::Change, What::Autoscale { host });
    }
}
