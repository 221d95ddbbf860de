//! `constant-vus`: VUs that iterate until the time is over.

use std::sync::Arc;

use super::ExecutorContext;
use crate::options::scenario::ConstantVus;
use crate::plan::scale;
use crate::source::{LoopSlot, Source};

pub(super) async fn run(context: &ExecutorContext, config: &ConstantVus) {
    let vus = scale(&context.stripe(), config.vus.unwrap_or(1));
    let mut slots = Vec::new();
    let mut running = Vec::new();
    for _ in 0..vus {
        let slot = Arc::new(LoopSlot::default());
        let source = Source::Slot(Arc::clone(&slot));
        running.push(context.start(source, context.interrupt.child_token()).await);
        slots.push(slot);
    }
    context
        .finish(running, || slots.iter().for_each(|slot| slot.take_away()))
        .await;
}
