//! The address of a mock detector's admin API.

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};

use fault_profile::listener::Admin;
use fleet::{Detector, Fleet};
use simulated_server::AdminClient;

use crate::fleet_names::find;

/// The admin API of a detector of the fleet: on the host of its endpoint, at the endpoint's port or a separate one,
/// or at `url`. Also returns the name of the detector.
///
/// # Errors
/// The detector or the host is unknown, or there is no admin API; the message says which.
pub fn client<'a>(
    fleet: &'a Fleet,
    wanted: &str,
    url: Option<&str>,
) -> Result<(&'a str, AdminClient), Box<dyn Error + Send + Sync>> {
    let (name, detector) = find(fleet, wanted)?;
    let address = match url {
        Some(url) => resolve(url.trim_start_matches("http://").trim_end_matches('/'))?,
        None => resolve(&authority(name, detector)?)?,
    };
    Ok((name, AdminClient::new(&address.to_string())))
}

/// Host and port of a detector's admin API.
///
/// # Errors
/// There is no reachable admin API; the message says why.
pub fn authority(name: &str, detector: &Detector) -> Result<String, String> {
    let endpoint = detector
        .authority()
        .ok_or_else(|| format!("{name} has no endpoint"))?;
    match detector.listener.admin {
        Admin::Off => Err(format!("the admin API of {name} is off (listener.admin)")),
        Admin::Port(port) => Ok(format!("{}:{port}", endpoint.0)),
        Admin::SamePort if detector.listener.tls_host.is_some() => Err(format!(
            "the admin API of {name} is served over its TLS; give it a separate port (listener.admin)"
        )),
        Admin::SamePort => Ok(format!("{}:{}", endpoint.0, endpoint.1)),
    }
}

fn resolve(authority: &str) -> Result<SocketAddr, String> {
    let found = authority.to_socket_addrs().map(|mut found| found.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(format!("{authority} has no address")),
        Err(error) => Err(format!("{authority} is not a host and port: {error}")),
    }
}
