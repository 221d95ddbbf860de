//! A script as the engine's program.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use load_engine::log::Logger;
use load_engine::options::Options;
use load_engine::{Interrupt, RunState, ScriptError, VuContext, VuIds};
use load_metrics::{Recorder, RecorderConfig, Registry};
use serde_json::Value;

use crate::script::{Script, Source};
use crate::vu::ScriptVu;

/// When init code changes more shared objects than this, it changes its data. Sharing that data would cost each
/// VU more than it saves, since a VU takes its changes along at each switch.
const MANY_CHANGED: usize = 64;

/// A compiled script with known options.
pub struct ScriptProgram {
    script: Arc<Script>,
    options: Value,
    functions: HashSet<String>,
}

impl ScriptProgram {
    /// Compiles the script and runs its init code once, as VU 0. Its metrics go to `registry`, which
    /// the run must use too.
    ///
    /// # Errors
    /// A syntax error, an import that cannot be loaded, or an exception of the init code, with the text that k6
    /// logs.
    pub async fn load(
        source: Source,
        registry: Arc<Registry>,
        logger: Logger,
    ) -> Result<Self, ScriptError> {
        let script = Arc::new(Script::new(source));
        let context = || VuContext {
            ids: VuIds::default(),
            recorder: Recorder::new(Arc::clone(&registry), RecorderConfig::default()),
            run: Arc::new(RunState::new(Arc::new(Options::default()))),
            logger: logger.clone(),
            interrupt: Interrupt::new(),
        };
        let mut first = ScriptVu::new(context(), Arc::clone(&script)).await;
        while first.is_err() && script.begins_anew() {
            first = ScriptVu::new(context(), Arc::clone(&script)).await;
        }
        let mut first = first?;
        let (options, functions) = first.describe().await?;
        if first.changed_objects() > MANY_CHANGED {
            script.keep_literals_apart();
        }
        drop(first);
        script.seal();
        if has_domains(&options) {
            logger.warn(
                "tlsAuth.domains option could be removed in the next releases, it's recommended to leave it empty and let k6 automatically detect from the provided certificate. It follows the Go's NameToCertificate deprecation - https://pkg.go.dev/crypto/tls@go1.17#Config.",
            );
        }
        if functions.is_empty() {
            return Err(ScriptError::Unusable(
                "no exported functions in script".to_owned(),
            ));
        }
        Ok(Self {
            script,
            options,
            functions: functions.into_iter().collect(),
        })
    }
}

impl ScriptProgram {
    /// Checks the network settings of a run with these options.
    ///
    /// # Errors
    /// An error in them.
    pub fn check(options: &Options) -> Result<(), String> {
        http_client::check(&crate::network::tls(options))
    }

    /// The URL of the script, and everything that its init code has read, by URL, itself included.
    pub fn collected(&self) -> (String, BTreeMap<String, Vec<u8>>) {
        (self.script.entry().to_owned(), self.script.collected())
    }
}

/// Whether client certificates are restricted to domains, which is ignored here as in k6.
fn has_domains(options: &Value) -> bool {
    let all = options["tlsAuth"].as_array();
    all.into_iter().flatten().any(|one| {
        let domains = one["domains"].as_array();
        domains.is_some_and(|domains| !domains.is_empty())
    })
}

impl load_engine::Program for ScriptProgram {
    type Vu = ScriptVu;

    fn options(&self) -> Value {
        self.options.clone()
    }

    fn has_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    async fn make_vu(&self, context: VuContext) -> Result<ScriptVu, ScriptError> {
        ScriptVu::new(context, Arc::clone(&self.script)).await
    }
}
