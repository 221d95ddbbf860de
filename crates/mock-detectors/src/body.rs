//! Response bodies: whole, from the admin API, or played step by step.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use simulated_server::{Sleep, Timer};

use crate::raw::Plan;
use crate::takeover::Takeover;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response body.
#[derive(Debug)]
pub(crate) enum Body {
    Full(Option<Bytes>),
    Router(axum::body::Body),
    Played(Box<Played>),
}

/// A step of a played body.
#[derive(Debug)]
pub(crate) enum Part {
    Data(Bytes),
    Pause(Duration),
    /// The end of the body.
    Hang,
    /// The connection is taken over from HTTP.
    TakeOver(Arc<Takeover>, Plan),
}

/// A body that is played part by part.
#[derive(Debug)]
pub(crate) struct Played {
    parts: VecDeque<Part>,
    timer: Timer,
    sleep: Option<Sleep>,
    /// Declared as `Content-Length`; `None` declares nothing.
    pub(crate) length: Option<u64>,
}

impl Played {
    pub(crate) fn new(timer: Timer, parts: impl Into<VecDeque<Part>>, length: Option<u64>) -> Self {
        Self {
            parts: parts.into(),
            timer,
            sleep: None,
            length,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if Pin::new(sleep).poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Part::Pause(time)) => {
                    self.sleep = Some(self.timer.sleep_until(Instant::now() + time));
                }
                Some(Part::Hang) => {
                    self.parts.push_front(Part::Hang);
                    return Poll::Pending;
                }
                Some(Part::TakeOver(takeover, plan)) => {
                    takeover.take(plan);
                    self.parts.push_front(Part::Hang);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Router(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Played(played) => played.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Router(body) => body.is_end_stream(),
            Self::Played(played) => played.parts.is_empty() && played.sleep.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Router(body) => body.size_hint(),
            Self::Played(played) => played
                .length
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Full(Some(bytes.into()))
    }
}
