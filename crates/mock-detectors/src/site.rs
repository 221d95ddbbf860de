//! One detector with its routes, before it listens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::middleware::from_fn;
use fault_profile::listener::Admin;
use hyper::body::Incoming;
use hyper::{Request, Response};
use simulated_server::Timer;
use simulated_server::admin::take_in;
use tower::ServiceExt;

use crate::admin;
use crate::body::Body;
use crate::config::Config;
use crate::detector::Detector;
use crate::start_error::StartError;
use crate::tls::Tls;

/// A detector with its routes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) detector: Arc<Detector>,
    router: Router,
    pub(crate) tls: Option<Tls>,
    /// The admin API's own listener, if it has one.
    admin: Mutex<Option<std::net::TcpListener>>,
}

impl Site {
    /// A detector that will listen on `address`; its own admin port is bound at once.
    pub(crate) fn new(
        config: Config,
        timer: Timer,
        address: SocketAddr,
    ) -> Result<Self, StartError> {
        let admin = match config.listener.admin {
            Admin::Port(port) => Some(simulated_server::admin::bind(SocketAddr::new(
                address.ip(),
                port,
            ))?),
            Admin::SamePort | Admin::Off => None,
        };
        let detector = Arc::new(Detector::new(config, timer)?);
        let tls = Tls::of(&detector.listener)?;
        let authority = tls.as_ref().map(|tls| tls.authority_pem.clone());
        let router = admin::router(detector.clone(), authority).layer(from_fn(take_in::whole));
        Ok(Self {
            detector,
            router,
            tls,
            admin: Mutex::new(admin),
        })
    }

    /// The authority that signed the listener's certificate, if it has one.
    pub(crate) fn authority_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.authority_pem.as_str())
    }

    /// The address of the admin API, if it has its own port.
    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        let admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Everything that is not a detection call.
    pub(crate) async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let request = request.map(axum::body::Body::new);
        match self.router.clone().oneshot(request).await {
            Ok(response) => response.map(Body::Router),
            Err(never) => match never {},
        }
    }

    /// The admin API's own listener, for the server of the admin API.
    pub(crate) fn take_admin(&self) -> Option<std::net::TcpListener> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        admin.take()
    }
}
