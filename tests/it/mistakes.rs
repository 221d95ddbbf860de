//! The typical mistakes of beginners: message and exit code of each, in a table.

mod files;
mod variables;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::binary::Ended;

/// A command with a mistake, its exit code and its message.
struct Mistake {
    name: &'static str,
    /// Run by a shell, in a folder with the files below. `$DOWN` is a port without a listener, `$TAKEN`
    /// one in use; `unprivileged` runs a command to which file permissions apply.
    command: &'static str,
    /// The exit code.
    code: i32,
    says: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "a file that is not there",
        command: "sparring check none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a test",
        command: "sparring test smoke --dry --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a configuration",
        command: "sparring config --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a plan",
        command: "sparring plan --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a suite's plan",
        command: "sparring plan acis load --k6-options --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a stack",
        command: "sparring up --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of mocks",
        command: "sparring mock --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of an orchestrator",
        command: "sparring orchestrator --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a --config that is not there, of a fault",
        command: "sparring fault one --failure-rate 0.5 --config none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a drill that is not there",
        command: "sparring drill none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a system that is not there",
        command: "sparring target none.yaml",
        code: 2,
        says: &["cannot read none.yaml", "No such file"],
    },
    Mistake {
        name: "a key that is spelt wrong",
        command: "sparring check key.yaml",
        code: 1,
        says: &[
            "key.yaml has 1 error:",
            "service.prot: unknown field; did you mean `port`?",
        ],
    },
    Mistake {
        name: "an indentation that is off",
        command: "sparring check indentation.yaml",
        code: 1,
        says: &["indentation.yaml is not valid YAML", "line 3"],
    },
    Mistake {
        name: "a port that is taken",
        command: "sparring up --quiet --config taken.yaml",
        code: 1,
        says: &[
            "cannot listen on 127.0.0.1:",
            "already in use by another process; --free-ports takes any free ports",
        ],
    },
    Mistake {
        name: "a port that is taken, for a system",
        command: "sparring target acis --port $TAKEN",
        code: 1,
        says: &["already in use by another process; --port takes another one"],
    },
    Mistake {
        name: "a detector that does not exist",
        command: "sparring plan mock-detector-failin",
        code: 2,
        says: &[
            "no detector `mock-detector-failin`",
            "did you mean `mock-detector-failing`?",
        ],
    },
    Mistake {
        name: "a rate above one",
        command: "sparring fault mock-detector-failing --failure-rate 1.5",
        code: 2,
        says: &[
            "'1.5' for '--failure-rate <SHARE>'",
            "use a number from 0 to 1",
        ],
    },
    Mistake {
        name: "a fault for a stack that does not run",
        command: "sparring fault one --failure-rate 0.5 --config down.yaml",
        code: 1,
        says: &[
            "no simulated server answers on 127.0.0.1:",
            "is `sparring up`, `sparring mock` or `sparring target` running?",
        ],
    },
    Mistake {
        name: "a service that is down",
        command: "sparring test smoke --base-url http://127.0.0.1:$DOWN",
        code: 1,
        says: &[
            "no service answers at http://127.0.0.1:",
            "connection refused",
        ],
    },
    Mistake {
        name: "a URL without a scheme",
        command: "sparring test smoke --base-url localhost",
        code: 2,
        says: &["--base-url: `localhost` must start with http:// or https://"],
    },
    Mistake {
        name: "a script that is not there",
        command: "sparring run none.js",
        code: 255,
        says: &["the script 'none.js' couldn't be found"],
    },
    Mistake {
        name: "a suite's script that is not there",
        command: "sparring test smoke --script none.js",
        code: 2,
        says: &["--script: the file none.js does not exist"],
    },
    Mistake {
        name: "an option that is spelt wrong",
        command: "sparring test smoke --time-scal 0.1",
        code: 2,
        says: &[
            "unexpected argument '--time-scal'",
            "a similar argument exists: '--time-scale'",
        ],
    },
    Mistake {
        name: "a word instead of a number",
        command: "sparring run load.js --vus many",
        code: 2,
        says: &["invalid value 'many' for '--vus <N>': use a whole number"],
    },
    Mistake {
        name: "a test that is spelt wrong",
        command: "sparring test smok",
        code: 2,
        says: &["no test and no user class `smok`; did you mean `smoke`?"],
    },
    Mistake {
        name: "a system that is spelt wrong",
        command: "sparring target agent36",
        code: 2,
        says: &["`agent36` is neither a system nor a file; did you mean `agent360`?"],
    },
    Mistake {
        name: "a command that is spelt wrong",
        command: "sparring chek",
        code: 2,
        says: &[
            "unrecognized subcommand 'chek'",
            "a similar subcommand exists: 'check'",
        ],
    },
    Mistake {
        name: "a variable that is spelt wrong",
        command: "SPARRING_SERVICE__PROT=9000 sparring check",
        code: 1,
        says: &[
            "service.prot: unknown field; did you mean `port`?",
            "from SPARRING_SERVICE__PROT",
        ],
    },
    Mistake {
        name: "a variable of a flag that is spelt wrong",
        command: "SPARRING_CONFG=latin.yaml sparring check",
        code: 0,
        says: &["the variable SPARRING_CONFG is not a setting; did you mean SPARRING_CONFIG?"],
    },
    Mistake {
        name: "a variable with one underscore instead of two",
        command: "SPARRING_ORCHESTRATION_REDIS_URL=redis://h sparring check",
        code: 0,
        says: &["did you mean SPARRING_ORCHESTRATION__REDIS_URL?"],
    },
    Mistake {
        name: "a variable with a word for a number",
        command: "SPARRING_SERVICE__PORT=http sparring check",
        code: 1,
        says: &[
            "a whole number from 0 to 65535",
            "from SPARRING_SERVICE__PORT",
        ],
    },
    Mistake {
        name: "a file that is not UTF-8",
        command: "sparring check latin.yaml",
        code: 2,
        says: &["cannot read latin.yaml", "not UTF-8 text"],
    },
    Mistake {
        name: "an empty file",
        command: "sparring check empty.yaml",
        code: 1,
        says: &["empty.yaml is empty; a fleet is a mapping with `detectors`"],
    },
    Mistake {
        name: "a directory instead of a file",
        command: "sparring check .",
        code: 2,
        says: &["cannot read .", "it is a directory"],
    },
    Mistake {
        name: "a file without permission",
        command: "chmod 000 key.yaml; unprivileged sparring check key.yaml",
        code: 2,
        says: &["cannot read key.yaml", "Permission denied"],
    },
    Mistake {
        name: "a low limit of open files",
        command: "ulimit -n 10; sparring up --free-ports --quiet",
        code: 1,
        says: &["too many files are open", "`ulimit -n 65535`"],
    },
    Mistake {
        name: "a suite that is not UTF-8",
        command: "sparring test latin.yaml",
        code: 2,
        says: &["cannot read latin.yaml", "it is not UTF-8 text"],
    },
    Mistake {
        name: "a folder instead of a suite, as a path",
        command: "sparring test ./closed",
        code: 2,
        says: &["cannot read ./closed", "it is a directory; name a file"],
    },
    Mistake {
        name: "a folder instead of a suite, as a word",
        command: "sparring test closed",
        code: 2,
        says: &["closed is a folder; name a suite file in it"],
    },
    Mistake {
        name: "a suite that is empty",
        command: "sparring test empty.yaml",
        code: 2,
        says: &["empty.yaml is empty"],
    },
    Mistake {
        name: "results that are not there",
        command: "sparring test acis --report-only --results none",
        code: 1,
        says: &["the folder none does not exist; run a test first"],
    },
    Mistake {
        name: "a time without a unit",
        command: "sparring check steady.yaml",
        code: 1,
        says: &[
            "steady.yaml has 1 error:",
            "steady.for: ",
            "a duration with its unit",
        ],
    },
    Mistake {
        name: "a port that is taken, for a mock",
        command: "sparring mock --config taken.yaml",
        code: 1,
        says: &["already in use by another process; name a single detector with --port"],
    },
    Mistake {
        name: "a limit of open files that is too low for the mocks",
        command: "ulimit -n 16; sparring up --free-ports --quiet",
        code: 1,
        says: &["`ulimit -n 65535`"],
    },
    Mistake {
        name: "a Prometheus that does not listen",
        command: "sparring test acis load --prometheus http://127.0.0.1:$DOWN",
        code: 1,
        says: &["cannot be queried: Connection refused"],
    },
    Mistake {
        name: "a flag with two letters exchanged",
        command: "sparring run --vsu 3 load.js",
        code: 2,
        says: &["a similar argument exists: '--vus'"],
    },
    Mistake {
        name: "no home directory",
        command: "unset HOME XDG_STATE_HOME; sparring up --quiet --config down.yaml >out 2>&1 & \
                  until grep -q ready out || ! kill -0 $!; do sleep 0.05; done; \
                  kill -TERM $!; wait $!; code=$?; cat out; exit $code",
        code: 0,
        says: &["neither XDG_STATE_HOME nor HOME is set", "--data-dir"],
    },
    Mistake {
        name: "a folder for results that cannot be written",
        command: "chmod 555 closed; unprivileged sparring test smoke --results closed/results",
        code: 1,
        says: &[
            "results cannot be written to closed/results: permission denied",
            "--results FOLDER",
        ],
    },
    Mistake {
        name: "a closed standard input",
        command: "sparring run - <&-",
        code: 255,
        says: &[
            "could not initialize '-'",
            "no exported functions in script",
        ],
    },
    Mistake {
        name: "a reader that leaves",
        command: "sparring manual | true; exit $((PIPESTATUS[0] == 0 ? 141 : PIPESTATUS[0]))",
        code: 141,
        says: &[],
    },
    Mistake {
        name: "nothing to change",
        command: "sparring fault mock-detector-failing",
        code: 2,
        says: &["nothing to change; see `sparring fault --help`"],
    },
    Mistake {
        name: "a run that does not exist",
        command: "sparring report yesterday",
        code: 1,
        says: &["no run `yesterday`"],
    },
    Mistake {
        name: "a fleet file instead of a suite",
        command: "sparring test key.yaml",
        code: 2,
        says: &["key.yaml is a fleet file; `--config key.yaml` takes it"],
    },
    Mistake {
        name: "a fleet file instead of a drill",
        command: "sparring drill key.yaml",
        code: 1,
        says: &["key.yaml is a fleet file"],
    },
    Mistake {
        name: "a simulated system instead of a drill",
        command: "sparring drill acis",
        code: 2,
        says: &["`sparring test acis fault-tolerance` injects the faults of its suite"],
    },
    Mistake {
        name: "a URL instead of a drill",
        command: "sparring drill http://127.0.0.1:$DOWN",
        code: 2,
        says: &[
            "is not the file of a drill; `sparring drill FILE --orchestrator http://127.0.0.1:",
        ],
    },
    Mistake {
        name: "a script instead of a configuration",
        command: "sparring check load.js",
        code: 1,
        says: &["load.js is a script; `sparring doctor --script load.js` tries it"],
    },
    Mistake {
        name: "a file where a folder is expected",
        command: "sparring init load.js",
        code: 2,
        says: &["load.js is a file; name a folder"],
    },
    Mistake {
        name: "a folder that cannot be written",
        command: "chmod 555 closed; cd closed; unprivileged sparring init",
        code: 1,
        says: &["load.js cannot be written: permission denied"],
    },
    Mistake {
        name: "a script with a syntax error",
        command: "sparring run broken.js",
        code: 107,
        says: &["broken.js", "Line "],
    },
];

