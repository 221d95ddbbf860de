//! Settings from the system around a script, besides `__ENV`.

use std::ffi::OsString;
use std::path::PathBuf;

use http_client::Environment;

/// Settings from environment variables. By default there are no proxies, and modules from the network are not
/// cached.
#[derive(Debug, Clone, Default)]
pub struct System {
    pub(crate) connections: Environment,
    /// The folder for modules from the network.
    pub(crate) modules: Option<PathBuf>,
}

impl System {
    /// Reads the variables that concern connections and the cache folder (`XDG_CACHE_HOME`, `HOME`).
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Self {
            modules: cache.map(|cache| cache.join("sparring").join("modules")),
            connections: Environment::read(variable),
        }
    }
}
