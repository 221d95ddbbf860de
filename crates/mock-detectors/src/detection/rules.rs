//! The detection rules.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern and its meaning.
pub(super) struct Rule {
    pub(super) label: &'static str,
    pub(super) category: &'static str,
    pub(super) score: f64,
    pub(super) pattern: &'static str,
    /// A check beyond the regular expression.
    pub(super) valid: fn(&str) -> bool,
}

fn any(_: &str) -> bool {
    true
}

const fn rule(
    label: &'static str,
    category: &'static str,
    score: f64,
    pattern: &'static str,
) -> Rule {
    Rule {
        label,
        category,
        score,
        pattern,
        valid: any,
    }
}

pub(super) static RULES: [Rule; 17] = [
    rule(
        "email_address",
        "pii",
        0.99,
        r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b",
    ),
    rule(
        "phone_number",
        "pii",
        0.85,
        r"(?:\+1[-. ]?)?(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4}\b",
    ),
    Rule {
        valid: passes_luhn,
        ..rule(
            "credit_card",
            "pii",
            0.98,
            r"\b[3-6][0-9]{3}(?:[ -]?[0-9]{2,7}){2,4}\b",
        )
    },
    Rule {
        valid: is_possible_ssn,
        ..rule("us_ssn", "pii", 0.95, r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b")
    },
    rule(
        "ip_address",
        "pii",
        0.6,
        r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b",
    ),
    rule(
        "iban",
        "pii",
        0.8,
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}\b",
    ),
    rule(
        "aws_access_key",
        "secrets",
        0.99,
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    ),
    rule(
        "github_token",
        "secrets",
        0.99,
        r"\bgh[pousr]_[A-Za-z0-9]{36,251}\b",
    ),
    rule(
        "private_key",
        "secrets",
        0.99,
        r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    ),
    rule(
        "json_web_token",
        "secrets",
        0.9,
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    rule(
        "api_key",
        "secrets",
        0.8,
        r#"(?i-u:\b(?:api[_-]?key|secret|password|token)["']? ?[:=] ?["']?[a-z0-9_/+-]{12,})"#,
    ),
    rule(
        "sql_injection",
        "code",
        0.92,
        r#"(?i-u:['"] ?or ['"]?[0-9a-z]+['"]? ?= ?['"]?[0-9a-z]+|\bunion(?: all)? select\b|; ?drop table\b)"#,
    ),
    rule(
        "prompt_injection",
        "prompt_injection",
        0.94,
        r"(?i-u:\b(?:ignore|disregard|forget) (?:all )?(?:the )?(?:previous|prior|above|earlier) (?:instructions|prompts|rules)\b|\byou are now dan\b)",
    ),
    rule(
        "toxicity",
        "toxicity",
        0.88,
        r"(?i-u:\b(?:idiot|moron|stupid|imbecile|scum|shut up|loser|worthless)s?\b)",
    ),
    rule(
        "hate",
        "hate",
        0.9,
        r"(?i-u:\b(?:i hate (?:you|them|those people)|subhuman|vermin)\b)",
    ),
    rule(
        "violence",
        "violence",
        0.91,
        r"(?i-u:\b(?:kill|murder|stab|shoot|bomb) (?:you|him|her|them|everyone|people)\b)",
    ),
    rule(
        "self_harm",
        "self_harm",
        0.9,
        r"(?i-u:\b(?:kill myself|hurt myself|end my life|commit suicide)\b)",
    ),
];

static REGEXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let regex = |rule: &Rule| Regex::new(rule.pattern).expect("the patterns are constants");
    RULES.iter().map(regex).collect()
});

impl Rule {
    pub(super) fn regex(&self) -> &'static Regex {
        let index = RULES.iter().position(|rule| std::ptr::eq(rule, self));
        &REGEXES[index.expect("rules exist in the list only")]
    }
}

/// The check digit of payment cards (ISO/IEC 7812-1, annex B), over 13 to 19 digits.
fn passes_luhn(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// Areas 000, 666 and 900 to 999, group 00 and serial 0000 are never assigned.
fn is_possible_ssn(text: &str) -> bool {
    let mut parts = text.split('-');
    let (area, group, serial) = (parts.next(), parts.next(), parts.next());
    !matches!(area, Some("000" | "666"))
        && !area.is_some_and(|area| area.starts_with('9'))
        && group != Some("00")
        && serial != Some("0000")
}