/// Parts of messages that are only for developers of this project.
const INTERNAL: [&str; 6] = [
    "panicked",
    "RUST_BACKTRACE",
    ".rs:",
    "crates/",
    "src/",
    "os error",
];
const TYPES: [&str; 14] = [
    "u8", "u16", "u32", "u64", "usize", "i32", "i64", "f64", "PathBuf", "HashMap", "IndexMap",
    "Vec", "Option", "struct",
];

/// A suite with one mistake: the time has no unit.
const STEADY: &str = "
suite: s
default: [one]
all: [one]
classes: { User: { script: load.js, exec: default, wait_s: [0, 0] } }
tests:
  one:
    about: One.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 1 } }, { steady: { for: 9 } }]
    judge: { checks: 1.0 }
";

fn prepare(folder: &Path, down: u16, taken: u16) {
    let fleet = |port| {
        format!(
            "service: {{ port: 0 }}\ndetectors: {{ one: {{ endpoint: 'http://127.0.0.1:{port}/' }} }}\n"
        )
    };
    // With a fixed port, since a service on any free port has no persistent state.
    let kept = fleet(down).replace("port: 0", &format!("port: {}", free()));
    for (name, text) in [
        (
            "key.yaml",
            "service: { prot: 1 }\ndetectors: { one: { endpoint: 'http://127.0.0.1:1/' } }\n"
                .into(),
        ),
        (
            "indentation.yaml",
            "service:\n  port: 8000\n   host: 127.0.0.1\n".into(),
        ),
        ("taken.yaml", fleet(taken)),
        ("down.yaml", kept),
        ("empty.yaml", String::new()),
        ("steady.yaml", STEADY.into()),
        ("broken.js", "export default function ( {\n".into()),
        ("load.js", "export default function () {}\n".into()),
        (
            "import.js",
            "import './latin.js';\nexport default function () {}\n".into(),
        ),
        ("drill.yaml", "title: t\nfaults: []\n".into()),
        (
            "number.yaml",
            "service: { host: 7 }\ndetectors: { one: { endpoint: 7 } }\n".into(),
        ),
    ] {
        std::fs::write(folder.join(name), text).expect("writable");
    }
    std::fs::write(folder.join("latin.yaml"), b"detectors: { caf\xe9: {} }\n").expect("writable");
    std::fs::write(folder.join("latin.js"), b"// caf\xe9\n").expect("writable");
    std::fs::create_dir(folder.join("closed")).expect("writable");
}

