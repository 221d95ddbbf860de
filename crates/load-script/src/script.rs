//! A script and all it imports: read once, compiled once, shared by all VUs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use load_engine::log::{Level, Logger};
use load_engine::options::Options;
use rquickjs::Ctx;

use crate::compile::compile;
use crate::fiber;
use crate::http::network::Network;
use crate::js::code;
use crate::js::memory::DEFAULT_BYTES;
use crate::js::module::{self, Loaded};
use crate::js::native::{self, Throw, plain};
use crate::remote;
use crate::secrets::Secrets;
use crate::source::{self, SourceError};
use crate::source_map::{self, Link, SourceMap};

/// Where a script comes from and what it may see.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The full path, also of a script that was read from standard input (`<directory>/-`).
    pub path: PathBuf,
    /// The text, when it was not read from `path`.
    pub text: Option<String>,
    /// What `__ENV` holds.
    pub environment: Vec<(String, String)>,
    /// The files of an archive by URL; with them nothing is read from anywhere else.
    pub archived: Option<BTreeMap<String, Vec<u8>>>,
    /// What `k6/secrets` gives.
    pub secrets: Arc<Secrets>,
    /// What the values of one virtual user may take; one that holds more is ended with an error.
    pub vu_memory_bytes: Option<usize>,
}

/// A compiled module.
#[derive(Clone)]
struct Bytecode {
    code: Arc<[u8]>,
    is_common: bool,
    /// The text mentions `import.meta`.
    has_meta: bool,
}

/// The bytecode of each of a module's literals, in order.
pub(crate) type Literals = Arc<[Box<[u8]>]>;

/// The shared part of all VUs of a script.
pub(crate) struct Script {
    entry: String,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    given: HashMap<String, String>,
    archived: Option<BTreeMap<String, Vec<u8>>>,
    vu_memory_bytes: usize,
    /// The text of every module that was read, by URL: for archives.
    texts: Mutex<BTreeMap<String, String>>,
    modules: RwLock<HashMap<String, Bytecode>>,
    /// The source maps of modules that have one.
    maps: RwLock<HashMap<String, SourceMap>>,
    /// How many characters stand before CommonJS modules in their first line.
    wrapped: RwLock<HashMap<String, u32>>,
    files: RwLock<HashMap<PathBuf, Arc<[u8]>>>,
    /// What the first init code could not have: later ones get the same answer.
    refusals: RwLock<HashMap<String, String>>,
    /// How scripts call what has this full name.
    specifiers: RwLock<HashMap<String, String>>,
    /// Arrays of `SharedArray` by name, their items as JSON text.
    pub(crate) shared_arrays: Mutex<HashMap<String, Arc<[Box<str>]>>>,
    /// The code of the large literals that were cut out of modules, by URL.
    literals: RwLock<HashMap<String, Literals>>,
    /// VUs change what literals make: each gets its own.
    has_own_literals: AtomicBool,
    /// The first init code has run: no further files may be asked for.
    is_sealed: AtomicBool,
    network: OnceLock<Arc<Network>>,
    secrets: Arc<Secrets>,
    /// Warnings that were logged: once is enough for all VUs.
    warned: Mutex<BTreeSet<&'static str>>,
}

