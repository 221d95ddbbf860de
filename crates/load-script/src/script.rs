//! A script and all its imports: read once, compiled once, shared by all VUs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use grpc_client::schema::Schema;
use http_client::network::Network;
use load_engine::log::Logger;
use load_engine::options::Options;
use script_engine::isolate::Settings;
use script_engine::memory::DEFAULT_BYTES;
use script_engine::throw::{Throw, plain};
use script_formats::imports;
use script_formats::shifts::Shifts;
use script_formats::source_map::SourceMap;

use crate::functions::FunctionTexts;
use crate::network;
use crate::open_error::OpenError;
use crate::secrets::Secrets;
use crate::source::{self, SourceError};
use crate::system::System;
use crate::wording::Code;

/// The maximum length of the text that [`Script::code_at`] returns, in characters.
const CODE_BEFORE: usize = 1000;
const CODE_AFTER: usize = 250;

/// The origin of a script, and its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The full path. A script from elsewhere has one, too, with the folder of the files that it opens.
    pub path: PathBuf,
    /// The URL of a script that is not a file: its address in the network, or [`Source::STANDARD_INPUT`].
    pub url: Option<String>,
    /// The text, if it was not read from `path`.
    pub text: Option<String>,
    /// The content of `__ENV`.
    pub environment: Vec<(String, String)>,
    /// Whether scripts cannot change it.
    pub freezes_environment: bool,
    /// The files of an archive by URL; with them, nothing is read from elsewhere.
    pub archived: Option<BTreeMap<String, Vec<u8>>>,
    /// The sources of `k6/secrets`.
    pub secrets: Arc<Secrets>,
    /// The bytes that the values of one virtual user may take; one that exceeds them is ended with an error.
    pub vu_memory_bytes: Option<usize>,
    /// Whether every virtual user has its own built-ins from the start.
    pub keeps_builtins_apart: bool,
    /// Settings of the system besides `environment`.
    pub system: System,
}

impl Source {
    /// The URL of a script from the standard input, as k6 shows it.
    pub const STANDARD_INPUT: &str = source::STANDARD_INPUT;

    /// The URL of the script.
    pub fn url(&self) -> String {
        let url = self.url.clone();
        url.unwrap_or_else(|| source::url_of(&self.path))
    }
}

/// A compiled module.
#[derive(Clone)]
pub(crate) struct Bytecode {
    pub(crate) code: Arc<[u8]>,
    pub(crate) is_common: bool,
    /// Whether the text contains `import.meta`.
    pub(crate) has_meta: bool,
}

/// The bytecode of each of a module's literals, in order.
pub(crate) type Literals = Arc<[Box<[u8]>]>;

/// The state that all VUs of a script share.
pub(crate) struct Script {
    entry: String,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    /// Whether `__ENV` is frozen.
    pub(crate) freezes_environment: bool,
    given: HashMap<String, String>,
    archived: Option<BTreeMap<String, Vec<u8>>>,
    settings: Arc<Settings>,
    /// The text of every module that was read, by URL, for archives.
    texts: Mutex<BTreeMap<String, String>>,
    modules: RwLock<HashMap<String, Bytecode>>,
    /// The source maps of modules that have one.
    maps: RwLock<HashMap<String, SourceMap>>,
    /// The insertions into the text of modules before they were compiled.
    shifts: RwLock<HashMap<String, Shifts>>,
    functions: FunctionTexts,
    files: RwLock<HashMap<PathBuf, Arc<[u8]>>>,
    /// Modules that the first init code could not load: later init code gets the same error.
    refusals: RwLock<HashMap<String, String>>,
    /// The same for files.
    unopened: RwLock<HashMap<PathBuf, OpenError>>,
    /// Names that are imported from CommonJS modules and k6's own but not exported: they are `undefined` in
    /// scripts.
    absent: RwLock<HashMap<String, BTreeSet<String>>>,
    begins_anew: AtomicBool,
    /// The specifier in scripts by full name.
    specifiers: RwLock<HashMap<String, String>>,
    /// Arrays of `SharedArray` by name, their items as JSON text.
    pub(crate) shared_arrays: Mutex<HashMap<String, Arc<[Box<str>]>>>,
    /// The schemas that gRPC clients have loaded, by their requests.
    pub(crate) schemas: Mutex<HashMap<String, Schema>>,
    /// The code of the large literals that were extracted from modules, by URL.
    literals: RwLock<HashMap<String, Literals>>,
    /// Whether VUs change the values of literals, so that each needs its own.
    has_own_literals: AtomicBool,
    /// Whether the first init code has run: then no further files may be opened.
    is_sealed: AtomicBool,
    network: OnceLock<Arc<Network>>,
    secrets: Arc<Secrets>,
    system: System,
    /// Warnings that were logged, which happens once for all VUs.
    warned: Mutex<BTreeSet<&'static str>>,
}

