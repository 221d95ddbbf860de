//! Opening a browser on a page.

use std::io;
use std::process::{Command, Stdio};

#[cfg(target_os = "macos")]
const OPENER: &str = "open";
#[cfg(not(target_os = "macos"))]
const OPENER: &str = "xdg-open";

/// Tells the desktop to show this URL; does not wait for it.
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
    // It ends when the browser has taken the page; somebody has to wait for it.
    std::thread::spawn(move || drop(opener.wait()));
    Ok(())
}
