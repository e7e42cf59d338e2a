//! A server that lies: it has some files, and answers as it likes.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// A reply in place of the true one.
pub(super) enum Lie {
    Line(String),
    /// Sends this, and closes.
    Stop(String),
}

type Files = BTreeMap<String, (u64, Vec<u8>)>;
type Lies = Box<dyn Fn(&str) -> Option<Lie> + Send + Sync>;

pub(super) struct Liar {
    pub(super) port: String,
    pub(super) connections: Arc<AtomicU64>,
}

struct Speaker {
    id: String,
    files: Mutex<Files>,
    lies: Lies,
}

impl Liar {
    /// Starts a server of session `id` with these files, which asks `lies` about each line first.
    pub(super) fn start(
        id: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        lies: impl Fn(&str) -> Option<Lie> + Send + Sync + 'static,
    ) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut files: Files = files.into_iter().map(|(name, text)| (name, (1, text))).collect();
        files.insert(format!("s/{id}/m"), (1, Vec::new()));
        let (files, lies): (_, Lies) = (Mutex::new(files), Box::new(lies));
        let speaker = Arc::new(Speaker { id: id.to_string(), files, lies });
        let connections = Arc::new(AtomicU64::new(0));
        let count = connections.clone();
        // It ends with the tests.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, SeqCst);
                let speaker = speaker.clone();
                thread::spawn(move || speaker.serve(stream));
            }
        });
        Liar { port, connections }
    }
}

impl Speaker {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut input = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while input.read_line(&mut line)? > 0 {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let contents = match words[..] {
                ["cas", _, _, numbytes, ..] | ["write" | "create", _, numbytes, ..] => {
                    let mut contents = vec![0; numbytes.parse::<usize>().unwrap() + 2];
                    input.read_exact(&mut contents)?;
                    contents.truncate(contents.len() - 2);
                    contents
                }
                _ => Vec::new(),
            };
            match (self.lies)(line.trim_end()) {
                Some(Lie::Line(reply)) => stream.write_all(reply.as_bytes())?,
                Some(Lie::Stop(reply)) => return stream.write_all(reply.as_bytes()),
                // A watch that waits does so until the other end closes.
                None if words[0] == "watch" && words[3] != "0" => {}
                None => stream.write_all(&self.answer(&words, contents))?,
            }
            line.clear();
        }
        Ok(())
    }

    fn answer(&self, words: &[&str], contents: Vec<u8>) -> Vec<u8> {
        let mut files = self.files.lock().unwrap();
        let version = 1 + files.len();
        let text = match *words {
            ["hello", ..] => format!("HELLO 1 00000000000000aa {version}\r\n"),
            ["session", ..] => format!("SESSION {} 00000000000000aa {version} OLD\r\n", self.id),
            ["stats"] => "STATS 0\r\n".to_string(),
            ["watch", ..] => format!("CHANGES {version} 0\r\n"),
            ["stat", name] => match files.get(name) {
                Some((version, contents)) => {
                    format!("STAT {version} {} 0 MemoryFile 0\r\n", contents.len())
                }
                None => "ERR_FILE_NOT_FOUND\r\n".to_string(),
            },
            ["read", name] => match files.get(name) {
                Some((version, contents)) => {
                    let head = format!("CONTENTS {version} {} 0\r\n", contents.len());
                    return [head.as_bytes(), contents, b"\r\n"].concat();
                }
                None => "ERR_FILE_NOT_FOUND\r\n".to_string(),
            },
            ["list", prefix, ..] => {
                let files: Vec<_> = files.iter().filter(|f| f.0.starts_with(prefix)).collect();
                let line = |(name, (version, contents)): &(&String, &(u64, Vec<u8>))| {
                    format!("{version} {} 0 {name}\r\n", contents.len())
                };
                let lines: String = files.iter().map(line).collect();
                format!("LIST {version} {} 0\r\n{lines}", files.len())
            }
            ["cas" | "write", name, ..] => {
                files.insert(name.to_string(), (1, contents));
                "OK 1\r\n".to_string()
            }
            ["create", name, ..] => format!("OK 1 {name}1\r\n"),
            ["delete", ..] => "OK\r\n".to_string(),
            _ => "ERR_CMD_ERR\r\n".to_string(),
        };
        text.into_bytes()
    }
}
