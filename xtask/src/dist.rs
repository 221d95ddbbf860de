//! The files of a release: an archive for one platform, an SBOM, checksums and, if asked for, the container image.

mod archive;
mod image;
mod sbom;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use sha2::{Digest, Sha256};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder for the files
    #[arg(long, value_name = "FOLDER", default_value = "dist")]
    out: PathBuf,
    /// Pack this binary instead of building one with the profile `dist`
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Platform of the binary, such as x86_64-unknown-linux-musl for a static one; without it this machine's
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Also build the container image with this machine's engine, export it, and check what it adds to its base: at
    /// most 40 MB compressed; the binary has to run on the base
    #[arg(long)]
    image: bool,
}

/// Files of the repository that go into the archive, with their names there.
const DOCUMENTS: [&str; 5] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "detectors.yaml",
];

/// A shell, and the name of its completion script.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "sparring.bash"),
    ("zsh", "_sparring"),
    ("fish", "sparring.fish"),
];

/// Builds the release files. Returns whether it succeeded.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    match make(root, arguments) {
        Ok(files) => {
            for file in files {
                println!("dist: {}", file.display());
            }
            true
        }
        Err(error) => {
            println!("dist: {error}");
            false
        }
    }
}

fn make(root: &Path, arguments: &Arguments) -> Result<Vec<PathBuf>, String> {
    let platform = match &arguments.target {
        Some(target) => target.clone(),
        None => host().ok_or("rustc does not name this machine's platform")?,
    };
    let engine = match arguments.image {
        true => Some(image::Engine::find()?),
        false => None,
    };
    let bill = sbom::of(root, "sparring", &platform)?;
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => build(root, &bill.target_folder, arguments.target.as_deref())?,
    };
    let name = format!("sparring-{}-{platform}", bill.version);
    let mut entries = documents(root)?;
    entries.extend(generated(&binary)?);
    let executable = read(&binary)?;
    entries.push(archive::Entry::new("sparring", executable).executable());
    let out = root.join(&arguments.out);
    std::fs::create_dir_all(&out).map_err(|error| told(&out, &error))?;
    let packed = archive::pack(&name, entries, changed(root))
        .map_err(|error| format!("the archive: {error}"))?;
    let mut written = Vec::new();
    let mut sums = String::new();
    for (file, bytes) in [
        (format!("{name}.tar.gz"), packed),
        (format!("{name}.cdx.json"), bill.json.into_bytes()),
    ] {
        let path = out.join(&file);
        std::fs::write(&path, &bytes).map_err(|error| told(&path, &error))?;
        sums.push_str(&format!("{}  {file}\n", sha256(&bytes)));
        written.push(path);
    }
    if let Some(engine) = engine {
        let (tag, file) = (
            format!("sparring:{}", bill.version),
            format!("{name}.image.tar.gz"),
        );
        let path = out.join(&file);
        let added = engine.export(root, &binary, &tag, &path)?;
        println!(
            "dist: {tag} adds {} to {}, {} compressed",
            megabytes(added.stored),
            engine.base(),
            megabytes(added.compressed)
        );
        added.within_limit()?;
        sums.push_str(&format!("{}  {file}\n", sha256(&read(&path)?)));
        written.push(path);
    }
    let path = out.join(format!("{name}.sha256"));
    std::fs::write(&path, sums).map_err(|error| told(&path, &error))?;
    written.push(path);
    Ok(written)
}

/// The same as in the Dockerfile, for this machine's platform or another one.
fn build(root: &Path, folder: &Path, platform: Option<&str>) -> Result<PathBuf, String> {
    let built = Command::new("cargo")
        .args(["build", "--profile", "dist", "--locked"])
        .args(["--package", "sparring"])
        .args(["--config", "profile.dist.strip=true"])
        .args(platform.iter().flat_map(|it| ["--target", it]))
        .current_dir(root)
        .status();
    match built {
        Ok(status) if status.success() => Ok(folder
            .join(platform.unwrap_or_default())
            .join("dist/sparring")),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(error) => Err(format!("cargo build: {error}")),
    }
}

fn documents(root: &Path) -> Result<Vec<archive::Entry>, String> {
    let files = DOCUMENTS.iter();
    files
        .map(|name| Ok(archive::Entry::new(*name, read(&root.join(name))?)))
        .collect()
}

/// The completion scripts and man pages that the binary prints.
fn generated(binary: &Path) -> Result<Vec<archive::Entry>, String> {
    let mut entries = Vec::new();
    for (shell, file) in SHELLS {
        let script = output(binary, &["completions", shell])?;
        entries.push(archive::Entry::new(format!("completions/{file}"), script));
    }
    let folder = std::env::temp_dir().join(format!("sparring-dist-{}", std::process::id()));
    let place = folder.display().to_string();
    output(binary, &["manual", "--man", &place])?;
    let pages = std::fs::read_dir(&folder).map_err(|error| told(&folder, &error))?;
    let mut pages: Vec<PathBuf> = pages.flatten().map(|page| page.path()).collect();
    pages.sort();
    for page in pages {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        entries.push(archive::Entry::new(
            format!("man/man1/{name}"),
            read(&page)?,
        ));
    }
    std::fs::remove_dir_all(&folder).map_err(|error| told(&folder, &error))?;
    Ok(entries)
}

fn output(binary: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let called = || format!("{} {}", binary.display(), arguments.join(" "));
    let output = Command::new(binary).args(arguments).output();
    let output = output.map_err(|error| format!("{}: {error}", called()))?;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(format!("{}: {}", called(), output.status));
    }
    Ok(output.stdout)
}

/// The triple of this machine.
fn host() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(host.to_owned())
}

/// The time of the last change of the sources, in seconds since 1970, so that the same sources give the same archive.
fn changed(root: &Path) -> u64 {
    let log = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(root)
        .output();
    let text = log.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| told(path, &error))
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_one_that_sha256sum_prints() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
    }

    #[test]
    fn a_binary_that_cannot_describe_itself_is_refused() {
        let error = generated(Path::new("/bin/false")).expect_err("it fails");
        assert!(error.contains("completions bash"), "{error}");
    }

    #[test]
    fn every_document_of_the_archive_is_there() {
        let documents = documents(&crate::root()).expect("all are there");
        assert_eq!(documents.len(), DOCUMENTS.len());
    }
}
