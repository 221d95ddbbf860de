//! Problems that can be detected before a run: limits of this machine, its clock, the folder for results.
//! `sparring doctor` shows all results; a run warns of those that concern it.

mod clock;
pub mod folder;
mod limits;

pub use clock::skew;
pub use limits::TooFewDescriptors;

use std::path::Path;

use crate::plan::{Plan, PlannedTest};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The subject, such as `ports`.
    pub about: &'static str,
    pub is_problem: bool,
    /// The result in one line.
    pub said: String,
    /// The remedy for a problem, if the line does not already state it.
    pub fix: Option<String>,
}

impl Finding {
    pub fn sound(about: &'static str, said: impl Into<String>) -> Self {
        Self {
            about,
            is_problem: false,
            said: said.into(),
            fix: None,
        }
    }

    pub fn problem(about: &'static str, said: impl Into<String>) -> Self {
        Self {
            is_problem: true,
            ..Self::sound(about, said)
        }
    }

    #[must_use]
    pub fn fixed_by(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// The line with its remedy.
    pub fn line(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}; {fix}", self.said),
            None => self.said.clone(),
        }
    }
}

/// The load of a run in terms of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The maximum number of concurrent users, or arrivals per second: each may hold a connection.
    pub users: u64,
    /// The target runs in this process, which then has both ends of each connection.
    pub is_served_here: bool,
    /// The target has a loopback address, which is reachable from all loopback addresses.
    pub is_loopback: bool,
}

impl Load {
    /// This number of users of a service elsewhere.
    pub const fn of(users: u64) -> Self {
        Self {
            users,
            is_served_here: false,
            is_loopback: false,
        }
    }

    /// Ends of connections in this process.
    const fn ends(self) -> u64 {
        if self.is_served_here {
            self.users * 2
        } else {
            self.users
        }
    }
}

/// Checks this machine and the folder for results.
pub fn machine(load: Load, results: &Path) -> Vec<Finding> {
    vec![
        limits::descriptors(load),
        limits::local_ports(load),
        clock::finding(),
        folder::finding(results),
    ]
}

/// The maximum number of concurrent users, or arrivals per second, in a plan.
pub fn most_users(plan: &Plan) -> u64 {
    plan.tests.iter().map(users).max().unwrap_or(0)
}

/// The warning for a plan whose users need more than their share of the files that this process may open.
pub fn files_of(plan: &Plan, is_served_here: bool) -> Option<String> {
    let load = Load {
        is_served_here,
        ..Load::of(most_users(plan))
    };
    let found = limits::descriptors(load);
    found.is_problem.then(|| found.line())
}

fn users(test: &PlannedTest) -> u64 {
    let phases = test.phases.iter().map(crate::plan::PlannedPhase::level);
    let searched = test.search.iter().map(|search| search.until);
    let most = phases.chain(searched).fold(0.0, f64::max).ceil() as u64;
    most.max(test.sampling_users())
}

/// Checks that the machine is prepared for the parts that need it. Shortages for other parts are only
/// warnings.
///
/// # Errors
/// A part needs more connections than this process may open.
pub fn prepared(plan: &Plan, is_served_here: bool) -> Result<(), TooFewDescriptors> {
    let mut full = plan.tests.iter().filter(|test| test.full);
    full.try_for_each(|test| {
        let load = Load {
            is_served_here,
            ..Load::of(users(test))
        };
        limits::kept(&test.label(), load)
    })
}

/// The local addresses from which this number of users connects to a target on this machine, as k6's `localIPs`; `None`
/// if the ports of one address are enough.
pub fn loopback_addresses(users: u64) -> Option<String> {
    match limits::addresses(users) {
        1 => None,
        count => Some(format!("127.0.0.1-127.0.0.{}", count.min(254))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    fn most(suite: &str, test: &str) -> u64 {
        let file = built_in(suite).expect("a built-in suite").expect("sound");
        let selection = Selection {
            tests: vec![test.to_owned()],
            ..Selection::default()
        };
        most_users(&plan(&file, &selection, &|_| None).expect("a plan"))
    }

    #[test]
    fn the_largest_level_of_a_plan_counts() {
        assert_eq!(most("orchestrator", "smoke"), 5);
        assert_eq!(most("aiaas", "throughput"), 10_000, "sockets");
        assert!(most("acis", "breakpoint") > most("acis", "smoke"));
    }

    #[test]
    fn a_line_ends_with_its_remedy() {
        let problem = Finding::problem("disk", "it is full").fixed_by("make room");
        assert_eq!(problem.line(), "it is full; make room");
        assert_eq!(
            Finding::sound("disk", "there is room").line(),
            "there is room"
        );
    }
}
