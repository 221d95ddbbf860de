//! The known messages and methods: from `.proto` files, from sets of descriptors, or from a server.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use bytes::Bytes;
pub use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, FileDescriptor};
pub use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, Value};
use protox::file::{File, FileResolver, GoogleFileResolver};

/// The stack of the thread that builds a schema: files may nest to any depth.
const COMPILER_STACK_BYTES: usize = 16 << 20;

/// The reason why a schema is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A file is missing or invalid; with its name, line and column if they are known.
    #[error("{0}")]
    File(String),
    /// The bytes are not an encoded set of descriptors.
    #[error("proto: cannot parse invalid wire-format data")]
    Wire,
}

/// Descriptors of files, with all their content.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pool: DescriptorPool,
    /// The files in the order in which they were requested, followed by those that they import.
    order: Vec<String>,
}

/// Returns the text of a file by its name, or an error.
pub type Open<'a> = dyn Fn(&str) -> Result<String, String> + Send + Sync + 'a;

impl Schema {
    /// Compiles files and their imports. The files that are part of Protobuf need not exist.
    ///
    /// # Errors
    /// The first error, with its place.
    pub fn compile(open: Arc<Open<'static>>, files: &[String]) -> Result<Self, SchemaError> {
        let files = files.to_vec();
        apart(move || compile(open, &files))
    }

    /// Reads an encoded set of descriptors, as `protoc --descriptor_set_out` writes it.
    ///
    /// # Errors
    /// The set is not valid, or lacks an imported file.
    pub fn from_protoset(bytes: &[u8]) -> Result<Self, SchemaError> {
        let set = FileDescriptorSet::decode(bytes).map_err(|_| SchemaError::Wire)?;
        Self::from_files(set.file)
    }

    /// Builds a schema from descriptors in any order.
    ///
    /// # Errors
    /// The descriptors contradict each other, or an imported one is missing.
    pub fn from_files(mut files: Vec<FileDescriptorProto>) -> Result<Self, SchemaError> {
        for file in &mut files {
            // Source locations are not needed, and the library cannot handle invalid ones.
            file.source_code_info = None;
        }
        let order = files.iter().map(|file| file.name().to_owned()).collect();
        apart(move || {
            let mut pool = DescriptorPool::new();
            let missing = missing_google_files(&files);
            pool.add_file_descriptor_protos(missing.into_iter().chain(files))
                .map_err(|error| SchemaError::File(error.to_string()))?;
            Ok(Self { pool, order })
        })
    }

    /// Adds the content of another schema; of files with the same name the first stays.
    ///
    /// # Errors
    /// The two schemas contradict each other.
    pub fn merge(&mut self, other: &Self) -> Result<(), SchemaError> {
        if self.order.is_empty() {
            *self = other.clone();
            return Ok(());
        }
        let files = other.pool.file_descriptor_protos().cloned();
        let files: Vec<FileDescriptorProto> = files.collect();
        self.pool
            .add_file_descriptor_protos(files)
            .map_err(|error| SchemaError::File(error.to_string()))?;
        self.order.extend(other.order.iter().cloned());
        Ok(())
    }

    /// All methods, in the order of the files and of their services.
    pub fn methods(&self) -> Vec<MethodDescriptor> {
        let mut seen = Vec::new();
        let mut methods = Vec::new();
        let mut files: Vec<FileDescriptor> = Vec::new();
        for name in self.order.iter().rev() {
            files.extend(self.pool.get_file_by_name(name));
        }
        while let Some(file) = files.pop() {
            if seen.contains(&file.name().to_owned()) {
                continue;
            }
            seen.push(file.name().to_owned());
            for service in file.services() {
                methods.extend(service.methods());
            }
            let imported: Vec<FileDescriptor> = file.dependencies().collect();
            files.extend(imported.into_iter().rev());
        }
        methods
    }

    /// The method with this path, such as `/package.Service/Method`.
    pub fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        service.methods().find(|method| method.name() == name)
    }

    /// The descriptors.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }
}

/// Builds a schema on a thread with a large stack, where a panic of the library becomes an error.
fn apart(
    build: impl FnOnce() -> Result<Schema, SchemaError> + Send + 'static,
) -> Result<Schema, SchemaError> {
    let builder = thread::Builder::new().stack_size(COMPILER_STACK_BYTES);
    let building = builder.spawn(build);
    let building = building.map_err(|error| SchemaError::File(error.to_string()))?;
    building.join().unwrap_or_else(|_| {
        Err(SchemaError::File(
            "the descriptors cannot be built: internal error".to_owned(),
        ))
    })
}

