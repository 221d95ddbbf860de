//! A settings file that is followed while the service runs, by its content: times and lengths may
//! be the same after a change (`cp -p`, a checkout with fixed times), and a notification by the
//! system does not reach into containers and network mounts.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often the file is checked.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a change has to last: an editor may write a file in pieces, and a part of it may be valid.
const SETTLED: Duration = Duration::from_millis(750);

/// One file.
#[derive(Debug)]
pub struct FollowedFile {
    path: PathBuf,
    /// The content that was reported last; `None` at first, since the file may have changed since it was read.
    known: Option<Vec<u8>>,
    /// Different content, and its first observation.
    seen: Option<(Vec<u8>, Instant)>,
}

impl FollowedFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            known: None,
            seen: None,
        }
    }

    /// Waits until the file has other content than before and has been stable for a moment; the first time,
    /// until it has been stable. While it is absent or not a regular file, it counts as unchanged. Dropping the
    /// future loses nothing.
    pub async fn changed(&mut self) {
        loop {
            let path = self.path.clone();
            let content = tokio::task::spawn_blocking(move || read(&path).ok());
            let content = content.await.ok().flatten();
            if self.look(content, Instant::now()) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Marks the current content as known, because it was read for another reason.
    pub fn was_read(&mut self) {
        self.known = read(&self.path).ok().or(self.known.take());
        self.seen = None;
    }

    /// Whether this content is new and stable; it is then marked as known.
    fn look(&mut self, content: Option<Vec<u8>>, now: Instant) -> bool {
        let new = content.filter(|content| self.known.as_ref() != Some(content));
        let Some(content) = new else {
            self.seen = None;
            return false;
        };
        match &self.seen {
            Some((seen, since)) if *seen == content => {
                if now.duration_since(*since) < SETTLED {
                    return false;
                }
                self.seen = None;
                self.known = Some(content);
                true
            }
            _ => {
                self.seen = Some((content, now));
                false
            }
        }
    }
}

/// The content of a regular file. Never blocks: the reader of a pipe would wait for its writer and keep the
/// process from ending.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks in steps of half the settling time, `None` while the file is absent; `!` after a check that finds
    /// a change.
    fn check(looks: &[Option<&str>], expected: &[bool]) {
        let mut file = FollowedFile::new("");
        let mut now = Instant::now();
        let found: Vec<bool> = looks
            .iter()
            .map(|look| {
                now += SETTLED / 2;
                file.look(look.map(|text| text.as_bytes().to_vec()), now)
            })
            .collect();
        assert_eq!(found, expected, "{looks:?}");
    }

    #[test]
    fn a_change_counts_once_it_has_lasted() {
        let (a, b, half) = (Some("a"), Some("b"), Some("hal"));
        check(&[a, a, a, a], &[false, false, true, false]);
        check(
            &[a, a, a, b, b, b, b],
            &[false, false, true, false, false, true, false],
        );
        // Written in pieces: only the final content counts.
        check(
            &[a, a, a, half, half, b, b, b],
            &[false, false, true, false, false, false, false, true],
        );
        // Reverted before it counted, and absent for a while.
        check(
            &[a, a, a, b, b, a, a, a],
            &[false, false, true, false, false, false, false, false],
        );
        check(
            &[a, a, a, None, None, None, b, None, b, b, b],
            &[
                false, false, true, false, false, false, false, false, false, false, true,
            ],
        );
    }

    #[tokio::test]
    async fn only_the_content_counts_not_time_or_length() {
        let folder = std::env::temp_dir().join(format!("followed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("settings");
        std::fs::write(&path, "one").expect("writable");
        let modified = std::fs::metadata(&path).and_then(|it| it.modified());
        let mut file = FollowedFile::new(&path);
        file.changed().await;
        std::fs::write(&path, "two").expect("writable");
        let handle = std::fs::File::options().write(true).open(&path);
        let restored = handle.and_then(|it| it.set_modified(modified.expect("a time")));
        restored.expect("its own file");
        let changed = tokio::time::timeout(Duration::from_secs(30), file.changed()).await;
        changed.expect("it is seen");
        std::fs::write(&path, "six").expect("writable");
        file.was_read();
        let changed = tokio::time::timeout(3 * SETTLED, file.changed()).await;
        changed.expect_err("it was read already");
        std::fs::remove_dir_all(&folder).expect("its own folder");
    }

    #[tokio::test]
    async fn a_pipe_in_place_of_the_file_counts_as_absent_and_does_not_block() {
        let folder = std::env::temp_dir().join(format!("followed-pipe-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("settings");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        let mut file = FollowedFile::new(&path);
        file.was_read();
        let changed = tokio::time::timeout(3 * SETTLED, file.changed()).await;
        changed.expect_err("nothing was read");
        std::fs::remove_file(&path).expect("its own file");
        std::fs::write(&path, "back").expect("writable");
        let changed = tokio::time::timeout(Duration::from_secs(30), file.changed()).await;
        changed.expect("it is seen");
        std::fs::remove_dir_all(&folder).expect("its own folder");
    }
}
