//! NTLM version 2 as specified in [MS-NLMP]: the messages by which a client proves that it knows a password. No
//! signing and no sealing, since HTTP uses neither.

use std::time::{SystemTime, UNIX_EPOCH};

use web_crypto::{Algorithm, hmac};

/// The reason why a challenge cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NtlmError {
    #[error("the server's NTLM challenge is malformed")]
    NotAChallenge,
    #[error("the server's NTLM challenge refers to bytes outside of it")]
    Cut,
}

/// The credentials.
#[derive(Debug, Clone, Copy)]
pub struct Login<'l> {
    pub domain: &'l str,
    pub user: &'l str,
    pub password: &'l str,
}

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Unicode, NTLM, always sign, extended session security, target info, 128 and 56 bit, domain given.
const WISHES: u32 = 0xa088_1201;
/// The server's flags that the last message repeats: no key exchange, no signing.
const ACCEPTED: u32 = 0xa288_8201;
/// The time from 1601, when Windows' time begins, to 1970, in units of 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The first message: the client's capabilities.
pub fn negotiate(domain: &str) -> Vec<u8> {
    let domain = domain.to_ascii_uppercase();
    let mut message = header(1);
    message.extend_from_slice(&WISHES.to_le_bytes());
    let offset = 40;
    push_field(&mut message, domain.len(), offset);
    push_field(&mut message, 0, offset + domain.len());
    // The version that the client claims: Windows 6.1, NTLM revision 15.
    message.extend_from_slice(&[6, 1, 0xb1, 0x1d, 0, 0, 0, 15]);
    message.extend_from_slice(domain.as_bytes());
    message
}

/// The last message, with the proof.
///
/// # Errors
/// When the challenge is malformed.
pub fn authenticate(
    challenge: &[u8],
    login: &Login<'_>,
    client_challenge: [u8; 8],
) -> Result<Vec<u8>, NtlmError> {
    if challenge.get(..12) != Some(&header(2)[..]) {
        return Err(NtlmError::NotAChallenge);
    }
    let word = |at: usize| -> Result<u32, NtlmError> {
        let bytes = challenge.get(at..at + 4).ok_or(NtlmError::Cut)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().map_err(|_| NtlmError::Cut)?,
        ))
    };
    let flags = word(20)?;
    let server_challenge = challenge.get(24..32).ok_or(NtlmError::Cut)?;
    let info = field(challenge, 40).unwrap_or_default();
    let response = respond(login, server_challenge, &info, client_challenge);
    let (domain, user) = (utf16(login.domain), utf16(login.user));
    let mut message = header(3);
    let mut payload = Vec::new();
    // LM, NT, domain, user, workstation, session key.
    for part in [&[][..], &response, &domain, &user, &[], &[]] {
        push_field(&mut message, part.len(), 64 + payload.len());
        payload.extend_from_slice(part);
    }
    message.extend_from_slice(&(flags & ACCEPTED).to_le_bytes());
    message.extend_from_slice(&payload);
    Ok(message)
}

/// The proof, then the data that it proves.
fn respond(
    login: &Login<'_>,
    server_challenge: &[u8],
    info: &[u8],
    client_challenge: [u8; 8],
) -> Vec<u8> {
    let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
    blob.extend_from_slice(&timestamp(info));
    blob.extend_from_slice(&client_challenge);
    blob.extend_from_slice(&[0; 4]);
    blob.extend_from_slice(info);
    blob.extend_from_slice(&[0; 4]);
    let mut proven = server_challenge.to_vec();
    proven.extend_from_slice(&blob);
    let mut response = hmac(Algorithm::Md5, &key(login), &proven);
    response.extend_from_slice(&blob);
    response
}

/// The key of version 2, from the password, the user name in capitals, and the domain.
fn key(login: &Login<'_>) -> Vec<u8> {
    let password = Algorithm::Md4.hash(&utf16(login.password));
    let identity = format!("{}{}", login.user.to_uppercase(), login.domain);
    hmac(Algorithm::Md5, &password, &utf16(&identity))
}

