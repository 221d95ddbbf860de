//! Tokens of HTTP: names and methods.

/// The bytes that are allowed in a token.
const IN_TOKENS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether a text may be the name of a header or a cookie, or a method.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| IN_TOKENS[usize::from(b)])
}
