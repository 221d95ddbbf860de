//! The container image: built by the engine of this machine from a binary that is at hand, exported, and measured.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::{megabytes, read, told};

/// What the Dockerfile's stage `prebuilt` copies, beside the binary.
const CONTEXT: [&str; 3] = ["Dockerfile", "detectors.yaml", "tests/k6"];
/// The base in the Dockerfile, and the variable of the compose file that names another one.
const BASE: &str = "debian:bookworm-slim";
const BASE_VARIABLE: &str = "BASE_IMAGE";

/// What the image may add to its base, compressed, in bytes (docs/decisions/0026).
const MOST_COMPRESSED: u64 = 40_000_000;

/// A program with Docker's command line, and the base of the image.
pub struct Engine {
    program: PathBuf,
    base: String,
}

/// What an image adds to its base, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Added {
    /// As the engine stores it.
    pub stored: u64,
    /// As a registry moves it.
    pub compressed: u64,
}

impl Added {
    /// # Errors
    /// The image is larger than allowed; the message is one line.
    pub fn within_limit(&self) -> Result<(), String> {
        if self.compressed <= MOST_COMPRESSED {
            return Ok(());
        }
        let (size, most) = (megabytes(self.compressed), megabytes(MOST_COMPRESSED));
        Err(format!(
            "the image adds {size} compressed to its base; the maximum is {most}"
        ))
    }
}

impl Engine {
    /// The engine of this machine.
    ///
    /// # Errors
    /// There is none; the message is one line that says what is missing.
    pub fn find() -> Result<Self, String> {
        let base = std::env::var(BASE_VARIABLE).unwrap_or_else(|_| BASE.to_owned());
        Self::at(Path::new("docker"), &base)
    }

    fn at(program: &Path, base: &str) -> Result<Self, String> {
        let engine = Self {
            program: program.to_owned(),
            base: base.to_owned(),
        };
        let missing =
            |why| format!("no image is built, because no container engine answers: {why}");
        engine
            .call(&["version", "--format", "{{.Server.Version}}"])
            .map_err(missing)?;
        Ok(engine)
    }

    /// Builds the image with this binary, exports it to `file` (a tar.gz for `docker load`), and measures what it adds.
    ///
    /// # Errors
    /// A step of the engine fails, or a file cannot be read or written.
    pub fn export(
        &self,
        root: &Path,
        binary: &Path,
        tag: &str,
        file: &Path,
    ) -> Result<Added, String> {
        let of_base = self.layers_of_base()?;
        let context = std::env::temp_dir().join(format!("sparring-image-{}", std::process::id()));
        let built = self.build(root, binary, tag, &context);
        drop(std::fs::remove_dir_all(&context));
        built?;
        let saved = file.with_extension("");
        let place = saved.display().to_string();
        self.call(&["save", "--output", &place, tag])?;
        let bytes = read(&saved)?;
        std::fs::remove_file(&saved).map_err(|error| told(&saved, &error))?;
        let packed = packed(&bytes).map_err(|error| told(file, &error))?;
        std::fs::write(file, packed).map_err(|error| told(file, &error))?;
        added(&bytes, of_base).map_err(|error| format!("the image: {error}"))
    }

