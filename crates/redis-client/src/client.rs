//! A client of a server, a cluster or a master behind sentinels.

use std::rc::Rc;

use redis::Value;

use super::cluster::Cluster;
use super::command::Command;
use super::connection::{Dial, Greeting};
use super::failure::Failure;
use super::node::Node;
use super::options::{Login, Options, Reads, Servers};
use super::pool::{Address, Pool};
use super::sentinels::Sentinels;

/// A client. It connects when the first command is sent.
pub struct Client(Way);

enum Way {
    Node(Node),
    Cluster(Cluster),
}

/// The factory for the nodes of a client.
pub(crate) struct Maker {
    dial: Dial,
    options: Options,
}

impl Client {
    /// A client with these settings.
    pub fn new(options: Options, dial: Dial) -> Self {
        let maker = Maker { dial, options };
        Self(match maker.options.servers.clone() {
            Servers::Single(address) => Way::Node(maker.node(Address::Fixed(address.into()))),
            Servers::Cluster { nodes, routing } => {
                Way::Cluster(Cluster::new(maker, nodes, routing))
            }
            Servers::Sentinels {
                addresses,
                master,
                username,
                password,
            } => {
                let login = Login {
                    username,
                    password,
                    ..Login::default()
                };
                let sentinels = Sentinels {
                    addresses,
                    master,
                    greeting: Greeting {
                        login,
                        reads_replicas: false,
                    },
                    timeouts: maker.options.timeouts,
                };
                Way::Node(maker.node(Address::Master(Rc::new(sentinels))))
            }
        })
    }

    /// Sends a command and waits for its reply. An empty reply is [`Failure::Nil`].
    ///
    /// # Errors
    /// There is no reply; the error states the reason.
    pub async fn send(&self, command: &Command) -> Result<Value, Failure> {
        match &self.0 {
            Way::Node(node) => node.send(command).await,
            Way::Cluster(cluster) => cluster.send(command).await,
        }
    }
}

impl Maker {
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// A node at this address.
    pub(crate) fn node(&self, address: Address) -> Node {
        let is_cluster = matches!(self.options.servers, Servers::Cluster { .. });
        let mut login = self.options.login.clone();
        let mut backoff = self.options.backoff;
        if is_cluster {
            // A cluster has only one database, and its client does the retries itself.
            login.database = 0;
            backoff.retries = 0;
        }
        let greeting = Greeting {
            login,
            reads_replicas: self.reads_replicas(),
        };
        let pool = Pool::new(Rc::clone(&self.dial), address, greeting, &self.options);
        Node::new(pool, backoff)
    }

    fn reads_replicas(&self) -> bool {
        match &self.options.servers {
            Servers::Cluster { routing, .. } => routing.reads != Reads::Master,
            _ => false,
        }
    }
}
