//! One connection: HTTP on it, until it ends or a fault takes the socket away from HTTP.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use service_runtime::Shutdown;
use tokio::sync::Notify;

use crate::body::{Body, BoxError};
use crate::handler;
use crate::lent::Home;
use crate::raw::{self, Plan};
use crate::server::{Site, Tasks};
use crate::stream::Stream;

/// Where a request's fault asks for the socket of its connection.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    asked: AtomicBool,
    plan: Mutex<Option<Plan>>,
    /// Wakes the connection: with HTTP/2, requests run in tasks of their own.
    notify: Notify,
}

impl Takeover {
    /// Asks for the connection. The first plan wins.
    pub(crate) fn take(&self, plan: Plan) {
        let mut slot = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(plan);
        self.asked.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    fn plan(&self) -> Option<Plan> {
        if !self.asked.load(Ordering::Acquire) {
            return None;
        }
        self.plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// What a request needs to know of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) takeover: Arc<Takeover>,
    pub(crate) http2: bool,
}

/// Hands requests to the handler.
struct Requests {
    site: Arc<Site>,
    line: Line,
}

impl Service<hyper::Request<Incoming>> for Requests {
    type Response = hyper::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let site = self.site.clone();
        if handler::detects(&site.detector, &request) {
            Box::pin(handler::handle(&site, self.line.clone(), request))
        } else {
            Box::pin(async move { Ok(site.route(request).await) })
        }
    }
}

/// A connection of either version, driven the same way.
trait Drive: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

type Io = TokioIo<crate::lent::Lent>;

impl Drive for http1::Connection<Io, Requests> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl Drive for http2::Connection<Io, Requests, Tasks> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    site: Arc<Site>,
    stream: Stream,
    http2: bool,
    (tasks, stop): (Tasks, Shutdown),
) {
    let line = Line {
        takeover: Arc::default(),
        http2,
    };
    let home = Home::default();
    let io = TokioIo::new(home.lend(stream));
    let requests = Requests {
        site,
        line: line.clone(),
    };
    let plan = if http2 {
        let connection = http2::Builder::new(tasks).serve_connection(io, requests);
        drive(Box::pin(connection), &line, &stop).await
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .half_close(false)
            .serve_connection(io, requests);
        drive(Box::pin(connection), &line, &stop).await
    };
    let (Some(plan), Some(stream)) = (plan, home.take()) else {
        return;
    };
    // Boxed: connections that serve need no room for a fault.
    if let Err(error) = Box::pin(raw::carry_out(stream, plan, &stop)).await {
        tracing::debug!(%error, "the peer went away before the fault was complete");
    }
}

/// Drives HTTP until it ends (`None`) or the connection is taken over. Boxed: what an async
/// function is given lies in its future twice, and an HTTP connection is large.
async fn drive(mut connection: Pin<Box<impl Drive>>, line: &Line, stop: &Shutdown) -> Option<Plan> {
    let mut stopping = false;
    loop {
        // With HTTP/1 the handler runs inside this poll, so its plan is seen at once.
        let step = std::future::poll_fn(|context| {
            let ended = connection.as_mut().poll(context);
            match (line.takeover.plan(), ended) {
                (Some(plan), _) => Poll::Ready(Some(plan)),
                (None, Poll::Ready(result)) => {
                    if let Err(error) = result {
                        tracing::trace!(%error, "a connection ended with an error");
                    }
                    Poll::Ready(None)
                }
                (None, Poll::Pending) => Poll::Pending,
            }
        });
        tokio::select! {
            biased;
            plan = step => return plan,
            () = line.takeover.notify.notified() => {}
            () = stop.cancelled(), if !stopping => {
                connection.as_mut().finish();
                stopping = true;
            }
        }
    }
}