impl Script {
    pub(crate) fn new(source: Source) -> Self {
        let entry = source::url_of(&source.path);
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
            given,
            archived: source.archived,
            vu_memory_bytes: source.vu_memory_bytes.unwrap_or(DEFAULT_BYTES),
            texts: Mutex::default(),
            modules: RwLock::default(),
            maps: RwLock::default(),
            wrapped: RwLock::default(),
            files: RwLock::default(),
            refusals: RwLock::default(),
            specifiers: RwLock::default(),
            shared_arrays: Mutex::default(),
            literals: RwLock::default(),
            has_own_literals: AtomicBool::new(false),
            is_sealed: AtomicBool::new(false),
            network: OnceLock::new(),
            secrets: source.secrets,
            warned: Mutex::default(),
        }
    }

    /// The full name of the script itself.
    pub(crate) fn entry(&self) -> &str {
        &self.entry
    }

    /// What `k6/secrets` gives.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Logs a warning, unless a VU of this script has done so before.
    pub(crate) fn warn_once(&self, logger: &Logger, warning: &'static str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(warning) {
            logger.warn(warning);
        }
    }

    /// What `__ENV` holds outside of scenarios.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// What one VU may hold.
    pub(crate) fn vu_memory_bytes(&self) -> usize {
        self.vu_memory_bytes
    }

    /// The network settings of the run. Before the options are known there is no network.
    pub(crate) fn network(&self, options: &Options) -> Arc<Network> {
        if !self.is_sealed.load(Ordering::Acquire) {
            return Arc::new(Network::new(options));
        }
        Arc::clone(self.network.get_or_init(|| Arc::new(Network::new(options))))
    }

    /// The set of modules and files is complete.
    pub(crate) fn seal(&self) {
        self.is_sealed.store(true, Ordering::Release);
    }

    /// The literals that were cut out of a module.
    pub(crate) fn literals(&self, name: &str) -> Literals {
        let all = self.literals.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned().unwrap_or_default()
    }

    /// Keeps the literals that were cut out of a module.
    pub(crate) fn keep_literals(&self, name: &str, literals: Literals) {
        let mut all = self
            .literals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), literals);
    }

    /// Each VU is to have what literals make for itself.
    pub(crate) fn keep_literals_apart(&self) {
        self.has_own_literals.store(true, Ordering::Release);
    }

    /// Whether VUs can share what literals make.
    pub(crate) fn shares_literals(&self) -> bool {
        !self.has_own_literals.load(Ordering::Acquire)
    }

    /// The full name of what `base` imports as `name`.
    pub(crate) fn resolve(&self, base: &str, name: &str) -> Result<String, SourceError> {
        let resolved = source::resolve(base, name)?;
        if !self.is_sealed.load(Ordering::Acquire) && resolved != name {
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

    /// Remembers why something could not be had.
    fn refuse(&self, name: &str, why: String) -> Throw {
        let mut refusals = self
            .refusals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        refusals.insert(name.to_owned(), why.clone());
        plain(why)
    }

    /// Remembers an error of ours that came while a module was compiled: one of its imports.
    fn remember(&self, ctx: &Ctx<'_>, name: &str, throw: Throw) -> Throw {
        if let Throw::Plain(why) = throw {
            return self.refuse(name, why);
        }
        if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
            return throw;
        }
        let error = ctx.catch();
        let text = |key: &str| {
            error
                .as_object()
                .and_then(|object| object.get::<_, String>(key).ok())
        };
        match (text("name").as_deref(), text("message")) {
            (Some("GoError"), Some(why)) => self.refuse(name, why),
            _ => Throw::Engine(ctx.throw(error.clone())),
        }
    }

    fn refusal(&self, name: &str) -> Option<Throw> {
        let refusals = self.refusals.read().unwrap_or_else(PoisonError::into_inner);
        refusals.get(name).cloned().map(plain)
    }

    /// How the script calls what has this full name.
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

    /// The code of that full name, in this realm; not evaluated.
    pub(crate) fn instantiate<'js>(
        &self,
        ctx: &Ctx<'js>,
        name: &str,
    ) -> Result<Loaded<'js>, Throw> {
        let known = self
            .modules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if let Some(known) = known {
            let read = || module::read(ctx, &known.code);
            if known.is_common {
                return code::shared_script(ctx, name, read).map(Loaded::Common);
            }
            let module = read()?;
            code::share_module(ctx, name, &module);
            if known.has_meta {
                module::add_meta(&module, name)?;
            }
            return Ok(Loaded::Module(module));
        }
        if let Some(refusal) = self.refusal(name) {
            return Err(refusal);
        }
        if self.is_sealed.load(Ordering::Acquire) {
            return Err(plain(format!(
                "the module \"{name}\" was not previously resolved during initialization (__VU==0)"
            )));
        }
        let text = self.text_of(ctx, name)?;
        self.read_map(ctx, name, &text)?;
        let has_meta = text.contains("import.meta");
        let loaded =
            compile(ctx, self, (name, text)).map_err(|throw| self.remember(ctx, name, throw))?;
        let (code, is_common) = match &loaded {
            Loaded::Module(code) => (code, false),
            Loaded::Common(code) => (code, true),
        };
        let bytecode = Bytecode {
            code: module::write(code)?.into(),
            is_common,
            has_meta: has_meta && !is_common,
        };
        if let (true, Loaded::Module(code)) = (bytecode.has_meta, &loaded) {
            module::add_meta(code, name)?;
        }
        self.modules
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), bytecode);
        Ok(loaded)
    }

    /// The text of a module, remembered for archives.
    fn text_of(&self, ctx: &Ctx<'_>, name: &str) -> Result<String, Throw> {
        let refused = |error: SourceError| self.refuse(name, error.to_string());
        let text = match (self.given.get(name), &self.archived) {
            (Some(text), _) => text.clone(),
            (None, Some(files)) => {
                let missing = || refused(SourceError::Missing(self.specifier(name)));
                let bytes = files.get(name).ok_or_else(missing)?;
                String::from_utf8_lossy(bytes).into_owned()
            }
            (None, None) if name.starts_with("https://") => {
                let vu = native::state(ctx);
                vu.wait(fiber::apart(|| remote::fetch(name, &vu.logger)))?
                    .map_err(refused)?
            }
            (None, None) => source::read(name, &self.specifier(name)).map_err(refused)?,
        };
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert(name.to_owned(), text.clone());
        Ok(text)
    }

    /// Looks for the source map of a module. Without one the places in the module itself are told.
    ///
    /// # Errors
    /// When it is in the script itself and is none.
    fn read_map(&self, ctx: &Ctx<'_>, name: &str, text: &str) -> Result<(), Throw> {
        let read = match source_map::link(text) {
            None => return Ok(()),
            Some(Link::Inline(address)) => {
                let line = text.matches('\n').count() + 1;
                let read = source_map::read_inline(address, name)
                    .map_err(|why| native::plain(format!("{name}: Line {line}:1 {why}")))?;
                match read {
                    None => return Ok(()),
                    Some(map) => Ok(map),
                }
            }
            Some(Link::At(address)) => self.linked_map(ctx, name, address),
        };
        match read {
            Ok(map) => {
                let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
                maps.insert(name.to_owned(), map);
            }
            Err(why) => {
                let message = format!("Couldn't load source map for {name}");
                let logger = &native::state(ctx).logger;
                logger.log(Level::Warn, &message, &[("error", &why)]);
            }
        }
        Ok(())
    }

    fn linked_map(&self, ctx: &Ctx<'_>, name: &str, address: &str) -> Result<SourceMap, String> {
        let joined = url::Url::parse(name).and_then(|base| base.join(address));
        let url = joined.map_err(|error| error.to_string())?.to_string();
        let text = match &self.archived {
            Some(files) => files
                .get(&url)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .ok_or_else(|| SourceError::Missing(url.clone())),
            None if url.starts_with("https://") => {
                let vu = native::state(ctx);
                let fetched = vu.wait(fiber::apart(|| remote::fetch(&url, &vu.logger)));
                fetched.map_err(|_| "it was interrupted".to_owned())?
            }
            None => source::read(&url, &url),
        };
        let text = text.map_err(|error| error.to_string())?;
        let map = SourceMap::read(&text, &url);
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert(url, text);
        map
    }

    /// The author's file, line and column for a place in the code of a module.
    pub(crate) fn original(&self, name: &str, line: u32, column: u32) -> (String, u32, u32) {
        let column = match line {
            1 => self.first_column(name, column),
            _ => column,
        };
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let original = maps.get(name).and_then(|map| map.original(line, column));
        let (name, line, column) = original.unwrap_or((name, line, column));
        (name.to_owned(), line, column)
    }

    /// Remembers how many characters stand before a module in its first line.
    pub(crate) fn note_wrapping(&self, name: &str, before: &str) {
        let count = u32::try_from(before.chars().count()).unwrap_or(0);
        let mut wrapped = self.wrapped.write().unwrap_or_else(PoisonError::into_inner);
        wrapped.insert(name.to_owned(), count);
    }

    /// Columns in the first line of a CommonJS module begin behind what it is wrapped in.
    fn first_column(&self, name: &str, column: u32) -> u32 {
        let wrapped = self.wrapped.read().unwrap_or_else(PoisonError::into_inner);
        let before = wrapped.get(name).copied().unwrap_or(0);
        column.saturating_sub(before).max(1)
    }

    /// Everything that init code has read so far, by URL, and the script itself among it.
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

    /// The content of a file for `open`; relative paths start at the script.
    pub(crate) fn open(&self, path: &str) -> Result<Arc<[u8]>, Throw> {
        let full = self.full_path(path);
        if let Some(known) = self
            .files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&full)
        {
            return Ok(Arc::clone(known));
        }
        let key = full.display().to_string();
        if let Some(refusal) = self.refusal(&key) {
            return Err(refusal);
        }
        if self.is_sealed.load(Ordering::Acquire) {
            return Err(plain(format!(
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
        let bytes: Arc<[u8]> = read
            .map_err(|error| self.refuse(&key, open_error(&full, &error)))?
            .into();
        self.files
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(full, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Where a path that a script names leads to; relative ones start at the script.
    pub(crate) fn full_path(&self, path: &str) -> PathBuf {
        let path = path.strip_prefix("file://").unwrap_or(path);
        source::normalize(&self.directory.join(path))
    }
}

fn open_error(full: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("stat {}: no such file or directory", full.display())
        }
        std::io::ErrorKind::IsADirectory => {
            format!("open() can't be used with directories, path: {full:?}")
        }
        _ => format!("{}: {error}", full.display()),
    }
}
