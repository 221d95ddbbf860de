//! What an OCSP response that a server staples says of its certificate.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Go's zero time in Unix seconds: what k6 shows for a time that is not there.
const NO_TIME: i64 = -62_135_596_800;

/// A response, with k6's words; times in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) status: &'static str,
    pub(crate) produced_at: i64,
    pub(crate) this_update: i64,
    pub(crate) next_update: i64,
    pub(crate) revoked_at: i64,
    pub(crate) revocation_reason: &'static str,
}

impl Status {
    /// What is said where nothing is stapled.
    pub(crate) const UNKNOWN: Self = Self {
        status: "unknown",
        produced_at: 0,
        this_update: 0,
        next_update: 0,
        revoked_at: 0,
        revocation_reason: "",
    };

    /// Reads a response of RFC 6960; `None` when it is not one. The signature is not looked at.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut response = Reader(Reader(der).enter(0x30)?);
        if response.enter(0x0a)? != [0] {
            return Some(Self {
                status: "server_failed",
                ..Self::UNKNOWN
            });
        }
        let mut bytes = Reader(Reader(response.enter(0xa0)?).enter(0x30)?);
        bytes.enter(0x06)?;
        let mut data = Reader(Reader(Reader(bytes.enter(0x04)?).enter(0x30)?).enter(0x30)?);
        data.skip_if(0xa0);
        data.any()?;
        let produced_at = time(data.enter(0x18)?)?;
        let mut single = Reader(Reader(data.enter(0x30)?).enter(0x30)?);
        single.enter(0x30)?;
        let (tag, about) = single.any()?;
        let this_update = time(single.enter(0x18)?)?;
        let next_update = single
            .enter(0xa0)
            .and_then(|inner| time(Reader(inner).enter(0x18)?));
        let (status, revoked_at, revocation_reason) = match tag {
            0x80 => ("good", NO_TIME, "unspecified"),
            0xa1 => {
                let mut revoked = Reader(about);
                let at = time(revoked.enter(0x18)?)?;
                let reason = revoked
                    .enter(0xa0)
                    .and_then(|inner| Reader(inner).enter(0x0a)?.first().copied());
                ("revoked", at, reason_of(reason.unwrap_or(0)))
            }
            _ => ("unknown", NO_TIME, "unspecified"),
        };
        Some(Self {
            status,
            produced_at,
            this_update,
            next_update: next_update.unwrap_or(NO_TIME),
            revoked_at,
            revocation_reason,
        })
    }
}

fn reason_of(code: u8) -> &'static str {
    match code {
        0 => "unspecified",
        1 => "key_compromise",
        2 => "ca_compromise",
        3 => "affiliation_changed",
        4 => "superseded",
        5 => "cessation_of_operation",
        6 => "certificate_hold",
        8 => "remove_from_crl",
        9 => "privilege_withdrawn",
        10 => "aa_compromise",
        _ => "",
    }
}

/// `20261124053000Z`
fn time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Reads DER, one value after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next value, which must have this tag; otherwise nothing is read.
    fn enter(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.any().map(|(_, content)| content)
    }

    fn skip_if(&mut self, tag: u8) {
        let _ = self.enter(tag);
    }

    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else {
            return None;
        };
        let (length, rest) = match *length {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short @ 0..=0x7f) => out.push(short),
            Ok(length) => out.extend_from_slice(&[0x81, length]),
            Err(_) => {
                out.push(0x82);
                out.extend_from_slice(&(content.len() as u16).to_be_bytes());
            }
        }
        out.extend_from_slice(content);
        out
    }

    fn response(about: &[u8], next: bool) -> Vec<u8> {
        let at = |text: &str| value(0x18, text.as_bytes());
        let mut single = [value(0x30, b""), about.to_vec(), at("20260102030405Z")].concat();
        if next {
            single.extend(value(0xa0, &at("20260103030405Z")));
        }
        let responses = value(0x30, &value(0x30, &single));
        let data = [
            value(0xa2, &value(0x04, b"key")),
            at("20260101000000Z"),
            responses,
        ]
        .concat();
        let basic = value(0x30, &value(0x30, &data));
        let bytes = [value(0x06, &[0x2b]), value(0x04, &basic)].concat();
        let whole = [value(0x0a, &[0]), value(0xa0, &value(0x30, &bytes))].concat();
        value(0x30, &whole)
    }

    #[test]
    fn a_staple_says_good_revoked_or_unknown() {
        let good = Status::parse(&response(&value(0x80, b""), true)).expect("valid");
        assert_eq!((good.status, good.produced_at), ("good", 1_767_225_600));
        assert_eq!(good.next_update - good.this_update, 86_400);
        let revoked = [
            value(0x18, b"20250101000000Z"),
            value(0xa0, &value(0x0a, &[1])),
        ]
        .concat();
        let revoked = Status::parse(&response(&value(0xa1, &revoked), false)).expect("valid");
        assert_eq!(
            (
                revoked.status,
                revoked.revocation_reason,
                revoked.revoked_at
            ),
            ("revoked", "key_compromise", 1_735_689_600)
        );
        assert_eq!(revoked.next_update, NO_TIME);
        let unknown = Status::parse(&response(&value(0x82, b""), false)).expect("valid");
        assert_eq!(unknown.status, "unknown");
    }

    #[test]
    fn what_is_cut_or_no_response_is_none() {
        let whole = response(&value(0x80, b""), true);
        for end in 0..whole.len() {
            assert_eq!(Status::parse(&whole[..end]), None, "{end}");
        }
        let failed = value(0x30, &value(0x0a, &[6]));
        assert_eq!(
            Status::parse(&failed).map(|s| s.status),
            Some("server_failed")
        );
    }
}
