//! `k6/experimental/csv`: the records of a file, all at once or one by one.

use std::cell::RefCell;
use std::ffi::CStr;
use std::sync::{Arc, PoisonError};

use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, constructor, method};
use script_engine::promise::Deferred;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};
use script_formats::csv::{Options, Parser, Record};

use super::files::File;
use super::{data, rejection};
use crate::vu::events::Event;
use crate::vu::state::{Caller, VuState};

/// A file's bytes from a position on.
#[derive(Debug)]
struct Rest(Arc<[u8]>, usize);

impl AsRef<[u8]> for Rest {
    fn as_ref(&self) -> &[u8] {
        &self.0[self.1..]
    }
}

/// The value of a parser object; `None` once a record could not be read.
struct Reader(RefCell<Option<Parser<Rest>>>);

impl Class for Reader {
    const NAME: &'static CStr = c"Parser";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"next", next)
    }
}

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"parse", parse)?;
    let prototype = class::prototype::<Reader>(ctx)?;
    constructor(&exports, c"Parser", make_parser, &prototype)?;
    Ok(exports)
}

/// The arguments of both functions.
struct ParseArguments {
    rest: Rest,
    path: String,
    options: Options,
}

/// An error in the options or in the file.
enum Refusal {
    Options(String),
    Other(String),
}

impl ParseArguments {
    /// After this error, the file counts as read to its end.
    fn read(call: &Call<'_, '_>) -> Result<Self, Throw> {
        let value = call.arg(0);
        if value.is_undefined() || value.is_null() {
            return Err(plain("csv parse requires at least a file argument"));
        }
        let Some(file) = class::of::<File>(&value) else {
            let kind = if value.is_object() {
                return Err(plain(
                    "failed to create a new parser; reason: the reader cannot be nil",
                ));
            } else if value.is_string() {
                "sobek.asciiString".to_owned()
            } else {
                convert::go_type(&value).to_owned()
            };
            return Err(plain(format!(
                "first argument expected to be a fs.File instance, got {kind} instead"
            )));
        };
        let options = options(call.given(1).and_then(Value::into_object))?;
        let rest = Rest(file.bytes(), file.position());
        file.exhaust();
        Ok(Self {
            rest,
            path: file.path().to_owned(),
            options,
        })
    }

    fn parser(self) -> Result<Parser<Rest>, Refusal> {
        use script_formats::csv::CsvError;
        Parser::new(self.rest, &self.options).map_err(|error| match error {
            CsvError::LongDelimiter | CsvError::LinesSwapped => Refusal::Options(error.to_string()),
            error => Refusal::Other(format!("failed to create a new parser; reason: {error}")),
        })
    }
}

fn options(given: Option<Object<'_>>) -> Result<Options, Throw> {
    let mut options = Options::default();
    let Some(given) = given else {
        return Ok(options);
    };
    let whole = |value: Value<'_>| Ok::<_, Throw>(convert::to_number(&value)? as i64);
    if let Some(delimiter) = convert::given(&given, "delimiter")? {
        options.delimiter = convert::to_text(&delimiter)?;
    }
    if let Some(flag) = convert::given(&given, "skipFirstLine")? {
        options.skip_first_line = convert::is_truthy(&flag);
    }
    if let Some(line) = convert::given(&given, "fromLine")? {
        options.from_line = whole(line)?;
    }
    if let Some(line) = convert::given(&given, "toLine")? {
        options.to_line = Some(whole(line)?);
    }
    if let Some(flag) = convert::given(&given, "asObjects")? {
        options.as_objects = convert::is_truthy(&flag);
    }
    Ok(options)
}

/// `parse(file, options)`: all records as a shared array. VUs that parse the same file share one copy.
fn parse<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (promise, deferred) = Deferred::new(call.ctx)?;
    let records = match ParseArguments::read(call) {
        Ok(arguments) => all_records(call.vu(), arguments),
        Err(Throw::Plain(why)) => Err(why),
        Err(throw) => return Err(throw),
    };
    call.vu().events.start(async move {
        let event: Event = Box::new(move |ctx| match records {
            Ok(records) => deferred.settle(ctx, data::array(ctx, records)),
            Err(why) => deferred.reject(ctx, rejection::nameless(ctx, &why)?),
        });
        event
    });
    Ok(promise)
}

fn all_records(vu: &VuState, arguments: ParseArguments) -> Result<Arc<[Box<str>]>, String> {
    // No script can use this name for an array, since its names have no NUL.
    let name = format!(
        "csv\0{}\0{}\0{:?}",
        arguments.path, arguments.rest.1, arguments.options
    );
    let arrays = || {
        let arrays = &vu.script.shared_arrays;
        arrays.lock().unwrap_or_else(PoisonError::into_inner)
    };
    let known = arrays().get(&name).cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    let mut parser = arguments.parser().map_err(|refusal| match refusal {
        Refusal::Options(why) => {
            format!("failed to interpret the provided Parser options; reason: {why}")
        }
        Refusal::Other(why) => why,
    })?;
    let mut records = Vec::new();
    while let Some(record) = parser.next_record().map_err(|error| error.to_string())? {
        records.push(json(sorted(record)));
    }
    let records: Arc<[Box<str>]> = records.into();
    arrays().insert(name, Arc::clone(&records));
    Ok(records)
}

/// The names of an object in the order of k6 when it parses a whole file.
fn sorted(mut record: Record) -> Record {
    if let Record::Object(pairs) = &mut record {
        pairs.sort();
    }
    record
}

/// A record as JSON text.
fn json(record: Record) -> Box<str> {
    let value = match record {
        Record::Fields(fields) => serde_json::Value::from(fields),
        Record::Object(pairs) => {
            let pairs = pairs.into_iter().map(|(name, value)| (name, value.into()));
            serde_json::Value::Object(pairs.collect())
        }
    };
    value.to_string().into()
}

/// `new Parser(file, options)`
fn make_parser<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if !call.vu().is_init() {
        return Err(plain(
            "csv Parser constructor must be called in the init context",
        ));
    }
    let parser = ParseArguments::read(call)?
        .parser()
        .map_err(|refusal| match refusal {
            Refusal::Options(why) => plain(format!(
                "encountered an error while interpreting Parser options; reason: {why}"
            )),
            Refusal::Other(why) => plain(why),
        })?;
    let reader = Reader(RefCell::new(Some(parser)));
    Ok(class::new(call.ctx, reader)?.into_value())
}

/// `parser.next()`: `{done, value}`.
fn next<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.this();
    let reader = class::of::<Reader>(&value);
    let reader = reader.ok_or_else(|| Throw::Type("this is not a parser".to_owned()))?;
    let (promise, deferred) = Deferred::new(call.ctx)?;
    let record = match reader.0.borrow_mut().as_mut() {
        Some(parser) => parser.next_record().map_err(|error| error.to_string()),
        None => Ok(None),
    };
    call.vu().events.start(async move {
        let event: Event = Box::new(move |ctx| match record {
            Ok(record) => deferred.settle(ctx, step(ctx, record)),
            Err(why) => deferred.reject(ctx, rejection::nameless(ctx, &why)?),
        });
        event
    });
    Ok(promise)
}

fn step<'js>(ctx: &Ctx<'js>, record: Option<Record>) -> Outcome<'js> {
    let step = Object::new(ctx.clone())?;
    step.set("done", record.is_none())?;
    let record = record.unwrap_or(Record::Fields(Vec::new()));
    step.set("value", convert::from_json(ctx, &json(record))?)?;
    Ok(step.into_value())
}
