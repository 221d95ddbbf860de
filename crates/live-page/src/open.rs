//! Opening a browser on a page.

use std::io;
use std::process::{Command, Stdio};

#[cfg(target_os = "macos")]
const OPENER: &str = "open";
#[cfg(not(target_os = "macos"))]
const OPENER: &str = "xdg-open";

/// Opens this URL in the desktop's browser without waiting for it.
///
/// # Errors
/// There is no desktop.
pub fn open(url: &str) -> io::Result<()> {
    let opener = Command::new(OPENER)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut opener = opener?;
    // It exits when the browser has opened the page, and has to be waited for.
    std::thread::spawn(move || drop(opener.wait()));
    Ok(())
}
