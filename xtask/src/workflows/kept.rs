//! What a job of a workflow makes is kept: the files of its tasks are uploaded, and a release consists of archive and
//! image for every architecture.

/// The platforms of a release.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// The errors of a workflow, each a line.
pub fn faults(workflow: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for job in jobs(workflow) {
        let commands: Vec<&str> = job.lines().filter_map(super::command).collect();
        for command in commands {
            let words: Vec<&str> = command.split_whitespace().collect();
            if let Some(made) = made(&words)
                && !uploads(job, made)
            {
                faults.push(format!("`{command}`: no step uploads `{made}`"));
            }
            if command.contains(" | ") && !workflow.contains("shell: bash\n") {
                faults.push(format!(
                    "`{command}`: the exit code of the first program is lost without `shell: bash`"
                ));
            }
            if words.starts_with(&["cargo", "xtask", "dist"]) {
                faults.extend(incomplete(job, &words));
            }
        }
    }
    faults
}

/// The jobs of a workflow: the text from each key below `jobs:` to the next.
fn jobs(workflow: &str) -> Vec<&str> {
    let Some((_, jobs)) = workflow.split_once("\njobs:\n") else {
        return Vec::new();
    };
    let mut starts: Vec<usize> = jobs
        .match_indices('\n')
        .map(|(end, _)| end + 1)
        .chain([0])
        .filter(|start| {
            let line = &jobs[*start..];
            line.starts_with("  ") && !line.starts_with("   ")
        })
        .collect();
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([jobs.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &jobs[*start..end])
        .collect()
}

/// The file or folder that a command makes for others to have.
fn made<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        ["cargo", "xtask", "book", ..] => Some("target/book"),
        ["cargo", "xtask", "dist", options @ ..] => {
            let out = options.iter().skip_while(|it| **it != "--out").nth(1);
            Some(out.copied().unwrap_or("dist"))
        }
        [.., "|", "tee", file] => Some(*file),
        _ => None,
    }
}

/// Whether a step of the job uploads this path.
fn uploads(job: &str, path: &str) -> bool {
    job.split("actions/upload-artifact@").skip(1).any(|step| {
        let step = step.split("\n      - ").next().unwrap_or_default();
        step.lines()
            .any(|line| line.trim().strip_prefix("path: ") == Some(path))
    })
}

/// What a job that makes a release leaves out.
fn incomplete(job: &str, words: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for option in ["--image", "--target"] {
        if !words.contains(&option) {
            faults.push(format!("a release is made without `{option}`"));
        }
    }
    for platform in PLATFORMS {
        if !job.contains(platform) {
            faults.push(format!("a release is made without {platform}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = include_str!("../../../docs/workflows/release.yml");
    const NEWCOMER: &str = include_str!("../../../docs/workflows/newcomer.yml");

    /// The errors of `workflow` after one change, which has to apply.
    fn after(workflow: &str, from: &str, to: &str) -> Vec<String> {
        assert!(workflow.contains(from), "{from}");
        faults(&workflow.replace(from, to))
    }

    #[test]
    fn a_release_without_image_platform_or_upload_is_refused() {
        assert_eq!(faults(RELEASE), Vec::<String>::new());
        for (from, to, said) in [
            (" --image", "", "without `--image`"),
            (" --target \"$PLATFORM\"", "", "without `--target`"),
            ("aarch64-unknown", "x86_64-unknown", "without aarch64"),
            ("path: dist", "path: target", "no step uploads `dist`"),
            ("actions/upload", "actions/download", "no step uploads"),
            ("dist --target", "dist --out files --target", "`files`"),
        ] {
            let found = after(RELEASE, from, to).join("; ");
            assert!(found.contains(said), "{from}: {found}");
        }
        // Another job's upload does not count.
        let split = "\n  upload:\n    steps:\n      - uses: actions/upload-artifact";
        let found = after(RELEASE, "\n      - uses: actions/upload-artifact", split);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn the_times_of_a_newcomer_are_kept_and_its_failure_counts() {
        assert_eq!(faults(NEWCOMER), Vec::<String>::new());
        for (from, to, said) in [
            ("path: times.txt", "path: time.txt", "`times.txt`"),
            ("shell: bash\n", "shell: sh\n", "exit code"),
        ] {
            let found = after(NEWCOMER, from, to).join("; ");
            assert!(found.contains(said), "{from}: {found}");
        }
    }
}