/// The server's time if present, otherwise the local time.
fn timestamp(info: &[u8]) -> [u8; 8] {
    const TIMESTAMP: u16 = 7;
    let mut rest = info;
    while let [a, b, c, d, tail @ ..] = rest {
        let (kind, length) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let Some((value, tail)) = tail.split_at_checked(usize::from(length)) else {
            break;
        };
        if let (TIMESTAMP, Ok(time)) = (kind, value.try_into()) {
            return time;
        }
        rest = tail;
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ticks = EPOCH + u64::try_from(since.as_nanos() / 100).unwrap_or(0);
    ticks.to_le_bytes()
}

fn header(kind: u32) -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend_from_slice(&kind.to_le_bytes());
    message
}

/// The length, the length again, the offset.
fn push_field(message: &mut Vec<u8>, length: usize, offset: usize) {
    let short = u16::try_from(length).unwrap_or(u16::MAX);
    message.extend_from_slice(&short.to_le_bytes());
    message.extend_from_slice(&short.to_le_bytes());
    message.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
}

fn field(message: &[u8], at: usize) -> Option<Vec<u8>> {
    let length = u16::from_le_bytes(message.get(at..at + 2)?.try_into().ok()?);
    let offset = u32::from_le_bytes(message.get(at + 4..at + 8)?.try_into().ok()?) as usize;
    let end = offset.checked_add(usize::from(length))?;
    message.get(offset..end).map(<[u8]>::to_vec)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of [MS-NLMP] 4.2.4.
    const LOGIN: Login<'_> = Login {
        domain: "Domain",
        user: "User",
        password: "Password",
    };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_proof_is_that_of_the_standards_example() {
        assert_eq!(hex(&key(&LOGIN)), "0c868a403bfd7a93a3001ef22ef02e3f");
        let mut info = Vec::new();
        for (kind, text) in [(2_u16, "Domain"), (1, "Server")] {
            let text = utf16(text);
            info.extend_from_slice(&kind.to_le_bytes());
            info.extend_from_slice(&(text.len() as u16).to_le_bytes());
            info.extend_from_slice(&text);
        }
        // The example's time is zero.
        info.extend_from_slice(&[7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        info.extend_from_slice(&[0; 4]);
        let with_time = respond(
            &LOGIN,
            &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
            &info,
            [0xaa; 8],
        );
        // The example's blob has no time field; without it the proof is the standard's.
        let plain = [&info[..info.len() - 16], &[0; 4]].concat();
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        blob.extend_from_slice(&[0; 8]);
        blob.extend_from_slice(&[0xaa; 8]);
        blob.extend_from_slice(&[0; 4]);
        blob.extend_from_slice(&plain);
        blob.extend_from_slice(&[0; 4]);
        let mut proven = vec![0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        proven.extend_from_slice(&blob);
        let proof = hmac(Algorithm::Md5, &key(&LOGIN), &proven);
        assert_eq!(hex(&proof), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(with_time.len(), 16 + 28 + info.len() + 4);
    }

    #[test]
    fn the_offsets_of_the_messages_point_to_their_fields() {
        let first = negotiate("Dom");
        assert_eq!(field(&first, 16).as_deref(), Some(&b"DOM"[..]));
        let mut challenge = header(2);
        push_field(&mut challenge, 0, 48);
        challenge.extend_from_slice(&0x0088_0201_u32.to_le_bytes());
        challenge.extend_from_slice(&[0; 16]);
        push_field(&mut challenge, 0, 48);
        let last = authenticate(&challenge, &LOGIN, [1; 8]).expect("answered");
        assert_eq!(field(&last, 28), Some(utf16("Domain")));
        assert_eq!(field(&last, 36), Some(utf16("User")));
        assert!(field(&last, 20).is_some_and(|proof| proof.len() == 48));
    }

    #[test]
    fn a_malformed_challenge_is_refused() {
        for bad in [
            &b""[..],
            b"NTLMSSP\0\x02\0\0\0",
            b"NTLMSSP\0\x01\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(authenticate(bad, &LOGIN, [0; 8]).is_err());
        }
    }
}
