//! An HTTP/1.1 server that sends truncated, false and malformed responses, selected by the path.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Starts a server, which ends with the process. Returns `http://127.0.0.1:port`.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    base
}

struct Request {
    method: String,
    /// The target of the request line, which is absolute for a proxy.
    target: String,
    head: String,
    body: Vec<u8>,
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    for number in 1.. {
        let request = read(&mut reader)?;
        let path = request.target.trim_start_matches('/').to_owned();
        match answer(&path, number, &request) {
            Response::Keep(bytes) => writer.write_all(&bytes).ok()?,
            Response::Close(bytes) => {
                writer.write_all(&bytes).ok()?;
                return None;
            }
            Response::Reset => {
                reset(&writer);
                return None;
            }
            Response::Turn => {
                writer.shutdown(Shutdown::Write).ok()?;
                thread::sleep(Duration::from_millis(300));
                return None;
            }
            Response::Hang => thread::sleep(Duration::from_secs(20)),
        }
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).ok()? == 0 {
            return None;
        }
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&header);
    }
    if line.contains(" /deaf ") {
        length = 0;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = line.split_whitespace();
    Some(Request {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        head,
        body,
    })
}

enum Response {
    Keep(Vec<u8>),
    Close(Vec<u8>),
    Reset,
    /// Closes this side of the connection, and the other one soon after.
    Turn,
    Hang,
}

fn ok(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn answer(path: &str, number: u32, request: &Request) -> Response {
    let close = |text: &str| Response::Close(text.as_bytes().to_vec());
    let keep = |text: &str| Response::Keep(text.as_bytes().to_vec());
    match path {
        "reset" => Response::Reset,
        "close" => Response::Close(Vec::new()),
        "hang" => Response::Hang,
        "deaf" => Response::Turn,
        "short" => close("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        "half-head" => close("HTTP/1.1 200 OK\r\nContent-Le"),
        "garbage" => close("SSH-2.0-OpenSSH_9\r\n\r\n"),
        "bad-status" => close("HTTP/1.1 abc OK\r\n\r\n"),
        "bad-length" => close("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        "bad-chunk" => close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
        "chunked" => keep(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n",
        ),
        "trailers" => keep(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Told\r\n\r\n3\r\nabc\r\n0\r\nX-Told: a\r\nX-Untold: b\r\n\r\n",
        ),
        "trailer-alone" => Response::Keep(ok("Trailer: X-Told\r\n", "hi")),
        "until-close" => close("HTTP/1.1 200 OK\r\n\r\nall of it"),
        "old" => close("HTTP/1.0 200 Fine\r\nContent-Length: 2\r\n\r\nhi"),
        "continue" => {
            keep("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        }
        "switch" => {
            close("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        }
        "no-reason" => keep("HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n"),
        "not-gzip" => Response::Keep(ok("Content-Encoding: gzip\r\n", "plain text")),
        "multi" => Response::Keep(ok(
            "x-multi: a\r\nX-MULTI: b\r\nSet-Cookie: one=1; Path=/\r\nSet-Cookie: two=2; HttpOnly; Max-Age=60\r\n",
            "",
        )),
        "no-content" => keep("HTTP/1.1 204 No Content\r\n\r\n"),
        "not-modified" => keep("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        "bad-location" => {
            keep("HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n")
        }
        "no-location" => keep("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
        "number" => Response::Keep(ok("", &number.to_string())),
        "digest" => digest(request),
        _ => Response::Keep(ok(
            "Content-Type: text/plain\r\n",
            &format!(
                "{} {}\n{}\n{}",
                request.method,
                request.target,
                request.head,
                String::from_utf8_lossy(&request.body)
            ),
        )),
    }
}

/// Asks for a digest once, then returns the received parameters.
fn digest(request: &Request) -> Response {
    let authorization = request
        .head
        .lines()
        .find_map(|line| line.strip_prefix("Authorization: Digest "));
    let Some(authorization) = authorization else {
        let text = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", opaque=\"o\"\r\nContent-Length: 2\r\n\r\nno";
        return Response::Keep(text.as_bytes().to_vec());
    };
    let mut names: Vec<&str> = authorization
        .split(',')
        .filter_map(|part| part.split('=').next())
        .map(str::trim)
        .collect();
    names.sort_unstable();
    Response::Keep(ok("", &names.join(" ")))
}

/// Closes so that the other side sees "connection reset by peer".
fn reset(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the descriptor is open, the option's value lives during the call.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        );
    }
}
