//! Variables whose names are spelt wrong.

use super::Mistake;

pub const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "the variable of the service under test, spelt wrong",
        command: "PERF_BASE_ULR=http://127.0.0.1:$DOWN sparring test smoke --vus 2 --duration 4s",
        code: 2,
        says: &[
            "the variable PERF_BASE_ULR is not a setting, so another service would be tested",
            "did you mean PERF_BASE_URL?",
        ],
    },
    Mistake {
        name: "the variable of the service under test, with two letters of its prefix exchanged",
        command: "PREF_BASE_URL=http://127.0.0.1:$DOWN sparring drill none.yaml",
        code: 2,
        says: &["did you mean PERF_BASE_URL?"],
    },
    Mistake {
        name: "the variable of the service under test, spelt wrong beside the right one",
        command: "PERF_BASE_ULR=http://a PERF_BASE_URL=http://b sparring test smoke --dry",
        code: 0,
        says: &[
            "warning: the variable PERF_BASE_ULR is not a setting; did you mean PERF_BASE_URL?",
        ],
    },
    Mistake {
        name: "a variable of k6, spelt wrong",
        command: "K6_SMOKE_DURATON=1s sparring test smoke --dry",
        code: 0,
        says: &["did you mean K6_SMOKE_DURATION?"],
    },
    Mistake {
        name: "a variable of k6, spelt wrong, for a script",
        command: "PERF_OF_A_SCRIPT=1 K6_ITERATION=1 sparring run load.js 2>&1 | grep -v PERF_",
        code: 0,
        says: &["did you mean K6_ITERATIONS?"],
    },
    Mistake {
        name: "a variable that nothing reads",
        command: "PERF_TOKEN=1 MY_X=1 ORCHESTRATION_PORT=1 sparring test smoke --dry 2>&1 | tee out; \
                  ! grep -q 'MY_X\\|ORCHESTRATION' out",
        code: 0,
        says: &["warning: the variable PERF_TOKEN is not a setting; only a script may read it"],
    },
    Mistake {
        name: "a variable that is spelt wrong, for the doctor",
        command: "K6_VSU=1 sparring doctor --base-url http://127.0.0.1:$DOWN",
        code: 1,
        says: &[
            "problem  variables",
            "the variable K6_VSU is not a setting; did you mean K6_VUS?",
        ],
    },
];
