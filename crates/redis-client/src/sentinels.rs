//! Sentinels: servers that know the address of the master.

use redis::Value;

use super::command::Command;
use super::connection::{Connection, Dial, Greeting};
use super::failure::Failure;
use super::options::Timeouts;

/// The sentinels of a master.
pub(crate) struct Sentinels {
    pub(crate) addresses: Vec<String>,
    pub(crate) master: String,
    pub(crate) greeting: Greeting,
    pub(crate) timeouts: Timeouts,
}

impl Sentinels {
    /// The address of the master, from the first sentinel that knows it.
    pub(crate) async fn master(&self, dial: &Dial) -> Result<String, Failure> {
        for address in &self.addresses {
            match self.ask(dial, address).await {
                Ok(master) => return Ok(master),
                Err(refused @ Failure::Refused(_)) => return Err(refused),
                Err(_) => {}
            }
        }
        Err(Failure::Sentinels)
    }

    async fn ask(&self, dial: &Dial, address: &str) -> Result<String, Failure> {
        let connection = Connection::open(dial, address, &self.greeting, &self.timeouts);
        let question = Command::new("sentinel")
            .arg("get-master-addr-by-name")
            .arg(&self.master);
        let reply = connection.await?.send(&question).await?;
        let text = |value: &Value| match value {
            Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        };
        let parts = match &reply {
            Value::Array(parts) => parts.iter().map(text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match parts.as_deref() {
            Some([host, port]) if host.contains(':') => Ok(format!("[{host}]:{port}")),
            Some([host, port]) => Ok(format!("{host}:{port}")),
            _ => Err(Failure::Reply(format!("a sentinel answers with {reply:?}"))),
        }
    }
}