/// A port without a listener.
fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// Runs a command as a user to whom file permissions apply, unlike the superuser.
const UNPRIVILEGED: &str = "unprivileged() { if [ \"$(id -u)\" = 0 ]; then \
    setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search \"$@\"; \
    else \"$@\"; fi; }\n";

fn make(mistake: &Mistake, down: u16, taken: u16) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path(), down, taken);
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let folders = [binary.parent().expect("a folder").to_owned()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)));
    let script = format!("{UNPRIVILEGED}{}", mistake.command);
    let mut shell = Command::new("timeout");
    shell.args(["60", "bash", "-c", &script]);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        let is_ours = ["K6_", "SPARRING_", "PERF_", "ORCHESTRATION_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if is_ours || text.ends_with("_PROXY") {
            shell.env_remove(&name);
        }
    }
    let output = shell
        .current_dir(folder.path())
        .env("PATH", path.expect("a search path"))
        .env("NO_COLOR", "1")
        .env("DOWN", down.to_string())
        .env("TAKEN", taken.to_string())
        .stdin(std::process::Stdio::null())
        .output();
    output.expect("there is a shell").into()
}

#[test]
fn each_typical_mistake_is_told_in_words_that_help() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = held.local_addr().expect("bound").port();
    let mut wrong = Vec::new();
    let tables = [MISTAKES, variables::MISTAKES, files::MISTAKES];
    for mistake in tables.into_iter().flatten() {
        let ended = make(mistake, free(), taken);
        let text = format!("{}{}", ended.stdout, ended.stderr);
        let mut found = Vec::new();
        if ended.code != Some(mistake.code) {
            found.push(format!("exit code {:?}, not {}", ended.code, mistake.code));
        }
        let missing = mistake.says.iter().filter(|words| !text.contains(**words));
        found.extend(missing.map(|words| format!("it does not say {words:?}")));
        found.extend(internal(&text));
        if !found.is_empty() {
            let (name, found) = (mistake.name, found.join("\n  "));
            wrong.push(format!("{name}: {}\n  {found}\n{text}", mistake.command));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words that are not for users.
fn internal(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let types = words.filter(|word| TYPES.contains(word)).map(str::to_owned);
    let marks = INTERNAL.iter().filter(|mark| text.contains(**mark));
    let found = types.chain(marks.map(ToString::to_string));
    found.map(|word| format!("it says {word:?}")).collect()
}

#[test]
fn words_that_are_not_for_users_are_found() {
    assert_eq!(internal("expected u16 at crates/fleet").len(), 2);
    assert!(internal("Options: use a whole number from 0 to 65535").is_empty());
}
