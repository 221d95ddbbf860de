//! Authentication of requests: basic, digest and NTLM, with user and password from the URL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_client::client::Request;
use http_client::digest::{self, Challenge};
use http_client::ntlm;
use http_client::reply::Reply;

/// The responses that count as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expects {
    /// The statuses that the script expects.
    Usual,
    /// Only a request for authentication.
    Challenge,
    /// A request for authentication, or those that the script expects.
    ChallengeOrUsual,
}

/// The authentication of a request over several exchanges.
pub(super) struct Auth {
    scheme: Scheme,
    user: String,
    password: String,
    step: u32,
    expects: Expects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// The request already has all that is needed.
    Plain,
    Digest,
    Ntlm,
}

impl Auth {
    /// Starts with the header of the first request: basic credentials if the URL has some, but nothing for
    /// NTLM.
    pub(super) fn begin(name: &str, request: &mut Request) -> Self {
        let credentials = request.url.credentials();
        let scheme = match name {
            "digest" => Scheme::Digest,
            "ntlm" if credentials.is_some() => Scheme::Ntlm,
            _ => Scheme::Plain,
        };
        let is_given = request
            .headers
            .iter()
            .any(|(name, _)| name == "Authorization");
        request.authorization = match &credentials {
            Some((user, password)) if scheme != Scheme::Ntlm && !is_given => Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            )),
            _ => None,
        };
        let (user, password) = credentials.unwrap_or_default();
        if scheme == Scheme::Digest {
            request.url.drop_userinfo();
        }
        Self {
            scheme,
            user,
            password,
            step: 0,
            expects: Expects::Usual,
        }
    }

    /// The expectation for the last response.
    pub(super) fn expects(&self) -> Expects {
        self.expects
    }

    /// The header with which the request is sent again; `None` when the response is final.
    pub(super) fn answer(
        &mut self,
        reply: &Reply,
        request: &Request,
    ) -> Option<Result<String, String>> {
        let first = self.step == 0;
        self.expects = match self.scheme {
            Scheme::Digest if first => Expects::Challenge,
            Scheme::Ntlm if first => Expects::ChallengeOrUsual,
            _ => Expects::Usual,
        };
        if reply.status != 401 {
            return None;
        }
        self.step += 1;
        match self.scheme {
            Scheme::Plain => None,
            Scheme::Digest => first.then(|| self.digest(reply, request)),
            Scheme::Ntlm => self.ntlm(reply),
        }
    }

    fn digest(&self, reply: &Reply, request: &Request) -> Result<String, String> {
        let header = reply.header("www-authenticate").unwrap_or_default();
        let client_nonce = format!("{:032x}", rand::random::<u128>());
        let challenge = Challenge::parse(&header).map_err(|error| error.to_string())?;
        challenge
            .answer(&digest::Request {
                method: &request.method,
                target: &request.url.target,
                user: &self.user,
                password: &self.password,
                client_nonce: &client_nonce,
                count: 1,
            })
            .map_err(|error| error.to_string())
    }

    /// NTLM takes three requests: without a header, with the negotiation, with the response to the challenge.
    fn ntlm(&self, reply: &Reply) -> Option<Result<String, String>> {
        let offers: Vec<String> = reply
            .lines()
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .map(|(_, value)| value)
            .collect();
        let offer = |scheme: &str| {
            offers
                .iter()
                .find_map(|offer| offer.strip_prefix(scheme).map(str::trim))
        };
        let (scheme, token) = match (offer("NTLM"), offer("Negotiate")) {
            (Some(token), _) => ("NTLM", token),
            (None, Some(token)) => ("Negotiate", token),
            (None, None) => return None,
        };
        let (domain, user) = self.user.split_once('\\').unwrap_or(("", &self.user));
        let message = match (self.step, token) {
            (1, "") => Ok(ntlm::negotiate(domain)),
            (2, token) if !token.is_empty() => STANDARD
                .decode(token)
                .map_err(|error| format!("the server's NTLM challenge is not base64: {error}"))
                .and_then(|challenge| {
                    let login = ntlm::Login {
                        domain,
                        user,
                        password: &self.password,
                    };
                    ntlm::authenticate(&challenge, &login, rand::random())
                        .map_err(|error| error.to_string())
                }),
            _ => return None,
        };
        Some(message.map(|message| format!("{scheme} {}", STANDARD.encode(message))))
    }
}
