//! Follows a plain session far enough to know how it ended: which requests were sent, and which
//! replies came. It takes bytes and does no I/O.

use crate::refusal::{Limit, Refusal};
use crate::wire::{MAX_LINE_BYTES, Malformed, Reply, Request, is_blank};
use std::time::Duration;

/// A session in both directions.
#[derive(Default)]
pub(super) struct Session {
    requests: Requests,
    replies: Replies,
    /// Everything is sent: stdin has ended.
    pub(super) all_sent: bool,
}

/// Why a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything is answered, and nothing more was to come.
    Answered,
    /// The server does not continue after this reply.
    Refused(String),
    /// Everything is answered except the last request, of which only a part was sent.
    Unfinished,
    /// The connection ended before that.
    Lost,
}

impl Session {
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.requests.take(*byte));
    }

    pub(super) fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(byte) = rest.first() {
            let skipped = self.replies.skip(rest.len());
            if skipped == 0 {
                self.replies.take(*byte);
            }
            rest = &rest[skipped.max(1)..];
        }
    }

    /// Returns whether the connection holds something, and a request may begin now.
    pub(super) fn holds_between_requests(&self) -> bool {
        let Requests { holds, quits, is_broken, line, next, .. } = &self.requests;
        let is_between = matches!(next, Part::Line) && line.is_empty();
        *holds && is_between && !(self.all_sent || *quits || *is_broken)
    }

    /// Returns the server's idle time-out, once a reply to a hello of this session has shown it.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.replies.idle_timeout
    }

    /// Returns what the end of the connection means.
    pub(super) fn end(&self) -> End {
        let Session { requests, replies, all_sent } = self;
        let is_answered = replies.count >= requests.count && !requests.is_broken;
        let is_over = *all_sent || requests.quits;
        match &replies.last_refusal {
            Some(line) if replies.is_full || !is_answered || !is_over => End::Refused(line.clone()),
            _ if is_answered && is_over => match requests.is_unfinished() {
                true => End::Unfinished,
                false => End::Answered,
            },
            _ => End::Lost,
        }
    }
}

/// The requests, counted up to the one that ends the session.
#[derive(Default)]
struct Requests {
    count: u64,
    /// Whether one of them was `quit`.
    quits: bool,
    /// Whether one of them held something.
    holds: bool,
    /// Whether the server cannot know where the next request begins.
    is_broken: bool,
    line: Vec<u8>,
    next: Part,
}

/// The part of a request that the next byte belongs to.
#[derive(Default)]
enum Part {
    #[default]
    Line,
    Contents {
        left: u64,
        crlf: bool,
    },
    /// After the contents. After CRLF on the command line, only CRLF ends them.
    LineEnd {
        crlf: bool,
    },
}

impl Requests {
    fn take(&mut self, byte: u8) {
        if self.quits || self.is_broken {
            return;
        }
        match &mut self.next {
            Part::Line if byte == b'\n' => self.end_line(),
            Part::Line => {
                self.line.push(byte);
                // The line end may include a CR.
                if self.line.len() > MAX_LINE_BYTES {
                    self.break_off();
                }
            }
            Part::Contents { left: 1, crlf } => self.next = Part::LineEnd { crlf: *crlf },
            Part::Contents { left, .. } => *left -= 1,
            Part::LineEnd { crlf } => match byte {
                b'\r' if self.line.is_empty() => self.line.push(byte),
                b'\n' if !*crlf || !self.line.is_empty() => {
                    self.line.clear();
                    self.next = Part::Line;
                    self.count += 1;
                }
                _ => self.break_off(),
            },
        }
    }

    /// Returns whether the bytes so far end inside a request.
    fn is_unfinished(&self) -> bool {
        let is_inside = match self.next {
            Part::Line => self.line.iter().any(|byte| !b" \r".contains(byte)),
            Part::Contents { .. } | Part::LineEnd { .. } => true,
        };
        is_inside && !self.quits
    }

    /// Notes that the server answers this request and then no more.
    fn break_off(&mut self) {
        self.is_broken = true;
        self.count += 1;
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        let crlf = line.pop_if(|byte| *byte == b'\r').is_some();
        if is_blank(&line) {
            return;
        }
        let numbytes = match Request::parse(&line) {
            _ if line.len() >= MAX_LINE_BYTES => return self.break_off(),
            // It has no reply.
            Ok(Request::Quit) => return self.quits = true,
            Ok(request) => {
                self.holds |= request.holds();
                request.numbytes()
            }
            Err(Malformed::InStep { numbytes, .. }) => numbytes,
            Err(Malformed::OutOfStep(_)) => return self.break_off(),
        };
        match numbytes {
            None => self.count += 1,
            Some(0) => self.next = Part::LineEnd { crlf },
            Some(left) => self.next = Part::Contents { left, crlf },
        }
    }
}

/// The replies, counted.
#[derive(Default)]
struct Replies {
    count: u64,
    /// The last reply, if a server may end the session after it.
    last_refusal: Option<String>,
    /// Whether the server has no room for this connection. It says so without a request.
    is_full: bool,
    idle_timeout: Option<Duration>,
    line: Vec<u8>,
    /// Bytes of contents still to come, including their line end.
    contents: u64,
    /// Lines of an answer still to come.
    lines: u64,
}

impl Replies {
    /// Skips contents, of which `available` bytes at most are here.
    fn skip(&mut self, available: usize) -> usize {
        let skipped = self.contents.min(available as u64);
        self.contents -= skipped;
        skipped as usize
    }

