//! `constant-vus`: VUs that iterate until the time is over.

use std::sync::Arc;

use super::Stand;
use crate::options::scenario::ConstantVus;
use crate::plan::scale;
use crate::source::{Seat, Source};

pub(super) async fn run(stand: &Stand, config: &ConstantVus) {
    let vus = scale(&stand.stripe(), config.vus.unwrap_or(1));
    let mut seats = Vec::new();
    let mut running = Vec::new();
    for _ in 0..vus {
        let seat = Arc::new(Seat::default());
        let source = Source::Seat(Arc::clone(&seat));
        running.push(stand.start(source, stand.interrupt.child_token()).await);
        seats.push(seat);
    }
    stand
        .finish(running, || seats.iter().for_each(|seat| seat.take_away()))
        .await;
}