/// Files of Protobuf itself that others import and that are missing.
fn missing_google_files(files: &[FileDescriptorProto]) -> Vec<FileDescriptorProto> {
    let known = DescriptorPool::global();
    let is_given = |name: &str| files.iter().any(|file| file.name() == name);
    let is_imported = |name: &str| {
        let mut imports = files.iter().flat_map(|file| &file.dependency);
        imports.any(|import| import == name)
    };
    known
        .files()
        .filter(|file| is_imported(file.name()) && !is_given(file.name()))
        .map(|file| file.file_descriptor_proto().clone())
        .collect()
}

fn compile(open: Arc<Open<'static>>, files: &[String]) -> Result<Schema, SchemaError> {
    let missing = Arc::new(Mutex::new(String::new()));
    let resolver = Resolver {
        open: Arc::clone(&open),
        google: GoogleFileResolver::new(),
        missing: Arc::clone(&missing),
    };
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    for file in files {
        compiler.open_file(file).map_err(|error| {
            let missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
            SchemaError::File(explain(&error, &missing, &*open))
        })?;
    }
    Ok(Schema {
        pool: compiler.descriptor_pool(),
        order: files.to_vec(),
    })
}

/// The error with its place. The error of a missing file states where it was searched for.
fn explain(error: &protox::Error, missing: &str, open: &Open<'_>) -> String {
    let text = format!("{error:?}");
    if !error.is_file_not_found() || missing.is_empty() {
        return text;
    }
    match text.find("import '") {
        Some(at) => {
            let place = &text[..at];
            let place = name_of_import(place, open).unwrap_or_else(|| place.to_owned());
            format!("{place}{missing}")
        }
        None => missing.to_owned(),
    }
}

/// The place of the name in an import, computed from that of the statement: `a.proto:2:1: ` is `a.proto:2:8: `.
fn name_of_import(place: &str, open: &Open<'_>) -> Option<String> {
    let mut parts = place.trim_end_matches(": ").rsplitn(3, ':');
    let (column, line) = (
        parts.next()?.parse::<usize>().ok()?,
        parts.next()?.parse::<usize>().ok()?,
    );
    let file = parts.next()?;
    let text = open(file).ok()?;
    let rest = text
        .lines()
        .nth(line.checked_sub(1)?)?
        .get(column.checked_sub(1)?..)?;
    let before = rest.find(['"', '\''])?;
    Some(format!("{file}:{line}:{}: ", column + before))
}

/// Finds files by the caller's function; those of Protobuf are built in.
struct Resolver {
    open: Arc<Open<'static>>,
    google: GoogleFileResolver,
    /// The reason why the last file was not found.
    missing: Arc<Mutex<String>>,
}

