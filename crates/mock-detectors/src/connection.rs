//! One connection: HTTP on it, until it ends or a fault takes the socket over from HTTP.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use service_runtime::Shutdown;

use crate::body::{Body, BoxError};
use crate::handler;
use crate::lent::ReturnSlot;
use crate::raw::{self, Plan};
use crate::site::Site;
use crate::stream::Stream;
use crate::takeover::ConnectionHandle;
use crate::tasks::Tasks;

/// Passes requests to the handler.
struct Requests {
    site: Arc<Site>,
    handle: ConnectionHandle,
}

impl Service<hyper::Request<Incoming>> for Requests {
    type Response = hyper::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let site = self.site.clone();
        if handler::detects(&site.detector, &request) {
            Box::pin(handler::handle(
                &site.detector,
                self.handle.clone(),
                request,
            ))
        } else {
            Box::pin(async move { Ok(site.route(request).await) })
        }
    }
}

/// A connection of either version, driven the same way.
trait Drive: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

type Io = TokioIo<crate::lent::LentStream>;

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

/// The context of a connection.
pub(crate) struct Served {
    pub(crate) site: Arc<Site>,
    pub(crate) tasks: Tasks,
    pub(crate) stop: Shutdown,
}

impl Served {
    /// Serves a connection to its end.
    pub(crate) async fn serve(self, stream: Stream, http2: bool) {
        let Self { site, tasks, stop } = self;
        let handle = ConnectionHandle {
            takeover: Arc::default(),
            http2,
        };
        let home = ReturnSlot::default();
        let io = TokioIo::new(home.lend(stream));
        let requests = Requests {
            site,
            handle: handle.clone(),
        };
        let plan = if http2 {
            let connection = http2::Builder::new(tasks).serve_connection(io, requests);
            drive(Box::pin(connection), &handle, &stop).await
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(None)
                .half_close(false)
                .serve_connection(io, requests);
            drive(Box::pin(connection), &handle, &stop).await
        };
        let (Some(plan), Some(stream)) = (plan, home.take()) else {
            return;
        };
        // Boxed: connections without a fault need no room for one.
        if let Err(error) = Box::pin(raw::carry_out(stream, plan, &stop)).await {
            tracing::debug!(%error, "the peer disconnected before the fault was complete");
        }
    }
}

/// Drives HTTP until it ends (`None`) or the connection is taken over. Boxed: an argument of an async function
/// is in its future twice, and an HTTP connection is large.
async fn drive(
    mut connection: Pin<Box<impl Drive>>,
    handle: &ConnectionHandle,
    stop: &Shutdown,
) -> Option<Plan> {
    let mut stopping = false;
    loop {
        // With HTTP/1 the handler runs inside this poll, so its plan is seen at once.
        let step = std::future::poll_fn(|context| {
            let ended = connection.as_mut().poll(context);
            match (handle.takeover.plan(), ended) {
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
            () = handle.takeover.asked() => {}
            () = stop.cancelled(), if !stopping => {
                connection.as_mut().finish();
                stopping = true;
            }
        }
    }
}
