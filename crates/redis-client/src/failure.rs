//! The reason why a command has no reply, in the words of go-redis.

/// The reason why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The key or the element does not exist.
    #[error("redis: nil")]
    Nil,
    /// An error of the server, with its text.
    #[error("{0}")]
    Server(String),
    /// The connection failed.
    #[error("{0}")]
    Connection(String),
    /// A step exceeded its time limit.
    #[error("{0}")]
    Late(String),
    /// The server did not answer the initial commands in time.
    #[error("i/o timeout")]
    NoGreeting,
    /// The caller refuses to connect to this address.
    #[error("{0}")]
    Refused(String),
    /// All connections were in use for too long.
    #[error("redis: connection pool timeout")]
    PoolTimeout,
    /// The reply is not of the command's type.
    #[error("{0}")]
    Reply(String),
    /// No sentinel knows the master.
    #[error("redis: all sentinels specified in configuration are unreachable")]
    Sentinels,
    /// No node of the cluster serves the key.
    #[error("redis: cluster has no nodes")]
    NoNodes,
}

/// The address of another node that has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The key has moved for good.
    Moved(String),
    /// Only this command is sent to the other node.
    Ask(String),
}

impl Failure {
    /// Whether the command may be sent again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Late(_) => true,
            Self::Server(text) => {
                let passing = ["LOADING ", "READONLY ", "CLUSTERDOWN ", "TRYAGAIN "];
                text == "ERR max number of clients reached"
                    || passing.iter().any(|word| text.starts_with(word))
            }
            _ => false,
        }
    }

    /// Whether the connection can carry no further command. A connection to a read-only
    /// server is closed, since its name may now refer to another server.
    pub(crate) fn spoils_connection(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Server(text) => text.starts_with("READONLY "),
            _ => true,
        }
    }

    /// The node that the server sends the command to.
    pub(crate) fn redirect(&self) -> Option<Redirect> {
        let Self::Server(text) = self else {
            return None;
        };
        let address = || text.rsplit(' ').next().unwrap_or_default().to_owned();
        match text.split(' ').next() {
            Some("MOVED") => Some(Redirect::Moved(address())),
            Some("ASK") => Some(Redirect::Ask(address())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_names_the_node() {
        let check = |text: &str, expected: Option<Redirect>| {
            assert_eq!(Failure::Server(text.to_owned()).redirect(), expected);
        };
        check(
            "MOVED 866 10.0.0.1:7001",
            Some(Redirect::Moved("10.0.0.1:7001".to_owned())),
        );
        check("ASK 866 h:1", Some(Redirect::Ask("h:1".to_owned())));
        check("ERR unknown command", None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let check = |failure: Failure, expected: bool| {
            assert_eq!(failure.may_pass(), expected, "{failure}");
        };
        check(Failure::Connection("EOF".to_owned()), true);
        check(Failure::Refused("ip is blacklisted".to_owned()), false);
        check(Failure::Nil, false);
        check(Failure::PoolTimeout, false);
        check(Failure::Server("LOADING Redis is loading".to_owned()), true);
        check(Failure::Server("WRONGTYPE Operation".to_owned()), false);
    }
}
