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

/// Init code that changes more shared objects than this changes its data: to share that would cost each
/// VU more than it saves, for what a VU has changed it takes along at each switch.
const MANY_CHANGED: usize = 64;

/// A script that was compiled and whose options are known.
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
    /// A syntax error, an import that cannot be had, or an exception of the init code, with its text
    /// as k6 logs it.
    pub async fn load(
        source: Source,
        registry: Arc<Registry>,
        logger: Logger,
    ) -> Result<Self, ScriptError> {
        let script = Arc::new(Script::new(source));
        let notice = logger.clone();
        let context = VuContext {
            ids: VuIds::default(),
            recorder: Recorder::new(registry, RecorderConfig::default()),
            run: Arc::new(RunState::new(Arc::new(Options::default()))),
            logger,
            interrupt: Interrupt::new(),
        };
        let mut first = ScriptVu::new(context, Arc::clone(&script)).await?;
        let (options, functions) = first.describe().await?;
        if first.changed_objects() > MANY_CHANGED {
            script.keep_literals_apart();
        }
        drop(first);
        script.seal();
        if has_domains(&options) {
            notice.warn(
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
    /// Whether a run with these options can have what it asks of the network.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(options: &Options) -> Result<(), String> {
        crate::http::check(options)
    }

    /// The URL of the script, and everything that its init code has read, by URL, itself included.
    pub fn collected(&self) -> (String, BTreeMap<String, Vec<u8>>) {
        (self.script.entry().to_owned(), self.script.collected())
    }
}

/// Whether client certificates are meant for some domains only, which neither k6 nor we look at.
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
