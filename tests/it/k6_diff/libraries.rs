//! The usual libraries behave as in k6: each script of `tests/k6-libraries/` uses one.
//!
//! Libraries are fetched when the test runs and are no part of the repository. They come from the folder that
//! `K6_LIBRARIES` names, where `https://host/path` is `host/path` (so that `jslib.k6.io` can be the folder `lib` of its
//! repository), or else from the network, or else, where a script says `// npm: package@version file`, from the npm
//! registry. A script whose library is not available is skipped with a message.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::case::Case;
use super::{find_k6, judge, look_again, server};

/// The sources of libraries.
struct Sources {
    folder: Option<PathBuf>,
    has_network: bool,
}

#[test]
fn libraries_do_what_they_do_in_k6() {
    let Some(k6) = find_k6() else { return };
    let sources = Sources::find();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/k6-libraries");
    let filter = std::env::var("K6_DIFF").unwrap_or_default();
    let entries = std::fs::read_dir(scripts).expect("tests/k6-libraries is part of the repository");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| path.to_string_lossy().contains(&filter));
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in tests/k6-libraries");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = paths.iter().filter_map(|path| {
        let text = std::fs::read_to_string(path).expect("scripts can be read");
        let Some(text) = sources.fill(&text, folder.path()) else {
            eprintln!("skipped: {}: its library cannot be fetched", path.display());
            return None;
        };
        let own = folder
            .path()
            .join(path.file_name().expect("scripts are files"));
        std::fs::write(&own, text).expect("it can be written");
        Some(Case::read(own))
    });
    let cases: Vec<Case> = cases.collect();
    if cases.is_empty() {
        return; // reported above
    }
    let server = server::start();
    let mut wrong = Vec::new();
    for case in &cases {
        let at_first = judge(&k6, case, &server);
        wrong.extend(look_again(&k6, case, &server, at_first));
    }
    let report = wrong.join("\n");
    assert!(wrong.is_empty(), "of {} libraries:\n{report}", cases.len());
    eprintln!("{} libraries do what they do in k6", cases.len());
}

impl Sources {
    fn find() -> Self {
        let addresses = "jslib.k6.io:443".to_socket_addrs();
        let mut addresses = addresses.into_iter().flatten();
        let is_reached = |address| TcpStream::connect_timeout(&address, Duration::from_secs(5));
        Self {
            folder: std::env::var_os("K6_LIBRARIES").map(PathBuf::from),
            has_network: addresses.any(|address| is_reached(address).is_ok()),
        }
    }

    /// The text with its imports replaced by available sources. `None` if one is not available.
    fn fill(&self, text: &str, scratch: &Path) -> Option<String> {
        let mut filled = String::new();
        for line in text.lines() {
            match line.split_once(" from 'https://") {
                Some((names, address)) => {
                    let address = address.strip_suffix("';").expect("the line ends there");
                    let from = self.find_library(text, address, scratch)?;
                    filled += &format!("{names} from '{from}';\n");
                }
                None => filled += &format!("{line}\n"),
            }
        }
        Some(filled)
    }

    fn find_library(&self, text: &str, address: &str, scratch: &Path) -> Option<String> {
        if let Some(folder) = &self.folder {
            let path = folder.join(address);
            return path.is_file().then(|| path.display().to_string());
        }
        if self.has_network {
            return Some(format!("https://{address}"));
        }
        let package = text
            .lines()
            .find_map(|line| line.strip_prefix("// npm: "))?;
        let (package, file) = package.split_once(' ').expect("a package and a file");
        let path = unpack(package, scratch)?.join(file);
        path.is_file().then(|| path.display().to_string())
    }
}

/// The files of a package of the npm registry.
fn unpack(package: &str, scratch: &Path) -> Option<PathBuf> {
    let folder = scratch.join(package.replace('@', "-"));
    std::fs::create_dir_all(&folder).expect("it can be made");
    let packed = Command::new("npm")
        .args([
            "pack",
            "--silent",
            "--fetch-retries=0",
            "--pack-destination",
        ])
        .arg(&folder)
        .arg(package)
        .current_dir(&folder)
        .output()
        .ok()
        .filter(|packed| packed.status.success())?;
    let name = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(folder.join(name))
        .arg("-C")
        .arg(&folder)
        .status();
    unpacked
        .is_ok_and(|status| status.success())
        .then(|| folder.join("package"))
}
