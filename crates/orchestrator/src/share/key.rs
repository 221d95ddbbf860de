//! Keys of answers: a 32-byte hash of everything that they depend on.

use detector_api::detect::ContentType;
use sha2::{Digest, Sha256};

/// SHA-256 of everything that an answer depends on.
pub type Key = [u8; 32];

/// A detector of a plan, as far as the answer depends on it.
pub struct Part<'a> {
    pub name: &'a str,
    /// Its name in the answer.
    pub asked_as: &'a str,
    /// [`Detector::meaning`](crate::ask::registry::Detector::meaning); `None` if it is not registered.
    pub meaning: Option<&'a Key>,
    /// Its role in the plan, in bits that the caller defines.
    pub role: u8,
}

/// The question to every detector.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub tenant: &'a str,
    pub bundle: &'a str,
    /// The name of the policy, and the hash of its content.
    pub version: u64,
    pub digest: &'a Key,
    pub content_type: ContentType,
    pub content: &'a str,
}

/// SHA-256 of the question to every detector: its tenant, its policy and its content.
pub fn ask(inputs: &Inputs<'_>) -> Key {
    let mut hash = Sha256::new();
    part(&mut hash, inputs.tenant.as_bytes());
    part(&mut hash, inputs.bundle.as_bytes());
    part(&mut hash, &inputs.version.to_le_bytes());
    part(&mut hash, inputs.digest);
    part(&mut hash, &[inputs.content_type as u8]);
    part(&mut hash, inputs.content.as_bytes());
    hash.finalize().into()
}

/// Each part is preceded by its length, so that no two questions have the same encoding.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// The key of an answer: the question to every detector; the coverage below which it is partial; and the
/// detectors with their roles.
pub fn key<'a>(
    asked: &Key,
    min_coverage: f64,
    parts: impl ExactSizeIterator<Item = Part<'a>>,
) -> Key {
    let mut hash = Sha256::new();
    part(&mut hash, asked);
    part(&mut hash, &min_coverage.to_le_bytes());
    part(&mut hash, &(parts.len() as u64).to_le_bytes());
    for one in parts {
        part(&mut hash, one.name.as_bytes());
        part(&mut hash, one.asked_as.as_bytes());
        part(&mut hash, one.meaning.map_or(&[], |it| it));
        part(&mut hash, &[one.role]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_questions_have_different_keys() {
        let (one, two, joined) = (&["ab", "c"][..], &["a", "bc"][..], &["abc"][..]);
        let usual = Inputs {
            tenant: "t",
            bundle: "default",
            version: 0,
            digest: &[0; 32],
            content_type: ContentType::Text,
            content: "x",
        };
        let asked = [
            usual,
            Inputs {
                digest: &[1; 32],
                ..usual
            },
            Inputs {
                tenant: "u",
                ..usual
            },
            Inputs {
                bundle: "other",
                ..usual
            },
            Inputs {
                version: 1,
                ..usual
            },
            Inputs {
                content_type: ContentType::Code,
                ..usual
            },
            Inputs {
                content: "y",
                ..usual
            },
            Inputs {
                tenant: "td",
                bundle: "efault",
                ..usual
            },
        ]
        .map(|inputs| ask(&inputs));
        fn part<'a>(
            name: &'a str,
            asked_as: &'a str,
            meaning: Option<&'a Key>,
            role: u8,
        ) -> Part<'a> {
            Part {
                name,
                asked_as,
                meaning,
                role,
            }
        }
        let inputs = |asked, names: &[&str]| {
            let parts = names.iter().map(|name| part(name, name, None, 0));
            key(asked, 0.8, parts)
        };
        let single = |one: Part<'_>, coverage| key(&asked[0], coverage, [one].into_iter());
        let mut keys = vec![
            inputs(&asked[0], two),
            inputs(&asked[0], joined),
            single(part("ab", "ab", None, 0), 0.8),
            single(part("ab", "ab", None, 0), 0.7),
            single(part("ab", "ab", None, 1), 0.8),
            single(part("ab", "alias", None, 0), 0.8),
            single(part("c", "ab", None, 0), 0.8),
            single(part("ab", "ab", Some(&[0; 32]), 0), 0.8),
            single(part("ab", "ab", Some(&[1; 32]), 0), 0.8),
        ];
        keys.extend(asked.iter().map(|asked| inputs(asked, one)));
        let distinct: std::collections::HashSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