    /// The number of the base's layers. A base that is not on this machine is pulled: a builder may fetch it without
    /// keeping it under its name.
    fn layers_of_base(&self) -> Result<usize, String> {
        let format = "{{len .RootFS.Layers}}";
        let inspect = || self.call(&["image", "inspect", "--format", format, &self.base]);
        let text = match inspect() {
            Ok(text) => text,
            Err(_) => {
                self.call(&["pull", "--quiet", &self.base])?;
                inspect()?
            }
        };
        text.parse()
            .map_err(|_| format!("{} has {text:?} layers", self.base))
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    fn build(&self, root: &Path, binary: &Path, tag: &str, context: &Path) -> Result<(), String> {
        for name in CONTEXT {
            copy(&root.join(name), &context.join(name))?;
        }
        copy(binary, &context.join("dist/sparring"))?;
        let base = format!("BASE_IMAGE={}", self.base);
        let place = context.display().to_string();
        let arguments = [
            "build",
            "--target",
            "prebuilt",
            "--build-arg",
            &base,
            "--tag",
            tag,
            &place,
        ];
        self.call(&arguments).map(drop)
    }

    /// What the engine prints; its last line of complaint as the error.
    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        let called = format!("{} {}", self.program.display(), arguments[0]);
        let output = Command::new(&self.program).args(arguments).output();
        let output = output.map_err(|error| format!("{called}: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Err(format!("{called}: {}", last.unwrap_or("it failed").trim()))
    }
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let fail = |error: io::Error| told(from, &error);
    if !from.is_dir() {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        return std::fs::copy(from, to).map(drop).map_err(fail);
    }
    for entry in std::fs::read_dir(from).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The layers of an exported image above the first `of_base`, with their sizes.
fn added(exported: &[u8], of_base: usize) -> io::Result<Added> {
    let wrong = |what: &str| io::Error::other(format!("the export has no {what}"));
    let manifest = member(exported, "manifest.json")?.ok_or_else(|| wrong("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let layers = manifest[0]["Layers"]
        .as_array()
        .ok_or_else(|| wrong("layers"))?;
    let mut sum = Added {
        stored: 0,
        compressed: 0,
    };
    for layer in layers.iter().skip(of_base) {
        let name = layer.as_str().unwrap_or_default();
        let bytes = member(exported, name)?.ok_or_else(|| wrong(name))?;
        // Engines export layers as they store them, packed or not.
        let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
        let (plain, packed) = if is_packed {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
            (plain.len(), bytes.len())
        } else {
            (bytes.len(), packed(&bytes)?.len())
        };
        sum.stored += plain as u64;
        sum.compressed += packed as u64;
    }
    Ok(sum)
}

fn packed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(bytes)?;
    zip.finish()
}

fn member(archive: &[u8], name: &str) -> io::Result<Option<Vec<u8>>> {
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.path()?.as_os_str() == name {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An export of two layers, of which the first is the base's.
    fn export() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut put = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).expect("a member");
        };
        put("base/layer.tar", &[7; 1000]);
        put("own/layer.tar", &[0; 100_000]);
        put(
            "manifest.json",
            br#"[{"Layers":["base/layer.tar","own/layer.tar"]}]"#,
        );
        tar.into_inner().expect("a tar")
    }

    /// A program that answers as Docker does, and notes what it was called with.
    fn engine(folder: &Path, server: &str) -> Result<Engine, String> {
        std::fs::write(folder.join("export.tar"), export()).expect("written");
        let script = format!(
            "#!/bin/sh\ncd {}\necho \"$@\" >>called\ncase $1 in\nversion) {server};;\n\
             build) shift $(($# - 1)); ls \"$1\" \"$1/dist\" \"$1/tests/k6\" >context;;\n\
             save) cp export.tar \"$3\";;\npull) touch pulled;;\n\
             image) [ -e pulled ] || {{ echo 'No such image' >&2; exit 1; }}; echo 1;;\nesac\n",
            folder.display()
        );
        let program = folder.join("docker");
        std::fs::write(&program, script).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("executable");
        Engine::at(&program, "base:1")
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sparring-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn an_image_is_built_exported_and_measured_above_its_base() {
        let folder = folder("engine");
        let engine = engine(&folder, "echo 28").expect("an engine");
        let file = folder.join("it.image.tar.gz");
        let binary = folder.join("export.tar");
        let added = engine.export(&crate::root(), &binary, "sparring:1", &file);
        let added = added.expect("exported");
        assert_eq!(added.stored, 100_000);
        assert!((50..1000).contains(&added.compressed), "{added:?}");
        let exported = read(&file).expect("a file");
        let mut plain = Vec::new();
        let unzipped = flate2::read::GzDecoder::new(exported.as_slice()).read_to_end(&mut plain);
        assert_eq!((unzipped.expect("gzip"), plain), (export().len(), export()));
        let called = std::fs::read_to_string(folder.join("called")).expect("called");
        assert!(
            called.contains("--target prebuilt --build-arg BASE_IMAGE=base:1 --tag sparring:1"),
            "{called}"
        );
        assert!(called.contains("pull --quiet base:1"), "{called}");
        let context = std::fs::read_to_string(folder.join("context")).expect("built");
        for name in [
            "Dockerfile",
            "detectors.yaml",
            "sparring",
            "orchestration_load.js",
        ] {
            assert!(context.contains(name), "no {name} in {context}");
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn an_image_that_adds_more_than_40_mb_compressed_is_refused() {
        let of = |compressed| Added {
            stored: 100_000_000,
            compressed,
        };
        assert_eq!(of(40_000_000).within_limit(), Ok(()));
        let error = of(41_000_000).within_limit().expect_err("it is too large");
        assert_eq!(
            error,
            "the image adds 41.0 MB compressed to its base; the maximum is 40.0 MB"
        );
    }

    #[test]
    fn without_an_engine_one_line_says_so() {
        let folder = folder("no-engine");
        for found in [
            engine(
                &folder,
                "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
            ),
            Engine::at(Path::new("/no/such/program"), "base:1"),
        ] {
            let error = found.err().expect("no engine answers");
            assert!(
                error.starts_with("no image is built, because no container engine answers: "),
                "{error}"
            );
            assert_eq!(error.lines().count(), 1);
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
