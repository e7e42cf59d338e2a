//! Follows a plain session far enough to know how it ended: which requests were sent, and which
//! replies came. It takes bytes and does no I/O.

mod replies;
mod requests;

use replies::Replies;
use requests::Requests;
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
        self.requests.sent(bytes);
    }

    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.replies.received(bytes);
    }

    /// Returns whether the connection holds something, and a request may begin now.
    pub(super) fn holds_between_requests(&self) -> bool {
        self.requests.holds_between() && !self.all_sent
    }

    /// Returns whether everything that was sent has its whole reply.
    pub(super) fn is_answered(&self) -> bool {
        self.replies.count >= self.requests.count && !self.replies.is_inside()
    }

    /// Returns whether the server executes nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.requests.are_over()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MAX_LINE_BYTES;

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
            (b"backup\nread @\n", b"BACKUP 7 13\r\nERR_CMD_ERR\r\n\r\nERR_FILE_NOT_FOUND\r\n"),
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
    fn a_part_of_a_request_does_not_count() {
        for part in ["read f", "x", "write f 3\n", "write f 3\nabc", "write f 3\r\nabc\r"] {
            let sent = [b"read f\n", part.as_bytes()].concat();
            let answered = b"ERR_FILE_NOT_FOUND\r\n";
            assert_eq!(end(&sent, answered, true), End::Unfinished, "{part:?}");
            assert_eq!(end(&sent, answered, false), End::Lost, "{part:?}");
            assert_eq!(end(&sent, b"", true), End::Lost, "{part:?}");
        }
    }

    #[test]
    fn a_request_without_an_answer_is_lost() {
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
    fn the_server_ends_the_session_after_a_request_that_it_cannot_follow() {
        let long = [&[b'x'; MAX_LINE_BYTES][..], b"\n"].concat();
        for sent in [
            &b"reed f\n"[..],
            b"write f six\n",
            b"write f 2\nabc\n",
            b"write f 2\r\nab\n",
            b"write f 0\nx",
            b"read\rf\n",
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
