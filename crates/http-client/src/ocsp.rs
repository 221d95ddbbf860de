//! The status of a certificate in the OCSP response that a server staples to it.

use x509_cert::der::asn1::{AnyRef, GeneralizedTime};
use x509_cert::der::{Decode, SliceReader, Tag, TagNumber, Tagged};

/// Go's zero time in Unix seconds, which k6 shows for a missing time.
const NO_TIME: i64 = -62_135_596_800;
/// The certificate status `good [0] IMPLICIT NULL`.
const GOOD: Tag = Tag::ContextSpecific {
    constructed: false,
    number: TagNumber(0),
};
/// The certificate status `revoked [1] IMPLICIT RevokedInfo`.
const REVOKED: Tag = explicit(1);

/// A response, with k6's names of states; times in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub status: &'static str,
    pub produced_at: i64,
    pub this_update: i64,
    pub next_update: i64,
    pub revoked_at: i64,
    pub revocation_reason: &'static str,
}

impl Status {
    /// The status without a stapled response.
    pub const UNKNOWN: Self = Self {
        status: "unknown",
        produced_at: 0,
        this_update: 0,
        next_update: 0,
        revoked_at: 0,
        revocation_reason: "",
    };

    /// Reads a response of RFC 6960; `None` when it is not one. The signature is not checked.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut response = enter(&mut SliceReader::new(der).ok()?, Tag::Sequence)?;
        if value(&mut response, Tag::Enumerated)? != [0] {
            return Some(Self {
                status: "server_failed",
                ..Self::UNKNOWN
            });
        }
        let mut bytes = enter(&mut enter(&mut response, explicit(0))?, Tag::Sequence)?;
        value(&mut bytes, Tag::ObjectIdentifier)?;
        let mut basic = enter(&mut enter(&mut bytes, Tag::OctetString)?, Tag::Sequence)?;
        let mut data = enter(&mut basic, Tag::Sequence)?;
        let _version = value(&mut data, explicit(0));
        let _responder = AnyRef::decode(&mut data).ok()?;
        let produced_at = time(&mut data)?;
        let mut single = enter(&mut enter(&mut data, Tag::Sequence)?, Tag::Sequence)?;
        value(&mut single, Tag::Sequence)?;
        let certificate = AnyRef::decode(&mut single).ok()?;
        let this_update = time(&mut single)?;
        let next_update = enter(&mut single, explicit(0)).and_then(|mut inner| time(&mut inner));
        let (status, revoked_at, revocation_reason) = match certificate.tag() {
            GOOD => ("good", NO_TIME, "unspecified"),
            REVOKED => {
                let mut revoked = SliceReader::new(certificate.value()).ok()?;
                let at = time(&mut revoked)?;
                let reason = enter(&mut revoked, explicit(0))
                    .and_then(|mut inner| value(&mut inner, Tag::Enumerated)?.first().copied());
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

/// A `GeneralizedTime` in Unix seconds.
fn time(reader: &mut SliceReader<'_>) -> Option<i64> {
    let time = GeneralizedTime::decode(reader).ok()?;
    i64::try_from(time.to_unix_duration().as_secs()).ok()
}

/// The content of the next value if it has this tag; otherwise nothing is read.
fn value<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Option<&'a [u8]> {
    if Tag::peek(reader).ok()? != tag {
        return None;
    }
    AnyRef::decode(reader).ok().map(AnyRef::value)
}

/// A reader of the content of the next value if it has this tag; otherwise nothing is read.
fn enter<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Option<SliceReader<'a>> {
    SliceReader::new(value(reader, tag)?).ok()
}

/// The tag of an explicitly tagged field.
const fn explicit(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
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
        let at = |text: &str| encoded(0x18, text.as_bytes());
        let mut single = [encoded(0x30, b""), about.to_vec(), at("20260102030405Z")].concat();
        if next {
            single.extend(encoded(0xa0, &at("20260103030405Z")));
        }
        let responses = encoded(0x30, &encoded(0x30, &single));
        let data = [
            encoded(0xa2, &encoded(0x04, b"key")),
            at("20260101000000Z"),
            responses,
        ]
        .concat();
        let basic = encoded(0x30, &encoded(0x30, &data));
        let bytes = [encoded(0x06, &[0x2b]), encoded(0x04, &basic)].concat();
        let whole = [encoded(0x0a, &[0]), encoded(0xa0, &encoded(0x30, &bytes))].concat();
        encoded(0x30, &whole)
    }

    #[test]
    fn the_status_is_good_revoked_or_unknown() {
        let good = Status::parse(&response(&encoded(0x80, b""), true)).expect("valid");
        assert_eq!((good.status, good.produced_at), ("good", 1_767_225_600));
        assert_eq!(good.next_update - good.this_update, 86_400);
        let revoked = [
            encoded(0x18, b"20250101000000Z"),
            encoded(0xa0, &encoded(0x0a, &[1])),
        ]
        .concat();
        let revoked = Status::parse(&response(&encoded(0xa1, &revoked), false)).expect("valid");
        assert_eq!(
            (
                revoked.status,
                revoked.revocation_reason,
                revoked.revoked_at
            ),
            ("revoked", "key_compromise", 1_735_689_600)
        );
        assert_eq!(revoked.next_update, NO_TIME);
        let unknown = Status::parse(&response(&encoded(0x82, b""), false)).expect("valid");
        assert_eq!(unknown.status, "unknown");
    }

    #[test]
    fn a_truncated_response_is_none() {
        let whole = response(&encoded(0x80, b""), true);
        for end in 0..whole.len() {
            assert_eq!(Status::parse(&whole[..end]), None, "{end}");
        }
        let failed = encoded(0x30, &encoded(0x0a, &[6]));
        assert_eq!(
            Status::parse(&failed).map(|s| s.status),
            Some("server_failed")
        );
    }
}
