//! Proves, before anything is measured, that the checks can fail: each dialect with right, half and
//! wrong replies, and both engines with a server whose replies are wrong.

use crate::dialect::{Dialect, Etcd, Expected, Memcached, Outcome, Redis, Telefile, Transaction};
use crate::engine::{Run, epoll, threads};
use crate::load::{Load, Mix};
use crate::null;
use crate::process::Process;
use crate::report::median;
use crate::value::Value;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use Expected::{CasAnswered, Contents, VersionedContents, Written};

pub(crate) fn run() -> io::Result<()> {
    telefile();
    memcached();
    redis();
    etcd();
    large_values_are_compared_to_the_end();
    medians();
    the_engines_notice_wrong_replies()?;
    eprintln!("compare: wrong replies are noticed");
    Ok(())
}

/// The value of three bytes is `07>`.
const SIZE: usize = 3;

fn right(dialect: &dyn Dialect, expected: Expected, reply: &str, outcome: Outcome) {
    let value = Value::new(SIZE);
    let check = |input: &[u8]| dialect.check(expected, &value, input);
    for cut in 0..reply.len() {
        let half = check(&reply.as_bytes()[..cut]);
        assert!(matches!(half, Ok(None)), "{reply:?} cut at {cut}: {half:?}");
    }
    let and_more = format!("{reply}more\r\n");
    assert_eq!(check(and_more.as_bytes()).unwrap(), Some((reply.len(), outcome)), "{reply:?}");
}

fn wrong(dialect: &dyn Dialect, expected: Expected, replies: &[&str]) {
    for reply in replies {
        let checked = dialect.check(expected, &Value::new(SIZE), reply.as_bytes());
        assert!(checked.is_err(), "{reply:?} for {expected:?}: {checked:?}");
    }
}

fn telefile() {
    let done = |version| Outcome::Done { version };
    right(&Telefile, Contents, "CONTENTS 7 3 0\r\n07>\r\n", done(7));
    right(&Telefile, Written, "OK 8\r\n", done(8));
    right(&Telefile, CasAnswered, "OK 9\r\n", done(9));
    right(&Telefile, CasAnswered, "ERR_VERSION 5\r\n", Outcome::Refused { version: 5 });
    let contents = [
        "CONTENTS 7 3 0\r\n07?\r\n",
        "CONTENTS 7 4 0\r\n07>x\r\n",
        "CONTENTS 7 2 0\r\n07\r\n",
        "CONTENTS 7 3 0\r\n07>\n\r",
        "CONTENTS 7 3 0\n07>\r\n",
        "CONTENTS 7 3\r\n07>\r\n",
        "ERR_FILE_NOT_FOUND\r\n",
        "OK 7\r\n",
        "nonsense\r\n",
    ];
    wrong(&Telefile, Contents, &contents);
    wrong(&Telefile, Written, &["ERR_VERSION 5\r\n", "OK\r\n", "ERR_LIMIT memory 5\r\n"]);
    wrong(&Telefile, CasAnswered, &["ERR_FILE_NOT_FOUND\r\n", "OK x\r\n"]);
}

fn memcached() {
    let done = |version| Outcome::Done { version };
    right(&Memcached, Contents, "VALUE k 0 3\r\n07>\r\nEND\r\n", done(0));
    right(&Memcached, VersionedContents, "VALUE k 0 3 42\r\n07>\r\nEND\r\n", done(42));
    right(&Memcached, Written, "STORED\r\n", done(0));
    right(&Memcached, CasAnswered, "EXISTS\r\n", Outcome::Refused { version: 0 });
    let contents = [
        "END\r\n",
        "VALUE k 0 3\r\n07?\r\nEND\r\n",
        "VALUE k 0 4\r\n07>x\r\nEND\r\n",
        "VALUE k 0 3\r\n07>\r\nVALUE\r\n",
    ];
    wrong(&Memcached, Contents, &contents);
    wrong(&Memcached, VersionedContents, &["VALUE k 0 3\r\n07>\r\nEND\r\n"]);
    wrong(&Memcached, Written, &["EXISTS\r\n", "SERVER_ERROR out of memory\r\n"]);
    wrong(&Memcached, CasAnswered, &["NOT_FOUND\r\n"]);
}

fn redis() {
    let redis = Redis::default();
    right(&redis, Contents, "$3\r\n07>\r\n", Outcome::Done { version: 0 });
    right(&redis, Written, "+OK\r\n", Outcome::Done { version: 0 });
    right(&redis, CasAnswered, ":4\r\n", Outcome::Done { version: 4 });
    right(&redis, CasAnswered, ":-4\r\n", Outcome::Refused { version: 4 });
    wrong(&redis, Contents, &["$-1\r\n", "$3\r\n07?\r\n", "$4\r\n07>x\r\n", "-ERR x\r\n"]);
    wrong(&redis, Written, &["-ERR x\r\n", "+QUEUED\r\n", "\r\n"]);
    wrong(&redis, CasAnswered, &["-NOSCRIPT x\r\n", ":x\r\n"]);
}

fn etcd() {
    let reply =
        |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (put, got) = (r#"{"header":{"revision":"2"}}"#, r#"{"kvs":[{"value":"MDc+"}]}"#);
    right(&Etcd, Written, &reply(put), Outcome::Done { version: 0 });
    right(&Etcd, Contents, &reply(got), Outcome::Done { version: 0 });
    let other = reply(r#"{"kvs":[{"value":"MDc/"}]}"#);
    wrong(&Etcd, Contents, &[&reply(put), &other, "HTTP/1.1 400 Bad Request\r\n"]);
    wrong(&Etcd, Written, &[&reply("{}"), "HTTP/1.1 200 OK\r\n\r\n"]);
    let done = reply(r#"{"header":{"revision":"2"},"succeeded":true}"#);
    right(&Transaction, Written, &done, Outcome::Done { version: 0 });
    wrong(&Transaction, Written, &[&reply(put), "HTTP/1.1 400 Bad Request\r\n"]);
}

fn large_values_are_compared_to_the_end() {
    let value = Value::new(1 << 20);
    let same = value.bytes().to_vec();
    assert!(value.matches(&same));
    for at in [0, 4096, same.len() - 1] {
        let mut other = same.clone();
        other[at] ^= 1;
        assert!(!value.matches(&other), "byte {at}");
    }
    let mut shifted = same;
    shifted.rotate_left(1);
    assert!(!value.matches(&shifted));
}

fn medians() {
    assert_eq!(median(vec![]), None);
    assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
}

fn the_engines_notice_wrong_replies() -> io::Result<()> {
    const CLIENTS: usize = 2;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = Process::in_this_process(listener.local_addr()?);
    thread::spawn(move || null::serve(&listener, &Value::new(SIZE)));
    for (size, errors) in [(SIZE, 0), (SIZE + 1, CLIENTS as u64)] {
        let mix = Mix { read: 1, write: 0, cas: 0 };
        let load = Load::new(Box::new(Telefile), 1, size, 1, mix);
        let time = Duration::from_millis(20);
        let run = Run { load: &load, server: &server, clients: CLIENTS, time, seed: 0 };
        for (tally, _) in [threads::run(&run)?, epoll::run(&run)?] {
            assert_eq!(tally.errors, errors, "{:?}", tally.first_error);
            assert_eq!(tally.operations() > 0, errors == 0);
        }
    }
    Ok(())
}
