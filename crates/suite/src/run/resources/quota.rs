//! The share of the processors that a control group leaves to this process, cgroups(7).

use std::fs::read_to_string;
use std::path::Path;

/// The mount point of control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// Cores that the tightest limit above this process allows; `None` without a limit.
pub fn cores() -> Option<f64> {
    let memberships = read_to_string("/proc/self/cgroup").ok()?;
    tightest(Path::new(ROOT), &memberships)
}

/// By the lines of `/proc/self/cgroup`: `0::/PATH` for version 2, `4:cpu,cpuacct:/PATH` for version 1.
fn tightest(root: &Path, memberships: &str) -> Option<f64> {
    let limits = memberships.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => of_groups(root, path, of_version_2)
                .or_else(|| of_groups(&root.join("unified"), path, of_version_2)),
            _ if controllers.split(',').any(|it| it == "cpu") => {
                let mounted = [root.join(controllers), root.join("cpu")];
                mounted
                    .iter()
                    .find_map(|root| of_groups(root, path, of_version_1))
            }
            _ => None,
        }
    });
    limits.reduce(f64::min)
}

/// The smallest limit of a group and its ancestors.
fn of_groups(root: &Path, path: &str, limit: fn(&Path) -> Option<f64>) -> Option<f64> {
    let own = Path::new(path.trim_start_matches('/'));
    let limits = own.ancestors().filter_map(|group| limit(&root.join(group)));
    limits.reduce(f64::min)
}

/// `max 100000`, or `10000 100000`: microseconds of each period.
fn of_version_2(group: &Path) -> Option<f64> {
    let text = read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.split_once(' ')?;
    share(quota, period)
}

/// -1 without a limit.
fn of_version_1(group: &Path) -> Option<f64> {
    let quota = read_to_string(group.join("cpu.cfs_quota_us")).ok()?;
    let period = read_to_string(group.join("cpu.cfs_period_us")).ok()?;
    share(&quota, &period)
}

fn share(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.trim().parse().ok()?;
    let period: f64 = period.trim().parse().ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(root: &Path, path: &str, files: &[(&str, &str)]) {
        let folder = root.join(path);
        std::fs::create_dir_all(&folder).expect("writable");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("writable");
        }
    }

    #[test]
    fn the_tightest_limit_of_all_groups_counts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let root = root.path();
        group(root, "a", &[("cpu.max", "50000 100000\n")]);
        group(root, "a/b", &[("cpu.max", "max 100000\n")]);
        assert_eq!(
            tightest(root, "0::/a/b\n"),
            Some(0.5),
            "that of the group above"
        );
        assert_eq!(tightest(root, "0::/\n"), None);
        let old = [
            ("cpu.cfs_quota_us", "10000\n"),
            ("cpu.cfs_period_us", "100000\n"),
        ];
        group(root, "cpu/c", &old);
        assert_eq!(tightest(root, "3:memory:/c\n1:cpu:/c\n0::/a\n"), Some(0.1));
        let none = [
            ("cpu.cfs_quota_us", "-1\n"),
            ("cpu.cfs_period_us", "100000\n"),
        ];
        group(root, "cpu,cpuacct/d", &none);
        assert_eq!(tightest(root, "1:cpu,cpuacct:/d\n"), None);
    }
}
