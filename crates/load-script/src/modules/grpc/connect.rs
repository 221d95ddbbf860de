//! `client.connect`.

use std::rc::Rc;

use futures_util::FutureExt;
use grpc_client::channel::{Channel, Dial, Refusal, Settings, Wire};
use grpc_client::reflection;
use http_client::ClientCertificate;
use http_client::bare::{self, BareError, Target, TargetTls};
use http_client::client::Client as Network;
use script_engine::convert;
use script_engine::fiber;
use script_engine::native::Call;
use script_engine::throw::{Outcome, Throw, plain};

use super::client::{self, Link};
use super::connect_params::{ConnectParams, TlsParams};
use crate::vu::state::{Caller, VuState};

/// `client.connect(address, params)`
pub(super) fn connect<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let client = client::this(call)?;
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain(
            "connecting to a gRPC server in the init context is not supported",
        ));
    }
    let address = convert::go_string(&call.arg(0))?;
    let params = ConnectParams::read(&call.arg(1))?;
    let deadline = params.timeout.deadline();
    let target = target(vu, &address, &params)?;
    let settings = Settings {
        authority: authority(&address, &params),
        is_tls: !params.is_plaintext,
        user_agent: user_agent(vu),
        max_receive_bytes: params.max_receive_bytes,
        max_send_bytes: params.max_send_bytes,
    };
    let dial = dial(Rc::clone(&vu.client), target);
    let connecting = vu.wait(fiber::apart(|| Channel::connect(dial, settings, deadline)));
    let channel = connecting?.map_err(plain)?;
    client.set_link(Link {
        channel: Rc::clone(&channel),
        address: address.into(),
    });
    if params.reflects {
        let asking = || reflection::ask(&channel, &params.reflect_metadata, deadline);
        let schema = vu.wait(fiber::apart(asking))?;
        let schema = schema.map_err(|status| plain(format!("can't list services: {status}")))?;
        client.learn(&schema)?;
    }
    Ok(call.bool(true))
}

fn user_agent(vu: &VuState) -> String {
    let own = concat!("grpc-sparring/", env!("CARGO_PKG_VERSION"));
    match vu.run.options().user_agent.as_deref() {
        Some(agent) => format!("{agent} {own}"),
        None => own.to_owned(),
    }
}

/// The address without the scheme of a resolver.
fn endpoint(address: &str) -> &str {
    let schemes = ["dns:///", "passthrough:///"];
    let rest = schemes
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    rest.unwrap_or(address)
}

fn authority(address: &str, params: &ConnectParams) -> String {
    let own = params.authority.clone();
    own.unwrap_or_else(|| endpoint(address).to_owned())
}

/// The host and port of the address.
fn target(vu: &VuState, address: &str, params: &ConnectParams) -> Result<Target, Throw> {
    let (host, port) = split(endpoint(address)).map_err(|why| plain(not_dialed(&why)))?;
    let named = params
        .authority
        .as_deref()
        .and_then(|own| own.split(':').next());
    let tls = (!params.is_plaintext).then(|| TargetTls {
        config: tls_config(vu, &params.tls),
        server_name: named.unwrap_or(&host).to_owned(),
        needs_http2: true,
    });
    let target = Target { host, port, tls };
    bare::check(&vu.client, &target).map_err(|failure| {
        let why = failure.detail;
        match why.strip_prefix("tls: the option tlsAuth: ") {
            Some(why) => plain(format!("failed to append certificate from PEM: {why}")),
            None => plain(why),
        }
    })?;
    Ok(target)
}

fn tls_config(vu: &VuState, own: &TlsParams) -> http_client::TlsConfig {
    let mut config = crate::network::tls(vu.run.options());
    if let (Some(chain), Some(key)) = (&own.cert, &own.key) {
        config.client_certificates = vec![ClientCertificate {
            chain: chain.clone(),
            key: key.clone(),
            password: own.password.clone(),
        }];
    }
    config.roots.clone_from(&own.cacerts);
    config
}

/// Splits host and port; the error messages are Go's.
fn split(address: &str) -> Result<(String, u16), String> {
    if address.is_empty() {
        return Err("missing port in address".to_owned());
    }
    let wrong = |what: &str| format!("address {address}: {what}");
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| wrong("missing ']' in address"))?;
            let port = rest.strip_prefix(':');
            (host, port.ok_or_else(|| wrong("missing port in address"))?)
        }
        None => {
            let parts = address.rsplit_once(':');
            let (host, port) = parts.ok_or_else(|| wrong("missing port in address"))?;
            if host.contains(':') {
                return Err(wrong("too many colons in address"));
            }
            (host, port)
        }
    };
    let port = match port {
        "http" => 80,
        "https" => 443,
        digits => digits.parse().map_err(|_| wrong("invalid port"))?,
    };
    let host = if host.is_empty() { "localhost" } else { host };
    Ok((host.to_owned(), port))
}

fn not_dialed(why: &str) -> String {
    format!("connection error: desc = \"transport: error while dialing: {why}\"")
}

/// Makes the connections of a channel.
fn dial(network: Rc<Network>, target: Target) -> Dial {
    let target = Rc::new(target);
    Rc::new(move || {
        let (network, target) = (Rc::clone(&network), Rc::clone(&target));
        async move {
            match bare::open(&network, &target).await {
                Ok(wire) => Ok(Box::new(wire) as Box<dyn Wire>),
                Err(BareError::Dial(failure)) => Err(Refusal::Final(format!(
                    "transport: error while dialing: {}",
                    failure.detail
                ))),
                Err(BareError::Handshake(failure)) => Err(Refusal::Passing(format!(
                    "transport: authentication handshake failed: {}",
                    words(&failure)
                ))),
            }
        }
        .boxed_local()
    })
}

/// The message of the handshake itself; for one error the log text is about HTTP.
fn words(failure: &http_client::failure::Failure) -> &str {
    match failure.code {
        1301 => &failure.message,
        _ => &failure.detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        let check = |address: &str, expected: Result<(&str, u16), &str>| {
            let found = split(endpoint(address));
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found.map_err(String::as_str), expected, "{address}");
        };
        check("h:1", Ok(("h", 1)));
        check("dns:///h:https", Ok(("h", 443)));
        check("[::1]:50051", Ok(("::1", 50051)));
        check(":50051", Ok(("localhost", 50051)));
        check("", Err("missing port in address"));
        check("h", Err("address h: missing port in address"));
        check(
            "http://h:1",
            Err("address http://h:1: too many colons in address"),
        );
    }
}
