//! Content codings: gzip, deflate (zlib), zstd, br.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

/// The maximum size of a decoded body; a small response must not fill the memory.
const MAX_DECODED_BYTES: u64 = 1 << 30;
/// Window and quality of brotli, its default ones.
const BROTLI: (u32, u32) = (11, 22);

/// Undoes the codings of a `Content-Encoding` header. An unknown coding leaves the rest as it is.
///
/// # Errors
/// When the bytes are not in that coding.
pub fn decode(mut body: Vec<u8>, header: &str) -> io::Result<Vec<u8>> {
    for coding in header.split(',').rev() {
        body = match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" if !body.starts_with(&[0x1f, 0x8b]) => {
                return Err(io::Error::other("gzip: invalid header"));
            }
            "deflate" if body.first().is_none_or(|first| first & 0xf != 8) => {
                return Err(io::Error::other("zlib: invalid header"));
            }
            "gzip" | "x-gzip" => drain(MultiGzDecoder::new(body.as_slice()))?,
            "deflate" => drain(ZlibDecoder::new(body.as_slice()))?,
            "zstd" => drain(zstd::stream::read::Decoder::new(body.as_slice())?)?,
            "br" => drain(brotli::Decompressor::new(body.as_slice(), 4096))?,
            _ => return Ok(body),
        };
    }
    Ok(body)
}

/// Applies one coding; `None` when it is unknown.
pub fn encode(body: &[u8], coding: &str) -> Option<io::Result<Vec<u8>>> {
    let level = Compression::default();
    Some(match coding {
        "gzip" => finish(GzEncoder::new(Vec::new(), level), body, GzEncoder::finish),
        "deflate" => finish(
            ZlibEncoder::new(Vec::new(), level),
            body,
            ZlibEncoder::finish,
        ),
        "zstd" => zstd::stream::encode_all(body, 0),
        "br" => {
            let mut out = Vec::new();
            let written =
                brotli::CompressorWriter::new(&mut out, 4096, BROTLI.0, BROTLI.1).write_all(body);
            written.map(|()| out)
        }
        _ => return None,
    })
}

fn finish<W: Write>(
    mut writer: W,
    body: &[u8],
    end: impl FnOnce(W) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    writer.write_all(body)?;
    end(writer)
}

fn drain(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let count = reader.take(MAX_DECODED_BYTES + 1).read_to_end(&mut out)?;
    if count as u64 > MAX_DECODED_BYTES {
        return Err(io::Error::other("the decoded body is larger than 1 GiB"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_bytes_are_decoded() {
        let text = b"sparring ".repeat(100);
        for coding in ["gzip", "deflate", "zstd", "br"] {
            let packed = encode(&text, coding).expect("known").expect("encodes");
            assert!(packed.len() < text.len());
            assert_eq!(decode(packed, coding).expect("decodes"), text, "{coding}");
        }
        let twice = encode(
            &encode(&text, "gzip").expect("known").expect("encodes"),
            "br",
        )
        .expect("known")
        .expect("encodes");
        assert_eq!(decode(twice, "gzip, br").expect("decodes"), text);
    }

    #[test]
    fn bytes_in_another_coding_are_an_error() {
        assert!(decode(b"plain".to_vec(), "gzip").is_err());
        assert_eq!(
            decode(b"plain".to_vec(), "identity").expect("left alone"),
            b"plain"
        );
    }
}
