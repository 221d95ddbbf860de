//! The command `run` as a function.

use load_outputs::Output;

use crate::args::Args;
use crate::driven::Driven;
use crate::report;
use crate::run_handle::RunHandle;
use crate::session;
use crate::surroundings::Surroundings;

/// Performs the whole command `run`: banner, progress, the run, its summary. Blocks the calling
/// thread, which must not be one of an asynchronous runtime.
pub fn drive(args: &Args, around: &Surroundings) -> Driven {
    drive_seen(args, around, Vec::new(), &RunHandle::default())
}

/// The same; the samples also go to these outputs, and `seen` shows the run in progress to other
/// threads.
pub fn drive_seen(
    args: &Args,
    around: &Surroundings,
    outputs: Vec<Box<dyn Output>>,
    seen: &RunHandle,
) -> Driven {
    match session::run(args, around, outputs, seen) {
        Ok(driven) => driven,
        Err(failure) => {
            report::failure(args, around, &failure);
            Driven::refused(failure.exit)
        }
    }
}
