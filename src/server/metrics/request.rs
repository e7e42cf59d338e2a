//! The head of an HTTP request (RFC 9112), as far as a server of one text needs it.
//!
//! Pure: lines in, a status out. No header matters here except `Host`, which has to be there once.

/// The only path.
const PATH: &str = "/metrics";

/// The longest line of a head, and the longest head, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 4 << 10;
pub(super) const MAX_HEAD_BYTES: usize = 16 << 10;

/// The most headers.
pub(super) const MAX_HEADERS: usize = 64;

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TargetTooLong,
    HeadTooLarge,
    VersionNotSupported,
}

impl Status {
    /// Returns its number and its words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::TargetTooLong => "414 URI Too Long",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// The head of a request, as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The first line: the method and the path. `None` before it.
    first: Option<(String, String)>,
    is_http_1_0: bool,
    headers: usize,
    hosts: usize,
    bytes: usize,
}

impl Head {
    /// Returns whether the response has no body.
    pub(super) fn is_head(&self) -> bool {
        self.first.as_ref().is_some_and(|(method, _)| method == "HEAD")
    }

    /// Returns the status of a request whose next line is too long (RFC 9112, 3; RFC 6585, 5).
    pub(super) fn too_long(&self) -> Status {
        match self.first {
            None => Status::TargetTooLong,
            Some(_) => Status::HeadTooLarge,
        }
    }

    /// Adds a line, without its end. Returns the status if the request is decided.
    pub(super) fn add(&mut self, line: &[u8]) -> Option<Status> {
        self.bytes += line.len() + b"\r\n".len();
        if self.bytes > MAX_HEAD_BYTES {
            return Some(Status::HeadTooLarge);
        }
        match (&self.first, line) {
            (None, line) => self.begin(line).err(),
            (Some((method, path)), b"") => Some(match () {
                // RFC 9112, 3.2: exactly one, except in HTTP/1.0.
                () if self.hosts > 1 || (self.hosts == 0 && !self.is_http_1_0) => {
                    Status::BadRequest
                }
                () if path != PATH => Status::NotFound,
                () if method != "GET" && method != "HEAD" => Status::MethodNotAllowed,
                () => Status::Ok,
            }),
            (Some(_), line) => self.add_header(line).err(),
        }
    }

    /// Takes the request line.
    fn begin(&mut self, line: &[u8]) -> Result<(), Status> {
        let line = str::from_utf8(line).map_err(|_| Status::BadRequest)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Status::BadRequest);
        };
        if !is_token(method) || target.is_empty() || target.contains(char::is_control) {
            return Err(Status::BadRequest);
        }
        match version.strip_prefix("HTTP/").map(str::as_bytes) {
            Some(b"1.0") => self.is_http_1_0 = true,
            Some([b'1', b'.', b'0'..=b'9']) => {}
            Some([b'0'..=b'9', b'.', b'0'..=b'9']) => return Err(Status::VersionNotSupported),
            _ => return Err(Status::BadRequest),
        }
        self.first = Some((method.to_string(), path(target).to_string()));
        Ok(())
    }

    fn add_header(&mut self, line: &[u8]) -> Result<(), Status> {
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(Status::HeadTooLarge);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|colon| str::from_utf8(&line[..colon]).ok());
        let name = name.filter(|name| is_token(name)).ok_or(Status::BadRequest)?;
        self.hosts += usize::from(name.eq_ignore_ascii_case("host"));
        Ok(())
    }
}

/// Returns the path of a request's target, which may be a whole URL, without the query.
fn path(target: &str) -> &str {
    let scheme = "http://";
    let after = match target.get(..scheme.len()) {
        Some(found) if found.eq_ignore_ascii_case(scheme) => {
            let rest = &target[scheme.len()..];
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
        _ => target,
    };
    after.split('?').next().unwrap_or_default()
}

/// Returns whether it is a token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> Option<Status> {
        let mut parsed = Head::default();
        head.split("\r\n").find_map(|line| parsed.add(line.as_bytes()))
    }

    #[test]
    fn only_the_one_path_is_there_and_only_to_be_read() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", Status::Ok),
            ("HEAD /metrics HTTP/1.1", Status::Ok),
            ("GET /metrics HTTP/1.9", Status::Ok),
            ("GET /metrics?collect[]=x HTTP/1.1", Status::Ok),
            ("GET HTTP://host:1/metrics HTTP/1.1", Status::Ok),
            ("GET / HTTP/1.1", Status::NotFound),
            ("GET /metrics/ HTTP/1.1", Status::NotFound),
            ("GET //metrics HTTP/1.1", Status::NotFound),
            ("GET /%6detrics HTTP/1.1", Status::NotFound),
            ("GET http://host HTTP/1.1", Status::NotFound),
            ("OPTIONS * HTTP/1.1", Status::NotFound),
            ("POST / HTTP/1.1", Status::NotFound),
            ("POST /metrics HTTP/1.1", Status::MethodNotAllowed),
            ("get /metrics HTTP/1.1", Status::MethodNotAllowed),
            ("GET /metrics HTTP/2.0", Status::VersionNotSupported),
            ("GET /metrics HTTP/0.9", Status::VersionNotSupported),
        ] {
            assert_eq!(status(&format!("{line}\r\nHost: h\r\n\r\n")), Some(expected), "{line}");
        }
        assert_eq!(status("GET /metrics HTTP/1.0\r\n\r\n"), Some(Status::Ok));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for head in [
            "",
            "GET /metrics",
            "GET  /metrics HTTP/1.1",
            "GET /metrics HTTP/1.1 ",
            "GET /metrics HTTP/1.10",
            "GET /metrics http/1.1",
            "G(T /metrics HTTP/1.1",
            "GET /met\trics HTTP/1.1",
            "GET /metrics HTTP/1.1\r\nHost",
            "GET /metrics HTTP/1.1\r\nHost : h",
            "GET /metrics HTTP/1.1\r\nHost: h\r\n folded: x",
            "GET /metrics HTTP/1.1\r\n: x",
            "GET /metrics HTTP/1.1\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n",
        ] {
            assert_eq!(status(head), Some(Status::BadRequest), "{head:?}");
        }
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: h"), None, "it is not complete");
    }

    #[test]
    fn a_head_has_limits() {
        let head = |count: usize, value: usize| {
            let header = format!("x: {}\r\n", "v".repeat(value));
            format!("GET /metrics HTTP/1.1\r\nHost: h\r\n{}\r\n", header.repeat(count))
        };
        assert_eq!(status(&head(MAX_HEADERS - 1, 1)), Some(Status::Ok));
        assert_eq!(status(&head(MAX_HEADERS, 1)), Some(Status::HeadTooLarge));
        assert_eq!(status(&head(5, 3000)), Some(Status::Ok));
        assert_eq!(status(&head(6, 3000)), Some(Status::HeadTooLarge));
    }
}
