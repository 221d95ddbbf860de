//! Files that cannot be read, are not text, or are of another kind.

use super::Mistake;

pub const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "a --config that is not there, of the doctor",
        command: "sparring doctor --config none.yaml",
        code: 1,
        says: &["cannot read none.yaml: No such file or directory"],
    },
    Mistake {
        name: "a system that is not UTF-8",
        command: "sparring target latin.yaml",
        code: 2,
        says: &["cannot read latin.yaml: it is not UTF-8 text"],
    },
    Mistake {
        name: "a drill that is not UTF-8",
        command: "sparring drill latin.yaml",
        code: 2,
        says: &["cannot read latin.yaml", "it is not UTF-8 text"],
    },
    Mistake {
        name: "a table that is not UTF-8",
        command: "sparring analyze capacity latin.yaml",
        code: 1,
        says: &["it is not UTF-8 text"],
    },
    Mistake {
        name: "a script that is not UTF-8, which k6 refuses, too",
        command: "sparring run latin.js",
        code: 107,
        says: &["latin.js: Line 1:7 Invalid UTF-8 character"],
    },
    Mistake {
        name: "a module that is not UTF-8",
        command: "sparring run import.js",
        code: 107,
        says: &["latin.js: Line 1:7 Invalid UTF-8 character"],
    },
    Mistake {
        name: "a script that is not UTF-8, for the doctor",
        command: "sparring doctor --script latin.js --base-url http://127.0.0.1:$DOWN",
        code: 1,
        says: &["Invalid UTF-8 character; save the file as UTF-8"],
    },
    Mistake {
        name: "a drill without most of its sections",
        command: "sparring check drill.yaml",
        code: 1,
        says: &["drill.yaml has ", "steady_state", "recover"],
    },
    Mistake {
        name: "a number instead of a string",
        command: "sparring check number.yaml",
        code: 1,
        says: &[
            "found 7, expected an IP address",
            "found 7, expected a string",
        ],
    },
    Mistake {
        name: "a full disk for the output",
        command: "sparring config >/dev/full 2>told; code=$?; cat told; [ \"$(wc -l <told)\" = 1 ] && exit $code",
        code: 1,
        says: &["the output cannot be written: no storage space"],
    },
    Mistake {
        name: "a URL without a host",
        command: "sparring test smoke --base-url http://",
        code: 2,
        says: &["--base-url: `http://` has no host"],
    },
];
