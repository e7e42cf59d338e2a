//! The ceiling of a blocking thread-per-connection server: it finds the ends of requests and sends
//! constant replies. No table, no lock, no limits. Knows only the part of telefile's protocol that
//! the load uses.

use crate::value::Value;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const BUFFER_BYTES: usize = 64 << 10;
const STACK_BYTES: usize = 128 << 10;

/// Serves until the process ends. The contents of every file are `value`.
pub(crate) fn serve(listener: &TcpListener, value: &Value) {
    let mut contents = format!("CONTENTS 1 {} 0\r\n", value.bytes().len()).into_bytes();
    contents.extend_from_slice(value.bytes());
    contents.extend_from_slice(b"\r\n");
    let contents: &'static [u8] = contents.leak();
    for stream in listener.incoming().flatten() {
        let session = move || drop(answer(stream, contents)); // a lost client is no error
        if let Err(e) = thread::Builder::new().stack_size(STACK_BYTES).spawn(session) {
            eprintln!("null: {e}");
        }
    }
}

fn answer(mut stream: TcpStream, contents: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = vec![0; BUFFER_BYTES];
    let mut end = 0;
    let mut skip = 0; // bytes of contents, and their line end, that have not arrived
    let mut collected = Vec::new();
    loop {
        match stream.read(&mut input[end..])? {
            0 => return Ok(()),
            n => end += n,
        }
        let mut start = 0;
        let mut last: &[u8] = b""; // the newest reply, sent without a copy
        loop {
            if skip > 0 {
                let n = skip.min(end - start);
                (start, skip) = (start + n, skip - n);
                if skip > 0 {
                    break;
                }
                collected.extend_from_slice(last);
                last = b"OK 1\r\n";
            }
            let Some(length) = input[start..end].iter().position(|b| *b == b'\n') else { break };
            let line = &input[start..start + length];
            start += length + 1;
            match line.first() {
                Some(b'w') => skip = number(line, 2) + 2,
                Some(b'c') => skip = number(line, 3) + 2,
                _ => {
                    collected.extend_from_slice(last);
                    last = contents;
                }
            }
        }
        if collected.is_empty() {
            stream.write_all(last)?;
        } else {
            collected.extend_from_slice(last);
            stream.write_all(&collected)?;
            collected.clear();
        }
        input.copy_within(start..end, 0);
        end -= start;
    }
}

/// Returns the field `index`, from 0, of a line.
fn number(line: &[u8], index: usize) -> usize {
    let field = line.split(|b| *b == b' ').nth(index).unwrap_or_default();
    field.iter().take_while(|b| b.is_ascii_digit()).fold(0, |n, b| n * 10 + (b - b'0') as usize)
}
