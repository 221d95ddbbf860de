//! Figures at a load: users with think time, or Poisson arrivals.

use super::answer::{ClassLoad, Part, Served, State, users_of};
use super::closed::{self, Class as ClosedClass, Solution};
use super::open::{Speed, Steady, steady};
use super::station::{Kind, Station};
use super::{Figure, Load};

impl State<'_> {
    /// The solution for users with think time, and the demands of a successful request if they differ from
    /// those of the mix.
    pub(super) fn users(&self) -> (Served, Option<Vec<Station>>) {
        let users: Vec<usize> = self.asking.iter().map(|one| users_of(one.load)).collect();
        let solution = self.closed(&users);
        let total: f64 = solution.throughput_per_s.iter().sum();
        let exact = solution.by_convolution
            && self.parts.iter().all(|part| part.demands.exact)
            && self
                .stations
                .iter()
                .filter(|one| self.counts(one))
                .all(|station| {
                    // Queues with a single server in a closed network need exponential times.
                    station.is_exact
                        && (station.kind == Kind::Cpu
                            || matches!(station.speed, Speed::Usl { .. })
                            || (station.scv - 1.0).abs() < 1e-9)
                });
        let mut classes = Vec::new();
        let mut inside = 0.0;
        for ((part, asking), (throughput, users)) in self
            .parts
            .iter()
            .zip(self.asking)
            .zip(solution.throughput_per_s.iter().zip(&users))
        {
            let response_ms = (*users as f64 / throughput * 1_000.0 - part.think_ms).max(0.0);
            inside += throughput * response_ms / 1_000.0;
            let figure = |value| Figure { value, exact };
            classes.push(ClassLoad {
                mix: asking.mix.clone(),
                throughput_per_s: figure(*throughput),
                response_ms: Some(figure(response_ms)),
            });
        }
        let limit = self.system.plan.edge.max_in_flight as f64;
        if let ([users], true) = (users.as_slice(), inside > limit) {
            return (self.refusing(*users as f64, limit), None);
        }
        if let [users] = users.as_slice()
            && let Some(overflow) = self.overflowing(*users as f64, total)
        {
            return (overflow.load, Some(overflow.spent));
        }
        let load = Served {
            throughput_per_s: Figure {
                value: total,
                exact,
            },
            response_ms: Some(Figure {
                value: inside / total * 1_000.0,
                exact,
            }),
            in_flight: Some(Figure {
                value: inside,
                exact,
            }),
            refused_share: Figure { value: 0.0, exact },
            classes,
        };
        (load, None)
    }

    /// More users than the edge admits: it is full, and rejected users think again. With M inside, N − M
    /// users send (N − M)/Z requests a second, of which the capacity is served.
    fn refusing(&self, users: f64, limit: f64) -> Served {
        let part = &self.parts[0];
        let inside = ClosedClass {
            users: limit as usize,
            delay_ms: self.delay_ms(part) - part.think_ms,
        };
        let stations = self.closed_stations();
        let served = closed::solve(&stations, &[inside]).throughput_per_s[0];
        let asked = (users - limit) / part.think_ms.max(1e-3) * 1_000.0;
        let throughput = served.min(asked);
        let response_ms = limit / throughput * 1_000.0;
        Served {
            throughput_per_s: Figure::about(throughput),
            response_ms: Some(Figure::about(response_ms)),
            in_flight: Some(Figure::about(limit)),
            refused_share: Figure::about((1.0 - throughput / asked).max(0.0)),
            classes: vec![ClassLoad {
                mix: self.asking[0].mix.clone(),
                throughput_per_s: Figure::about(throughput),
                response_ms: Some(Figure::about(response_ms)),
            }],
        }
    }

    fn closed(&self, users: &[usize]) -> Solution {
        let classes: Vec<ClosedClass> = self
            .parts
            .iter()
            .zip(users)
            .map(|(part, users)| ClosedClass {
                users: *users,
                delay_ms: self.delay_ms(part),
            })
            .collect();
        closed::solve(&self.closed_stations(), &classes)
    }

    /// Think time and the part of the response time without queues.
    pub(super) fn delay_ms(&self, part: &Part) -> f64 {
        let queued: f64 = part
            .stations
            .iter()
            .filter(|station| self.counts(station))
            .map(Station::alone_ms)
            .sum();
        part.think_ms + (part.demands.response_ms - queued).max(0.0)
    }

    fn closed_stations(&self) -> Vec<closed::Station> {
        self.stations
            .iter()
            .filter(|station| self.counts(station))
            .map(|station| closed::Station {
                speed: station.speed,
                demand_ms: self
                    .parts
                    .iter()
                    .map(|part| {
                        let same =
                            |one: &&Station| one.kind == station.kind && one.name == station.name;
                        part.stations.iter().find(same).map_or(0.0, Station::own_ms)
                    })
                    .collect(),
            })
            .collect()
    }

    /// Whether something is a station of the network: resources are, and holders that are exhausted before
    /// them.
    pub(super) fn counts(&self, station: &Station) -> bool {
        (station.is_resource() || station.is_binding) && station.own_ms() > 0.0
    }

    /// Poisson arrivals.
    pub(super) fn open(&self, per_s: f64) -> Served {
        let mix = self.asking[0].mix.clone();
        let part = &self.parts[0];
        let counted: Vec<&Station> = self
            .stations
            .iter()
            .filter(|one| self.counts(one))
            .collect();
        let mut exact = part.demands.exact;
        let mut response_ms = part.demands.response_ms;
        let mut passed = 1.0;
        for station in &counted {
            let Some(found) = residence(station, per_s) else {
                return self.overloaded(mix);
            };
            passed *= 1.0 - found.lost;
            response_ms += found.response_ms - station.alone_ms();
            // The departures of a queue that are not Poisson distort the arrivals of the next station; a
            // shared processor preserves them.
            exact &= station.is_exact
                && (found.lost == 0.0 || counted.len() == 1)
                && (station.kind == Kind::Cpu || station.visits <= 1.0 + 1e-9);
        }
        let queues = counted
            .iter()
            .filter(|one| one.kind != Kind::Cpu && (one.scv - 1.0).abs() > 1e-9);
        exact &= queues.count() <= 1;
        let throughput = Figure {
            value: per_s * passed,
            // Without rejections, departures equal arrivals.
            exact: exact || passed == 1.0,
        };
        Served {
            throughput_per_s: throughput,
            response_ms: Some(Figure {
                value: response_ms,
                exact,
            }),
            in_flight: Some(Figure {
                value: throughput.value * response_ms / 1_000.0,
                exact,
            }),
            refused_share: Figure {
                value: 1.0 - passed,
                exact,
            },
            classes: vec![ClassLoad {
                mix,
                throughput_per_s: throughput,
                response_ms: Some(Figure {
                    value: response_ms,
                    exact,
                }),
            }],
        }
    }

    /// The load exceeds the capacity: throughput is the capacity, and waiting has no mean.
    fn overloaded(&self, mix: String) -> Served {
        let capacity = Figure::about(self.capacity().unwrap_or(0.0));
        let asked = match self.asking[0].load {
            Load::Rate { per_s } => per_s,
            _ => capacity.value,
        };
        Served {
            throughput_per_s: capacity,
            response_ms: None,
            in_flight: None,
            refused_share: Figure::about((1.0 - capacity.value / asked).max(0.0)),
            classes: vec![ClassLoad {
                mix,
                throughput_per_s: capacity,
                response_ms: None,
            }],
        }
    }
}

/// The time of a request at a station.
pub(super) struct Residence {
    /// Service and waiting time.
    pub response_ms: f64,
    pub lost: f64,
}

/// The mean time at a station with Poisson arrivals at a rate; `None` if it is unbounded.
pub(super) fn residence(station: &Station, per_s: f64) -> Option<Residence> {
    let own_ms = station.own_ms();
    let offered = per_s * own_ms / 1_000.0;
    let room = station.room.filter(|room| *room < 1e6);
    let Steady {
        inside,
        waiting,
        lost,
        ..
    } = steady(offered, station.speed, room)?;
    let admitted = per_s * (1.0 - lost) / 1_000.0;
    if admitted <= 0.0 {
        return Some(Residence {
            response_ms: own_ms,
            lost,
        });
    }
    // Queues with sequential service have shorter waits if times vary less: Pollaczek and Khinchine's
    // formula for one server, Allen and Cunneen's for several.
    let is_shared = station.kind == Kind::Cpu || matches!(station.speed, Speed::Usl { .. });
    let variation = if is_shared {
        1.0
    } else {
        f64::midpoint(1.0, station.scv)
    };
    let inside = inside - waiting * (1.0 - variation);
    Some(Residence {
        response_ms: inside / admitted,
        lost,
    })
}
