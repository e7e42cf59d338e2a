//! etcd's JSON over HTTP, which its server turns into calls of its own protocol: slower than that,
//! but without a library. Keys and values are in base64.

use super::{Checked, Dialect, Expected, Outcome, first_line, number, wrong};
use crate::value::Value;

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
        let Some(body) = input.get(at..end) else { return Ok(None) };
        let wanted = match expected {
            Expected::Contents => format!(r#""value":"{}""#, base64(value.bytes())),
            _ => r#""revision":""#.to_string(),
        };
        if !String::from_utf8_lossy(body).contains(&wanted) {
            return Err(wrong(&format!("not {expected:?}"), body));
        }
        Ok(Some((end, Outcome::Done { version: 0 })))
    }
}