    fn take(&mut self, byte: u8) {
        if byte != b'\n' {
            // No reply is that long; a longer line is not one.
            self.line.extend((self.line.len() < 2 * MAX_LINE_BYTES).then_some(byte));
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.pop_if(|byte| *byte == b'\r');
        if self.lines > 0 {
            self.lines -= 1;
            return;
        }
        self.count += 1;
        self.last_refusal = None;
        match Reply::parse(&line) {
            Some(Reply::Contents { numbytes, .. }) => {
                self.contents = numbytes.saturating_add(b"\r\n".len() as u64);
            }
            Some(
                Reply::List { count, .. }
                | Reply::Changes { count, .. }
                | Reply::Types { count }
                | Reply::Stats { count }
                | Reply::Help { count },
            ) => self.lines = count,
            Some(Reply::Hello { idle_timeout, .. }) => self.idle_timeout = idle_timeout,
            Some(Reply::Refused(refusal)) => {
                self.is_full = matches!(refusal, Refusal::Limit(Limit::Connections, _));
                if self.is_full || matches!(refusal, Refusal::Malformed | Refusal::Denied) {
                    self.last_refusal = Some(String::from_utf8_lossy(&line).into_owned());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how a session with these requests and replies ends, all at once and byte by byte.
    fn end(sent: &[u8], received: &[u8], all_sent: bool) -> End {
        let mut whole = Session { all_sent, ..Session::default() };
        whole.sent(sent);
        whole.received(received);
        let mut split = Session { all_sent, ..Session::default() };
        sent.iter().for_each(|byte| split.sent(&[*byte]));
        received.iter().for_each(|byte| split.received(&[*byte]));
        assert_eq!(whole.end(), split.end());
        whole.end()
    }

    #[test]
    fn everything_that_was_sent_is_answered() {
        for (sent, received) in [
            (&b""[..], &b""[..]),
            (b"\r\n  \n", b""),
            (b"read f\n", b"ERR_FILE_NOT_FOUND\r\n"),
            (b"read f\n  \r", b"CONTENTS 1 13 0\r\nERR_CMD_ERR\r\n\r\n"),
            (b"write f 2\nab\r\nread @\r\n", b"OK 1\r\nERR_FILE_NOT_FOUND\r\n"),
            (b"write f 2\r\nq\n\r\nread @7\r\n", b"OK 1\r\nERR_BAD_FD\r\n"),
            (b"write f 0\n\nlist *\n", b"OK 1\r\nLIST 1 1 0\r\n1 0 0 f\r\n"),
            (b"read a b\n", b"ERR_CMD_ERR\r\n"),
            (b"cas f 1 1 soon\nx\n", b"ERR_CMD_ERR\r\n"),
        ] {
            assert_eq!(end(sent, received, true), End::Answered, "{sent:?}");
            assert_ne!(end(sent, received, false), End::Answered, "more could be typed");
            let quit = [sent, b"\nquit\nread f\n"].concat();
            if sent.ends_with(b"\n") {
                assert_eq!(end(&quit, received, false), End::Answered, "{sent:?}");
            }
        }
    }

    #[test]
    fn a_part_of_a_request_is_none() {
        for part in ["read f", "x", "write f 3\n", "write f 3\nabc", "write f 3\r\nabc\r"] {
            let sent = [b"read f\n", part.as_bytes()].concat();
            let answered = b"ERR_FILE_NOT_FOUND\r\n";
            assert_eq!(end(&sent, answered, true), End::Unfinished, "{part:?}");
            assert_eq!(end(&sent, answered, false), End::Lost, "{part:?}");
            assert_eq!(end(&sent, b"", true), End::Lost, "{part:?}");
        }
    }

    #[test]
    fn what_has_no_answer_is_lost() {
        for (sent, received) in [
            (&b"read f\n"[..], &b""[..]),
            (b"read f\nread f\n", b"ERR_FILE_NOT_FOUND\r\n"),
            (b"reed f\n", b""),
            (b"read f\nquit\n", b""),
        ] {
            for all_sent in [false, true] {
                assert_eq!(end(sent, received, all_sent), End::Lost, "{sent:?}");
            }
        }
        assert_eq!(end(b"read f\n", b"CONTENTS 1 1 0\r\nx\r\n", false), End::Lost);
    }

    #[test]
    fn the_server_does_not_go_on_after_what_it_cannot_follow() {
        let long = [&[b'x'; MAX_LINE_BYTES][..], b"\n"].concat();
        for sent in [
            &b"reed f\n"[..],
            b"write f six\n",
            b"write f 2\nabc\n",
            b"write f 2\r\nab\n",
            b"write f 0\nx",
            &long,
        ] {
            for all_sent in [false, true] {
                let refused = End::Refused("ERR_CMD_ERR".to_string());
                assert_eq!(end(sent, b"ERR_CMD_ERR\r\n", all_sent), refused, "{sent:?}");
            }
        }
        let crowded = "ERR_LIMIT connections 1";
        let received = format!("{crowded}\r\n");
        for (sent, all_sent) in [(&b""[..], false), (b"", true), (b"stats\n", true)] {
            let refused = End::Refused(crowded.to_string());
            assert_eq!(end(sent, received.as_bytes(), all_sent), refused, "{sent:?}");
        }
        let denied = End::Refused("ERR_DENIED".to_string());
        assert_eq!(end(b"hello x\n", b"ERR_DENIED\r\n", false), denied);
    }
}
