//! Redis's protocol, RESP2. It has no cas: a script does one on a hash with the fields v (version)
//! and d (data), under a key of its own.

use super::{Checked, Dialect, Expected, Outcome, contents_end, first_line, number, wrong};
use crate::value::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Returns the new version, or the current one with a minus.
const CAS: &str = "local c=tonumber(redis.call('HGET',KEYS[1],'v') or '0') \
if c~=tonumber(ARGV[1]) then return -c end \
redis.call('HSET',KEYS[1],'v',c+1,'d',ARGV[2]) return c+1";

const SHA1_HEX_BYTES: usize = 40;

#[derive(Default)]
pub(crate) struct Redis {
    /// The server's name for the script: its SHA-1.
    script: String,
}

/// Appends a command of `count` arguments, all but the last of which are `arguments`.
fn command(out: &mut Vec<u8>, arguments: &[&str], count: usize) {
    out.extend_from_slice(format!("*{count}\r\n").as_bytes());
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
    }
}

fn value_head(out: &mut Vec<u8>, numbytes: usize) {
    out.extend_from_slice(format!("${numbytes}\r\n").as_bytes());
}

impl Dialect for Redis {
    fn read(&self, out: &mut Vec<u8>, key: &str) {
        command(out, &["GET", key], 2);
    }

    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize) {
        command(out, &["SET", key], 3);
        value_head(out, numbytes);
    }

    fn cas(&self, out: &mut Vec<u8>, key: &str, version: u64, numbytes: usize) {
        let (hash, version) = (format!("cas:{key}"), version.to_string());
        command(out, &["EVALSHA", &self.script, "1", &hash, &version], 6);
        value_head(out, numbytes);
    }

    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked {
        let Some((line, next)) = first_line(input)? else { return Ok(None) };
        let outcome = match (expected, line.split_first()) {
            (Expected::Contents, Some((b'$', length))) => {
                let end = contents_end(value, number(Some(length)), input, next)?;
                return Ok(end.map(|end| (end, Outcome::Done { version: 0 })));
            }
            (Expected::Written, Some((b'+', b"OK"))) => Some(Outcome::Done { version: 0 }),
            (Expected::CasAnswered, Some((b':', [b'-', version @ ..]))) => {
                number(Some(version)).map(|version| Outcome::Refused { version })
            }
            (Expected::CasAnswered, Some((b':', version))) => {
                number(Some(version)).map(|version| Outcome::Done { version })
            }
            _ => None,
        };
        let outcome = outcome.ok_or_else(|| wrong(&format!("not {expected:?}"), line))?;
        Ok(Some((next, outcome)))
    }

    fn prepare(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(server)?;
        let mut request = Vec::new();
        command(&mut request, &["SCRIPT", "LOAD", CAS], 3);
        stream.write_all(&request)?;
        let mut reply = [0; "$40\r\n".len() + SHA1_HEX_BYTES + "\r\n".len()];
        stream.read_exact(&mut reply)?;
        let script = reply.strip_prefix(b"$40\r\n").and_then(|r| r.strip_suffix(b"\r\n"));
        let script = script.and_then(|s| std::str::from_utf8(s).ok());
        self.script = script.ok_or_else(|| wrong("not a script's name", &reply))?.to_string();
        Ok(())
    }
}