impl FileResolver for Resolver {
    /// Names are used unchanged, including `../a.proto`.
    fn resolve_path(&self, path: &std::path::Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if let Ok(file) = self.google.open_file(name) {
            return Ok(file);
        }
        match (self.open)(name) {
            Ok(text) => File::from_source(name, &text),
            Err(why) => {
                *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = why;
                Err(protox::Error::file_not_found(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MAIN: &str = "syntax = \"proto3\"; package a.b; import \"deep/inner.proto\";\n\
        import \"google/protobuf/empty.proto\";\n\
        service First { rpc One(Inner) returns (google.protobuf.Empty); rpc Two(stream Inner) returns (stream Inner); }";
    const INNER: &str = "syntax = \"proto3\"; package a.b; message Inner { int32 n = 1; }\n\
        service Second { rpc Three(Inner) returns (Inner); }";

    fn files(name: &str) -> Result<String, String> {
        match name {
            "main.proto" => Ok(MAIN.to_owned()),
            "deep/inner.proto" => Ok(INNER.to_owned()),
            "lost.proto" => Ok("syntax = \"proto3\";\nimport \"nowhere.proto\";".to_owned()),
            other => Err(format!("stat /x/{other}: no such file or directory")),
        }
    }

    fn compiled(name: &str) -> Result<Schema, SchemaError> {
        Schema::compile(Arc::new(files), &[name.to_owned()])
    }

    #[test]
    fn methods_of_files_and_their_imports_are_found() {
        let schema = compiled("main.proto").expect("it compiles");
        let methods = schema.methods();
        let names: Vec<&str> = methods.iter().map(MethodDescriptor::full_name).collect();
        assert_eq!(
            names,
            ["a.b.First.One", "a.b.First.Two", "a.b.Second.Three"]
        );
        assert!(
            schema
                .method("/a.b.First/Two")
                .is_some_and(|two| two.is_server_streaming())
        );
        assert!(schema.method("/a.b.First/Three").is_none());
        assert!(schema.method("a.b.First/One").is_none());
    }

    #[test]
    fn a_set_of_descriptors_gives_the_same_and_can_be_merged() {
        let schema = compiled("main.proto").expect("it compiles");
        let set = schema.pool().encode_to_vec();
        let read = Schema::from_protoset(&set).expect("it is a set");
        assert!(read.method("/a.b.First/One").is_some());
        let mut both = Schema::default();
        both.merge(&schema).expect("nothing is there");
        both.merge(&read).expect("the same again");
        assert_eq!(both.methods().len(), 3);
    }

    #[test]
    fn descriptors_need_not_bring_those_of_protobuf() {
        let schema = compiled("main.proto").expect("it compiles");
        let own = schema.pool().file_descriptor_protos();
        let own = own
            .filter(|file| !file.name().starts_with("google/"))
            .cloned();
        assert!(Schema::from_files(own.collect()).is_ok());
    }

    #[test]
    fn places_of_a_wrong_length_are_no_matter() {
        use prost_reflect::prost_types::source_code_info::Location;
        use prost_reflect::prost_types::{DescriptorProto, SourceCodeInfo};
        let message = DescriptorProto {
            name: Some("Twice".to_owned()),
            ..DescriptorProto::default()
        };
        let location = |path: &[i32]| Location {
            path: path.to_vec(),
            span: vec![1],
            ..Location::default()
        };
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            message_type: vec![message.clone(), message],
            source_code_info: Some(SourceCodeInfo {
                location: vec![
                    location(&[]),
                    location(&[4, 0]),
                    location(&[4, 1]),
                    location(&[4, 1, 1]),
                ],
            }),
            ..FileDescriptorProto::default()
        };
        assert!(Schema::from_files(vec![file]).is_err());
    }

    #[test]
    fn errors_tell_the_place() {
        let error = compiled("none.proto").expect_err("missing");
        assert_eq!(
            error.to_string(),
            "stat /x/none.proto: no such file or directory"
        );
        let error = compiled("lost.proto").expect_err("missing");
        assert_eq!(
            error.to_string(),
            "lost.proto:2:8: stat /x/nowhere.proto: no such file or directory"
        );
        assert_eq!(
            Schema::from_protoset(b"syntax").expect_err("none"),
            SchemaError::Wire
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn any_text_is_a_file_or_an_error(cuts in vec((0_usize..MAIN.len(), any::<char>()), 0..6)) {
            let mut text: Vec<char> = MAIN.chars().collect();
            for (at, c) in cuts {
                text[at] = c;
            }
            let text: String = text.into_iter().collect();
            let open = move |name: &str| match name {
                "main.proto" => Ok(text.clone()),
                other => files(other),
            };
            if let Ok(schema) = Schema::compile(Arc::new(open), &["main.proto".to_owned()]) {
                prop_assert!(schema.methods().len() < 100);
            }
        }

        #[test]
        fn tokens_in_any_order_are_a_file_or_an_error(tokens in vec(0_usize..TOKENS.len(), 0..40)) {
            let text: Vec<&str> = tokens.iter().map(|at| TOKENS[*at]).collect();
            let text = format!("syntax = \"proto3\"; {}", text.join(" "));
            let open = move |_: &str| Ok(text.clone());
            if let Ok(schema) = Schema::compile(Arc::new(open), &["main.proto".to_owned()]) {
                prop_assert!(schema.methods().len() < 100);
            }
        }

        #[test]
        fn any_bytes_are_a_set_of_descriptors_or_an_error(
            cuts in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            keeps in any::<prop::sample::Index>(),
        ) {
            let schema = compiled("main.proto").expect("it compiles");
            let mut set = schema.pool().encode_to_vec();
            for (at, byte) in cuts {
                let at = at.index(set.len());
                set[at] = byte;
            }
            set.truncate(keeps.index(set.len() + 1));
            if let Ok(schema) = Schema::from_protoset(&set) {
                prop_assert!(schema.methods().len() < 100);
            }
        }
    }

    const TOKENS: [&str; 40] = [
        "message",
        "enum",
        "service",
        "rpc",
        "returns",
        "stream",
        "oneof",
        "map<string, int32>",
        "repeated",
        "optional",
        "reserved",
        "extend",
        "extensions",
        "group",
        "option",
        "import",
        "package",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ";",
        "=",
        "=",
        "1",
        "2",
        "536870912",
        "-1",
        "A",
        "B",
        "a.b.C",
        "\"x\"",
        "int32",
        "bytes",
        "true",
        "to",
        "max",
    ];
}