impl Script {
    pub(crate) fn new(source: Source) -> Self {
        let entry = source.url();
        let directory = source
            .path
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        let given = source
            .text
            .map(|text| (entry.clone(), text))
            .into_iter()
            .collect();
        Self {
            entry,
            directory,
            environment: source.environment,
            freezes_environment: source.freezes_environment,
            given,
            archived: source.archived,
            settings: Arc::new(Settings {
                vu_memory_bytes: source.vu_memory_bytes.unwrap_or(DEFAULT_BYTES),
                shares_builtins: !source.keeps_builtins_apart,
            }),
            texts: Mutex::default(),
            modules: RwLock::default(),
            maps: RwLock::default(),
            shifts: RwLock::default(),
            functions: FunctionTexts::default(),
            files: RwLock::default(),
            refusals: RwLock::default(),
            unopened: RwLock::default(),
            absent: RwLock::default(),
            begins_anew: AtomicBool::default(),
            specifiers: RwLock::default(),
            shared_arrays: Mutex::default(),
            schemas: Mutex::default(),
            literals: RwLock::default(),
            has_own_literals: AtomicBool::new(false),
            is_sealed: AtomicBool::new(false),
            network: OnceLock::new(),
            secrets: source.secrets,
            system: source.system,
            warned: Mutex::default(),
        }
    }

    /// The full name of the script itself.
    pub(crate) fn entry(&self) -> &str {
        &self.entry
    }

