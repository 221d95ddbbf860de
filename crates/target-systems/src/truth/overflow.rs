//! Users of a system whose scarcest component does not have space for all of them.
//!
//! Users who find it full fail at once and think again. With X requests per second that begin, the
//! component is M/M/c/K with the arrivals caused by X, and N users are X·(think time and time elsewhere)
//! plus the mean number in the component: one equation for X, whose right side grows with it. A failed
//! request skips the later steps, so that other resources are used less than by the mix alone.

use super::answer::{ClassLoad, Served, State};
use super::loaded::residence;
use super::open::steady;
use super::station::{self, Kind, Station};
use super::{Figure, demands};

/// The result.
pub(super) struct Overflow {
    pub load: Served,
    /// The demands of a successful request.
    pub spent: Vec<Station>,
}

/// Queue sizes from which on practically no request is rejected.
const PLENTY: f64 = 1e6;
/// Number of bisections of the interval of X.
const HALVINGS: usize = 100;

impl State<'_> {
    /// Users of one class, some of whom the scarcest component has to reject; `None` if it rejects none.
    pub(super) fn overflowing(&self, users: f64, throughput_per_s: f64) -> Option<Overflow> {
        let scarce = self.stations.first()?;
        let room = scarce.room.filter(|room| *room < PLENTY)?;
        if scarce.kind != Kind::Slots || !scarce.is_binding {
            return None;
        }
        let elsewhere = |per_s: f64| self.elsewhere_ms(scarce, per_s);
        let inside = users - throughput_per_s * elsewhere(throughput_per_s)? / 1_000.0;
        if inside <= room {
            return None;
        }
        let begun_per_s = self.begun(users, scarce, room)?;
        let offered = begun_per_s * scarce.own_ms() / 1_000.0;
        let lost = steady(offered, scarce.speed, Some(room))?.lost;
        Some(self.overflow(users, begun_per_s, scarce, lost))
    }

    /// Think time and time outside the scarce component.
    fn elsewhere_ms(&self, scarce: &Station, per_s: f64) -> Option<f64> {
        let mut time_ms = self.delay_ms(&self.parts[0]);
        let others = self.stations.iter().filter(|one| self.counts(one));
        for station in others.filter(|one| one.kind != scarce.kind || one.name != scarce.name) {
            time_ms += residence(station, per_s)?.response_ms;
        }
        Some(time_ms)
    }

    /// Requests per second that begin, including rejected ones.
    fn begun(&self, users: f64, scarce: &Station, room: f64) -> Option<f64> {
        let busy = |per_s: f64| {
            let elsewhere = self.elsewhere_ms(scarce, per_s)?;
            let offered = per_s * scarce.own_ms() / 1_000.0;
            let inside = steady(offered, scarce.speed, Some(room))?.inside;
            Some(per_s * elsewhere / 1_000.0 + inside)
        };
        let delay_ms = self.delay_ms(&self.parts[0]);
        let (mut least, mut most) = (0.0, users / delay_ms.max(1e-3) * 1_000.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(least, most);
            // If others are exhausted as well, there are more than enough.
            if busy(middle).is_none_or(|busy| busy > users) {
                most = middle;
            } else {
                least = middle;
            }
        }
        (least > 0.0).then_some(least)
    }

    fn overflow(&self, users: f64, begun_per_s: f64, scarce: &Station, lost: f64) -> Overflow {
        let plan = &self.system.plan;
        let place = plan
            .components
            .iter()
            .position(|one| *one.name == *scarce.name);
        let mut answered = 0.0;
        let mut spent = self.parts[0].demands.clone().scaled(0.0);
        for sample in &self.samples[0] {
            let one = demands(
                self.system,
                std::slice::from_ref(sample),
                &self.hits,
                &self.binding,
            );
            let visits = place.map_or(0.0, |place| one.components[place].visits) / sample.share;
            let passed = (1.0 - lost).powf(visits);
            answered += sample.share * passed;
            spent = spent.plus(&one.scaled(passed));
        }
        let throughput = begun_per_s * answered;
        let thinking = begun_per_s * self.parts[0].think_ms / 1_000.0;
        let in_flight = (users - thinking).max(0.0);
        let response_ms = Some(Figure::about(in_flight / throughput * 1_000.0));
        let load = Served {
            throughput_per_s: Figure::about(throughput),
            response_ms,
            in_flight: Some(Figure::about(in_flight)),
            refused_share: Figure::about(1.0 - answered),
            classes: vec![ClassLoad {
                mix: self.asking[0].mix.clone(),
                throughput_per_s: Figure::about(throughput),
                response_ms,
            }],
        };
        let spent = spent.scaled(1.0 / answered.max(1e-9));
        let spent = station::all(plan, &spent, &self.binding);
        Overflow { load, spent }
    }
}
