//! What would spoil a run and can be seen before it begins: limits of this machine, its clock, the
//! folder for results. `sparring doctor` shows all of it; a run warns of what it would meet.

mod clock;
pub mod folder;
mod limits;

pub use clock::skew;

use std::path::Path;

use crate::plan::Plan;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In a word, such as `ports`.
    pub about: &'static str,
    pub is_problem: bool,
    /// What was found, in one line.
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

/// Looks at this machine and at the folder for results, for a load of at most `users` at a time.
pub fn machine(users: u64, results: &Path) -> Vec<Finding> {
    vec![
        limits::descriptors(users),
        limits::local_ports(users),
        clock::finding(),
        folder::finding(results),
    ]
}

/// The most users at a time, or arrivals per second, in a plan: each may hold a connection.
pub fn most_users(plan: &Plan) -> u64 {
    let tests = plan.tests.iter();
    let most = tests.map(|test| {
        let phases = test.phases.iter().map(crate::plan::PlannedPhase::level);
        let searched = test.search.iter().map(|search| search.until);
        phases.chain(searched).fold(0.0, f64::max)
    });
    most.fold(0.0, f64::max).ceil() as u64
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
