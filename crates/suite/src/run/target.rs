//! What is tested, as the runner sees it.

use super::admin::Admin;
use crate::drill;

/// A started target. The binary implements it for what it can start, and for services elsewhere.
pub trait Target: Sync {
    /// What reports call it: the system's name, or the URL of a service.
    fn name(&self) -> &str;

    /// URL without a path, such as `http://127.0.0.1:8000`.
    fn base_url(&self) -> &str;

    /// Whether its figures are those of a simulation.
    fn is_simulated(&self) -> bool;

    /// The admin API of a simulated system; `None` where there is none.
    fn admin(&self) -> Option<&Admin>;

    /// What drills change and ask; `None` where no mock detectors are within reach.
    fn drilled(&self) -> Option<&drill::Target>;

    /// A reason why it does not run any more; `None` while it does.
    fn broken(&self) -> Option<String>;
}