    /// The sources of `k6/secrets`.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Logs a warning, unless a VU of this script has logged it before.
    pub(crate) fn warn_once(&self, logger: &Logger, warning: &'static str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(warning) {
            logger.warn(warning);
        }
    }

    /// The content of `__ENV` outside scenarios.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Settings of the system besides that.
    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// The settings of its VUs for the script engine.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The network settings of the run. Before the options are known there is no network.
    pub(crate) fn network(&self, options: &Options) -> Arc<Network> {
        let environment = &self.system.connections;
        let network = || Arc::new(Network::new(network::config(options, environment)));
        if !self.is_sealed() {
            return network();
        }
        Arc::clone(self.network.get_or_init(network))
    }

    /// Whether the set of modules and files is complete.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_sealed.load(Ordering::Acquire)
    }

    /// Marks the set of modules and files as complete.
    pub(crate) fn seal(&self) {
        self.is_sealed.store(true, Ordering::Release);
    }

    /// The literals that were extracted from a module.
    pub(crate) fn literals(&self, name: &str) -> Literals {
        let all = self.literals.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned().unwrap_or_default()
    }

    /// Stores the literals that were extracted from a module.
    pub(crate) fn keep_literals(&self, name: &str, literals: Literals) {
        let mut all = self
            .literals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), literals);
    }

    /// Gives each VU its own values of literals.
    pub(crate) fn keep_literals_apart(&self) {
        self.has_own_literals.store(true, Ordering::Release);
    }

    /// Whether VUs can share the values of literals.
    pub(crate) fn shares_literals(&self) -> bool {
        !self.has_own_literals.load(Ordering::Acquire)
    }

    /// The full name of the module that `base` imports as `name`. Modules that a script from the standard input imports
    /// are relative to the working directory.
    fn full_name(&self, base: &str, name: &str) -> Result<String, SourceError> {
        if base == source::STANDARD_INPUT {
            return source::resolve(&source::url_of(&self.directory.join("-")), name);
        }
        source::resolve(base, name)
    }

    /// The full name of the module that `base` imports as `name`, which is stored with it.
    pub(crate) fn resolve(&self, base: &str, name: &str) -> Result<String, SourceError> {
        let resolved = self.full_name(base, name)?;
        if !self.is_sealed() && resolved != name {
            let mut specifiers = self
                .specifiers
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            specifiers
                .entry(resolved.clone())
                .or_insert_with(|| name.to_owned());
        }
        Ok(resolved)
    }

    /// The same for code that loads the module. Only the first init code can load new ones.
    pub(crate) fn resolve_to_load(&self, base: &str, name: &str) -> Result<String, SourceError> {
        let resolved = self.resolve(base, name)?;
        let is_late = self.is_sealed()
            && resolved.contains("://")
            && self.bytecode(&resolved).is_none()
            && self.refusal(&resolved).is_none();
        match is_late {
            true => Err(SourceError::Late(name.to_owned())),
            false => Ok(resolved),
        }
    }

    /// Stores the reason why a module could not be loaded.
    pub(crate) fn refuse(&self, name: &str, why: String) -> Throw {
        let mut refusals = self
            .refusals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        refusals.insert(name.to_owned(), why.clone());
        plain(why)
    }

    /// The reason why a module could not be loaded.
    pub(crate) fn refusal(&self, name: &str) -> Option<Throw> {
        let refusals = self.refusals.read().unwrap_or_else(PoisonError::into_inner);
        refusals.get(name).cloned().map(plain)
    }

    /// The specifier in the script for this full name.
    pub(crate) fn specifier(&self, name: &str) -> String {
        let specifiers = self
            .specifiers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        specifiers
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    }

    /// The text of a module that was given with the script, or is in the archive. `None` when it is elsewhere.
    ///
    /// # Errors
    /// The archive lacks it.
    pub(crate) fn given(&self, name: &str) -> Result<Option<String>, SourceError> {
        if let Some(text) = self.given.get(name) {
            return Ok(Some(text.clone()));
        }
        let Some(files) = &self.archived else {
            return Ok(None);
        };
        let missing = || SourceError::Missing(self.specifier(name));
        let bytes = files.get(name).ok_or_else(missing)?;
        source::text_of(name, bytes).map(Some)
    }

    /// The text of a source map in the archive. `None` without an archive.
    pub(crate) fn archived_map(&self, url: &str) -> Option<Result<String, SourceError>> {
        let files = self.archived.as_ref()?;
        let text = files
            .get(url)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Some(text.ok_or_else(|| SourceError::Missing(url.to_owned())))
    }

    /// Stores a text for archives.
    pub(crate) fn keep_text(&self, name: &str, text: &str) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert(name.to_owned(), text.to_owned());
    }

    /// The bytecode of a module that was compiled before.
    pub(crate) fn bytecode(&self, name: &str) -> Option<Bytecode> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        modules.get(name).cloned()
    }

    /// The CommonJS module, or one of k6's own, from which a module has its exports: itself, or one that it passes on
    /// with `export *`.
    pub(crate) fn common_source(&self, module: &str) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut unseen = vec![module.to_owned()];
        while let Some(name) = unseen.pop() {
            if self.bytecode(&name).is_none_or(|known| known.is_common) {
                return Some(name);
            }
            let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            let text = texts.get(&name).filter(|text| text.contains("export *"));
            let imports = text
                .and_then(|text| imports::read(text))
                .unwrap_or_default();
            drop(texts);
            let passed_on = imports.stars.iter().rev();
            let passed_on = passed_on.filter_map(|one| self.full_name(&name, one).ok());
            unseen.extend(passed_on.filter(|one| seen.insert(one.clone())));
        }
        None
    }

    /// The names that are imported from a module but not exported.
    pub(crate) fn absent(&self, module: &str) -> Vec<String> {
        let absent = self.absent.read().unwrap_or_else(PoisonError::into_inner);
        absent.get(module).into_iter().flatten().cloned().collect()
    }

    /// Records a name that is imported from a module but not exported.
    pub(crate) fn note_absent(&self, module: &str, name: &str) {
        let mut absent = self.absent.write().unwrap_or_else(PoisonError::into_inner);
        let of_module = absent.entry(module.to_owned()).or_default();
        if of_module.insert(name.to_owned()) {
            self.begins_anew.store(true, Ordering::Release);
        }
    }

    /// Records the modules whose default export a module imports. One without a default gets it from the start.
    pub(crate) fn note_defaults(&self, importer: &str, text: &str) {
        if !text.contains("from") {
            return;
        }
        let imports = imports::read(text).unwrap_or_default();
        let modules = imports.defaults.iter();
        let modules = modules.filter_map(|one| self.full_name(importer, one).ok());
        let mut absent = self.absent.write().unwrap_or_else(PoisonError::into_inner);
        for module in modules {
            absent
                .entry(module)
                .or_default()
                .insert("default".to_owned());
        }
    }

    /// Whether the init code has to start again, because a module lacked a name that it has now.
    pub(crate) fn begins_anew(&self) -> bool {
        self.begins_anew.swap(false, Ordering::AcqRel)
    }

    /// Stores the bytecode of a module.
    pub(crate) fn keep_bytecode(&self, name: &str, bytecode: Bytecode) {
        let mut modules = self.modules.write().unwrap_or_else(PoisonError::into_inner);
        modules.insert(name.to_owned(), bytecode);
    }

    /// Stores the source map of a module.
    pub(crate) fn keep_map(&self, name: &str, map: SourceMap) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.insert(name.to_owned(), map);
    }

    /// The author's file, line and column for a place in the code of a module.
    pub(crate) fn original(&self, name: &str, line: u32, column: u32) -> (String, u32, u32) {
        let column = self.unshifted(name, line, column);
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let original = maps.get(name).and_then(|map| map.original(line, column));
        let (name, line, column) = original.unwrap_or((name, line, column));
        (name.to_owned(), line, column)
    }

    /// The code of a module before a place, and the rest of its line. Line and column count from one, the column in bytes.
    pub(crate) fn code_at(&self, name: &str, line: u32, column: u32) -> Option<Code> {
        let column = self.unshifted(name, line, column);
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.get(name)?.as_str();
        // A call may begin several lines before its last argument, and bundles have long lines.
        let (before, after) = text.split_at(source::byte_at(text, line, column)?);
        let after = after.lines().next().unwrap_or_default().trim_end();
        let (start, _) = before
            .char_indices()
            .rev()
            .nth(CODE_BEFORE)
            .unwrap_or_default();
        Some(Code {
            before: before[start..].to_owned(),
            after: after.chars().take(CODE_AFTER).collect(),
            is_in_namespace: source::is_in_namespace(text, after),
        })
    }

    /// The text of the function at this place in the code of a module.
    pub(crate) fn function_text(&self, name: &str, line: u32, column: u32) -> Option<String> {
        // In the first line, the engine counts the columns of functions from zero, except for the first one.
        let column = column + u32::from(line == 1 && column > 1);
        let column = self.unshifted(name, line, column);
        let functions = self.functions.of(name, || {
            let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.get(name).cloned()
        })?;
        let place = source::byte_at(functions.text(), line, column)?;
        functions.at(place).map(str::to_owned)
    }

    /// Records an insertion into a module's text.
    pub(crate) fn keep_shifts(&self, name: &str, shifts: Shifts) {
        let mut all = self.shifts.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), shifts);
    }

    /// The column in a module's text as it was before anything was inserted.
    fn unshifted(&self, name: &str, line: u32, column: u32) -> u32 {
        let all = self.shifts.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name)
            .map_or(column, |shifts| shifts.original(line, column))
    }

    /// The module with this prefix of a name from which another module imports this export, which it lacks.
    pub(crate) fn module_lacking(&self, beginning: &str, export: &str) -> Option<String> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = texts.iter().flat_map(|(importer, text)| {
            let specifiers = source::asked_for(text, export);
            specifiers.filter_map(|specifier| self.resolve(importer, specifier).ok())
        });
        let candidates: Vec<String> = asked.filter(|name| name.starts_with(beginning)).collect();
        let lacks = |name: &&String| {
            texts
                .get(*name)
                .is_none_or(|text| !source::may_export(text, export))
        };
        let lacking = candidates.iter().find(lacks);
        lacking.or(candidates.first()).cloned()
    }

    /// Everything that init code has read so far, by URL, including the script itself.
    pub(crate) fn collected(&self) -> BTreeMap<String, Vec<u8>> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = texts
            .iter()
            .map(|(url, text)| (url.clone(), text.clone().into_bytes()));
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let files = files
            .iter()
            .map(|(path, bytes)| (source::url_of(path), bytes.to_vec()));
        texts.chain(files).collect()
    }

    /// The content of a file for `open`; relative paths are resolved against the script.
    pub(crate) fn open(&self, path: &str) -> Result<Arc<[u8]>, OpenError> {
        let full = self.full_path(path);
        if let Some(known) = self
            .files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&full)
        {
            return Ok(Arc::clone(known));
        }
        let unopened = &self.unopened;
        if let Some(known) = unopened
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&full)
        {
            return Err(known.clone());
        }
        if self.is_sealed() {
            return Err(OpenError::Other(format!(
                "open() can't be used with files that weren't previously opened during initialization (__VU==0), path: {path:?}"
            )));
        }
        let read = match &self.archived {
            None => std::fs::read(&full),
            Some(files) => {
                let known = files.get(&source::url_of(&full)).cloned();
                known.ok_or_else(|| std::io::ErrorKind::NotFound.into())
            }
        };
        let bytes: Arc<[u8]> = match read {
            Ok(bytes) => bytes.into(),
            Err(error) => {
                let error = OpenError::new(&full, &error);
                let mut unopened = unopened.write().unwrap_or_else(PoisonError::into_inner);
                unopened.insert(full, error.clone());
                return Err(error);
            }
        };
        self.files
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(full, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// The folder of a module that is a file; that of the script for the script.
    pub(crate) fn folder_of(&self, module: &str) -> Option<PathBuf> {
        if module == self.entry {
            return Some(self.directory.clone());
        }
        let path = Path::new(module.strip_prefix("file://")?);
        path.parent().map(Path::to_path_buf)
    }

    /// The absolute form of a path in a script; relative paths are resolved against the script.
    pub(crate) fn full_path(&self, path: &str) -> PathBuf {
        let path = path.strip_prefix("file://").unwrap_or(path);
        source::normalize(&self.directory.join(path))
    }
}
