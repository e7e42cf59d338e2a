//! etcd's JSON over HTTP, which its server turns into calls of its own protocol: slower than that,
//! but without a library. Keys and values are in base64.

use super::{Checked, Dialect, Expected, Outcome, first_line, number, wrong};
use crate::value::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) struct Etcd;

/// Appends a request without the last `later` bytes of its body, which follow.
fn request(out: &mut Vec<u8>, call: &str, body: &str, later: usize) {
    let numbytes = body.len() + later;
    let head = format!("POST /v3/kv/{call} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {numbytes}");
    out.extend_from_slice(format!("{head}\r\n\r\n{body}").as_bytes());
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | *three.get(i).unwrap_or(&0) as usize);
        let digits = (0..4).map(|i| DIGITS[bits >> (18 - 6 * i) & 63] as char);
        text.extend(digits.take(three.len() + 1));
        text.extend((three.len()..3).map(|_| '='));
    }
    text
}

impl Dialect for Etcd {
    fn read(&self, out: &mut Vec<u8>, key: &str) {
        request(out, "range", &format!(r#"{{"key":"{}"}}"#, base64(key.as_bytes())), 0);
    }

    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize) {
        let body = format!(r#"{{"key":"{}","value":""#, base64(key.as_bytes()));
        request(out, "put", &body, numbytes.div_ceil(3) * 4 + r#""}"#.len());
    }

    fn append_value(&self, out: &mut Vec<u8>, value: &Value) {
        out.extend_from_slice(base64(value.bytes()).as_bytes());
        out.extend_from_slice(br#""}"#);
    }

    fn cas(&self, _out: &mut Vec<u8>, _key: &str, _version: u64, _numbytes: usize) {
        unreachable!("no scenario asks etcd for it");
    }

    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked {
        let Some((body, end)) = body(input)? else { return Ok(None) };
        let wanted = match expected {
            Expected::Contents => format!(r#""value":"{}""#, base64(value.bytes())),
            _ => r#""revision":""#.to_string(),
        };
        expect(body, &wanted)?;
        Ok(Some((end, Outcome::Done { version: 0 })))
    }
}

/// A write as a telefile that commits each change alone would do it: a transaction that requires two
/// keys, puts the value, and puts one of the two again.
pub(crate) struct Transaction;

const LEADER: &str = "bench/leader";
const HEAD: &str = "bench/head";
/// As long as the head of a table.
const HEAD_BYTES: [u8; 64] = [b'h'; 64];

impl Transaction {
    fn end() -> String {
        let (leader, head) = (base64(LEADER.as_bytes()), base64(HEAD.as_bytes()));
        let value = base64(&HEAD_BYTES);
        format!(
            r#""}}}},{{"request_put":{{"key":"{head}","value":"{value}"}}}}],"failure":[{{"request_range":{{"key":"{leader}"}}}},{{"request_range":{{"key":"{head}"}}}}]}}"#
        )
    }
}

impl Dialect for Transaction {
    fn read(&self, out: &mut Vec<u8>, key: &str) {
        Etcd.read(out, key);
    }

    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize) {
        let key = base64(format!("bench/f/{key}").as_bytes());
        let required = [LEADER, HEAD].map(|key| {
            let key = base64(key.as_bytes());
            format!(r#"{{"target":"VERSION","result":"GREATER","key":"{key}","version":"0"}}"#)
        });
        let body = format!(
            r#"{{"compare":[{}],"success":[{{"request_put":{{"key":"{key}","value":""#,
            required.join(",")
        );
        request(out, "txn", &body, numbytes.div_ceil(3) * 4 + Transaction::end().len());
    }

    fn append_value(&self, out: &mut Vec<u8>, value: &Value) {
        out.extend_from_slice(base64(value.bytes()).as_bytes());
        out.extend_from_slice(Transaction::end().as_bytes());
    }

    fn cas(&self, out: &mut Vec<u8>, key: &str, version: u64, numbytes: usize) {
        Etcd.cas(out, key, version, numbytes);
    }

    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked {
        if expected != Expected::Written {
            return Etcd.check(expected, value, input);
        }
        let Some((body, end)) = body(input)? else { return Ok(None) };
        expect(body, r#""succeeded":true"#)?;
        Ok(Some((end, Outcome::Done { version: 0 })))
    }

    /// Puts the two keys.
    fn prepare(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(server)?;
        for key in [LEADER, HEAD] {
            let (mut out, value) = (Vec::new(), Value::new(HEAD_BYTES.len()));
            Etcd.write(&mut out, key, HEAD_BYTES.len());
            Etcd.append_value(&mut out, &value);
            stream.write_all(&out)?;
            let mut input = Vec::new();
            while Etcd.check(Expected::Written, &value, &input)?.is_none() {
                let mut some = [0; 4096];
                let count = stream.read(&mut some)?;
                if count == 0 {
                    return Err(wrong("no end", &input));
                }
                input.extend_from_slice(&some[..count]);
            }
        }
        Ok(())
    }
}

/// Returns the body of the first reply, and where that ends; `None` if it has not arrived whole.
fn body(input: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    let Some((status, mut at)) = first_line(input)? else { return Ok(None) };
    if status != b"HTTP/1.1 200 OK" {
        return Err(wrong("not 200", status));
    }
    let mut numbytes = None;
    loop {
        let Some((line, next)) = first_line(&input[at..])? else { return Ok(None) };
        at += next;
        match line.strip_prefix(b"Content-Length: ") {
            Some(digits) => numbytes = number::<usize>(Some(digits)),
            None if line.is_empty() => break,
            None => {}
        }
    }
    let end = at + numbytes.ok_or_else(|| wrong("no length", status))?;
    Ok(input.get(at..end).map(|body| (body, end)))
}

fn expect(body: &[u8], wanted: &str) -> io::Result<()> {
    match String::from_utf8_lossy(body).contains(wanted) {
        true => Ok(()),
        false => Err(wrong(&format!("no {wanted}"), body)),
    }
}
