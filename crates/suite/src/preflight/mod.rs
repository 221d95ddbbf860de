//! Problems that can be detected before a run: limits of this machine, its clock, the
//! folder for results. `sparring doctor` shows all of it; a run warns of what it would meet.

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
    /// What to do about a problem, where the line does not already say it.
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

/// The connections of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The most users at a time, or arrivals per second: each may hold a connection.
    pub users: u64,
    /// The target runs in this process, which then has both ends of each connection.
    pub is_served_here: bool,
    /// The target is at an address of the loopback network, which is reached from all of them.
    pub is_loopback: bool,
}

impl Load {
    /// So many users of a service elsewhere.
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

/// Looks at this machine and at the folder for results.
pub fn machine(load: Load, results: &Path) -> Vec<Finding> {
    vec![
        limits::descriptors(load),
        limits::local_ports(load),
        clock::finding(),
        folder::finding(results),
    ]
}

/// The most users at a time, or arrivals per second, in a plan.
pub fn most_users(plan: &Plan) -> u64 {
    plan.tests.iter().map(users).max().unwrap_or(0)
}

/// Said of a plan whose users need more than their share of the open files that this process may have.
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

/// Whether the parts that need a prepared machine have one. What others lack is only warned of.
///
/// # Errors
/// A part keeps more connections than this process may open.
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

/// The local addresses that so many users of a target on this machine connect from, as k6's `localIPs`; `None` where the
/// ports of one are enough.
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
