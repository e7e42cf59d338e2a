//! The commands that speak to a server: contents, exit statuses, and what is on which stream.

use super::{Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

/// A command for this server.
pub(super) fn at(serving: &Serving, args: &[&str]) -> Command {
    let mut command = telefile(args);
    command.env("TELEFILE_ADDR", serving.addresses[0].to_string());
    command
}

/// How a program ended that got `input` and whatever end of it.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) status: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Fed {
    /// Ended with this status, and said exactly this on stdout and stderr.
    #[track_caller]
    pub(super) fn said(&self, status: i32, stdout: &str, stderr: &str) {
        let found = (self.status, String::from_utf8_lossy(&self.stdout), &self.stderr[..]);
        assert_eq!(found, (status, stdout.into(), stderr));
    }
}

#[track_caller]
pub(super) fn feed(mut command: Command, input: &[u8]) -> Fed {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        let stdout = read_all(child.stdout.take().unwrap());
        let stderr = read_all(child.stderr.take().unwrap());
        let status = ended(&mut child);
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        Fed { status, stdout, stderr: String::from_utf8(stderr).unwrap() }
    })
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Waits for its end, and ends it if that does not come.
#[track_caller]
pub(super) fn ended(child: &mut Child) -> i32 {
    struct Kill<'a>(&'a mut Child);
    impl Drop for Kill<'_> {
        fn drop(&mut self) {
            let _ = self.0.kill();
        }
    }
    let child = Kill(child);
    eventually("the program ends", || child.0.try_wait().unwrap().is_some());
    child.0.try_wait().unwrap().unwrap().code().expect("it ends by itself")
}

/// A child that waits for its input, and the first line that it has said.
#[track_caller]
pub(super) fn start(command: &mut Command) -> (Child, String, BufReader<ChildStdout>) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (child, line, stdout)
}

#[test]
fn each_verb_sends_its_request() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str], input: &[u8]| feed(at(&serving, args), input);
    ask(&["write", "f"], b"one").said(0, "1\n", "");
    ask(&["read", "f"], b"").said(0, "one", "");
    ask(&["cas", "f", "1"], b"two\n").said(0, "2\n", "");
    ask(&["read", "--head", "f"], b"").said(0, "CONTENTS 2 4 0\ntwo\n", "");
    let stat = "version 2\nnumbytes 4\nexptime 0\ntype MemoryFile\nopens 0\nepoch ";
    let Fed { status, stdout, stderr } = ask(&["stat", "f"], b"");
    assert_eq!((status, &stderr[..]), (0, ""));
    assert!(stdout.starts_with(stat.as_bytes()), "{}", String::from_utf8_lossy(&stdout));
    ask(&["delete", "f", "2"], b"").said(0, "", "");
    ask(&["cas", "f", "0", "--exptime", "99"], b"").said(0, "4\n", "");
    ask(&["read", "f"], b"").said(0, "", "");
    ask(&["write", "--exptime=98", "--", "-f"], b"").said(0, "5\n", "");
    ask(&["read", "--head", "--", "-f"], b"").said(0, "CONTENTS 5 0 98\n", "");
    let types = String::from_utf8(ask(&["types"], b"").stdout).unwrap();
    assert!(types.lines().any(|kind| kind == "Counter"), "{types}");
    eventually("the commands before have left, and it counts itself", || {
        let stats = String::from_utf8(ask(&["stats"], b"").stdout).unwrap();
        stats.lines().any(|line| line == "connections 1")
    });
    serving.stop(Signal::TERM);
}

#[test]
fn a_refusal_has_words_the_reply_and_a_status() {
    let serving = Serving::local(&["--max-contents", "1000"]);
    let ask = |args: &[&str], input: &[u8]| feed(at(&serving, args), input);
    ask(&["write", "f"], b"x").said(0, "1\n", "");
    let absent = "g does not exist (ERR_FILE_NOT_FOUND)";
    let at_1 = "f is at version 1 (ERR_VERSION 1)";
    let memory_file = "f is of type MemoryFile (ERR_TYPE MemoryFile)";
    for (args, status, said) in [
        (&["read", "g"][..], 6, absent),
        (&["stat", "g"], 6, absent),
        (&["delete", "g"], 6, absent),
        (&["delete", "g", "1"], 6, absent),
        (&["touch", "g", "1", "9"], 6, absent),
        (&["cas", "g", "1"], 7, "g does not exist (ERR_VERSION 0)"),
        (&["delete", "f", "7"], 7, at_1),
        (&["touch", "f", "7", "9"], 7, at_1),
        (&["cas", "f", "0"], 7, at_1),
        (&["open", "f", "Counter"], 1, memory_file),
        (&["read", "f", "--type", "Counter"], 1, memory_file),
        (&["stat", "f", "--type", "Counter"], 1, memory_file),
        (
            &["open", "g", "Nope"],
            1,
            "g: the server has no such type (ERR_TYPE_NOT_FOUND); `telefile types` prints all",
        ),
        (
            &["write", "--type", "Counter", "n"],
            8,
            "n: the file's type does not permit that (ERR_DENIED)",
        ),
        (
            &["watch", "q/", "99999"],
            1,
            "q/: the table is at 3, so 99999 is of another table or yet to come \
             (ERR_COMPACTED 3); list again, and see --epoch",
        ),
    ] {
        ask(args, b"not a number").said(status, "", &format!("telefile: {said}\n"));
    }
    let too_many = "telefile: f: the server takes at most 1000 bytes for a file \
                    (ERR_LIMIT contents 1000)\n";
    ask(&["write", "f"], &[b'x'; 1001]).said(1, "", too_many);
    let too_large = ask(&["read", "--max-contents", "0", "f"], b"");
    assert_eq!((too_large.status, &too_large.stdout[..]), (1, &b""[..]), "{too_large:?}");
    assert!(too_large.stderr.contains("--max-contents"), "{too_large:?}");
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let serving = Serving::local(&[]);
    for (args, word) in [
        (&["read"][..], "NAME"),
        (&["read", "a", "b"], "b"),
        (&["read", "a b"], "a b"),
        (&["read", "@7"], "@7"),
        (&["read", "a\nquit"], "quit"),
        (&["cas", "f"], "VERSION"),
        (&["cas", "f", "one"], "one"),
        (&["delete", "f", "-1"], "-1"),
        (&["stat", "--exptime", "1", "f"], "--exptime"),
        (&["write", "--exptime", "soon", "f"], "soon"),
        (&["open", "f", "two words"], "two words"),
        (&["create", "two words"], "white space"),
        (&["types", "stray"], "stray"),
        (&["connect", "stray"], "stray"),
        (
            &["read", "--timeout", "0", "f"],
            "'--timeout <SECS>': too short, the least is 0.001 seconds",
        ),
        (
            &["cas", "f", "9223372036854775808"],
            "'9223372036854775808' for '<VERSION>': not a version",
        ),
        (&["cas", "f", "+1"], "'+1' for '<VERSION>': not a version"),
        (&["read", "--addr", "8080", "f"], "8080"),
        (&["connect", "--addr", "8080"], "8080"),
        (&["read", "--token-file", "", "f"], "a value is required for '--token-file <FILE>'"),
    ] {
        run(at(&serving, args)).failed(2, &[word]);
    }
}

#[test]
fn no_connection_is_status_3() {
    let folder = Folder::new();
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    for verb in [&["read", "f"][..], &["write", "f"], &["open", "f"], &["stats"], &["connect"]] {
        run(telefile(&[verb, &["--addr", &nobody]].concat())).failed(3, &["nobody"]);
    }
    // The other end is not telefile, or does not answer at all.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = ["read", "f", "--timeout", "0.2", "--addr", &address];
    run(telefile(&silent)).failed(3, &["200ms"]);
    drop(listener.accept().unwrap());
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    run(telefile(&["read", "f", "--addr", &address])).failed(3, &["SSH-2.0"]);
    other.join().unwrap();
}

#[test]
fn some_mebibytes_of_any_bytes_go_through_the_pipes_unchanged() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::start(&["--listen", &unix]);
    let bytes: Vec<u8> = (0..9_000_001_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    assert_eq!(feed(at(&serving, &["write", "f"]), &bytes).stdout, b"1\n");
    let read = feed(at(&serving, &["read", "f"]), b"");
    assert!(read.status == 0 && read.stdout == bytes, "{} bytes", read.stdout.len());
}

#[test]
fn an_endless_stdin_is_not_read_forever() {
    let serving = Serving::local(&[]);
    for args in [&["write", "f"][..], &["cas", "f", "0"]] {
        let command = at(&serving, &[args, &["--max-contents", "1K"]].concat());
        feed(command, &[0; 1025]).said(
            1,
            "",
            "telefile: stdin: more than 1024 bytes; --max-contents raises that\n",
        );
    }
    feed(at(&serving, &["write", "f", "--max-contents", "3"]), b"abc").said(0, "1\n", "");
}

#[test]
fn write_with_a_type_opens_writes_and_closes() {
    let serving = Serving::local(&[]);
    let mut holder = serving.client();
    assert!(holder.ask("open n Counter").starts_with("FD 0 "));
    for _ in 0..2 {
        let fed = feed(at(&serving, &["write", "--type", "Counter", "n"]), b"20");
        assert_eq!((fed.status, &fed.stderr[..]), (0, ""), "{fed:?}");
    }
    feed(at(&serving, &["read", "n"]), b"").said(0, "40\n", "");
    assert!(holder.ask("stat n").ends_with(" Counter 1"));
}

#[test]
fn one_command_writes_a_text_file_to_disk() {
    let folder = Folder::new();
    let serving = Serving::local(&["--root", folder.path().to_str().unwrap()]);
    let fed = feed(at(&serving, &["write", "--type", "TextFile", "notes.txt"]), b"kept\n");
    assert_eq!((fed.status, &fed.stderr[..]), (0, ""), "{fed:?}");
    assert_eq!(std::fs::read(folder.path().join("notes.txt")).unwrap(), b"kept\n");
    let absent = "telefile: notes.txt does not exist (ERR_FILE_NOT_FOUND)\n";
    feed(at(&serving, &["read", "notes.txt"]), b"").said(6, "", absent);
    let typed = |args: &[&str]| at(&serving, &[args, &["--type", "TextFile"]].concat());
    feed(typed(&["read", "notes.txt"]), b"").said(0, "kept\n", "");
    let head =
        String::from_utf8(feed(typed(&["read", "notes.txt", "--head"]), b"").stdout).unwrap();
    assert!(head.starts_with("CONTENTS ") && head.ends_with(" 5 0\nkept\n"), "{head}");
    let stat = String::from_utf8(feed(typed(&["stat", "notes.txt"]), b"").stdout).unwrap();
    assert!(stat.contains("numbytes 5\nexptime 0\ntype TextFile\nopens 1\n"), "{stat}");
    feed(at(&serving, &["list"]), b"").said(0, "", "");
}

#[test]
fn open_holds_the_file_until_stdin_ends() {
    let serving = Serving::local(&[]);
    let mut watcher = serving.client();
    let (mut child, line, _stdout) =
        start(at(&serving, &["open", "here", "Counter"]).stdin(Stdio::piped()));
    assert_eq!(line, "FD 0 1 Counter\n");
    child.stdin.as_mut().unwrap().write_all(b"this is for nobody\n").unwrap();
    assert!(watcher.ask("stat here").ends_with(" Counter 1"));
    drop(child.stdin.take());
    assert_eq!(ended(&mut child), 0);
    assert_eq!(watcher.ask("stat here"), "ERR_FILE_NOT_FOUND", "closed before it has ended");
}

#[test]
fn open_ends_with_the_server() {
    let serving = Serving::local(&[]);
    let (mut child, line, _stdout) = start(at(&serving, &["open", "here"]).stdin(Stdio::piped()));
    assert_eq!(line, "FD 0 1 File\n");
    let address = serving.addresses[0].to_string();
    serving.stop(Signal::TERM);
    assert_eq!(ended(&mut child), 3);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let lost = "the connection is lost";
    let closed = "the server closed the connection";
    assert_eq!(stderr, format!("telefile: {lost}: {address}: {closed}\n"));
}

#[test]
fn a_killed_holder_closes_its_file() {
    let serving = Serving::local(&[]);
    let mut watcher = serving.client();
    let (mut child, _, _stdout) = start(at(&serving, &["open", "here"]).stdin(Stdio::piped()));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("it is closed", || watcher.ask("stat here") == "ERR_FILE_NOT_FOUND");
}

#[test]
fn the_token_comes_only_from_a_file() {
    let folder = Folder::new();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let path = path.to_str().unwrap();
    let serving = Serving::local(&["--token-file", path]);
    feed(at(&serving, &["write", "f", "--token-file", path]), b"x").said(0, "1\n", "");
    let mut by_variable = at(&serving, &["read", "f"]);
    by_variable.env("TELEFILE_TOKEN_FILE", path);
    feed(by_variable, b"").said(0, "x", "");
    let mut fencing = at(&serving, &["read", "f"]);
    fencing.env("TELEFILE_TOKEN", "s3cret");
    let denied = "telefile: the server requires a token, and did not get the right one \
                  (ERR_DENIED); --token-file FILE gives it\n";
    feed(fencing, b"").said(8, "", denied);
    for verb in [&["list"][..], &["hello"], &["watch", "f", "0"], &["delete", "f"]] {
        feed(at(&serving, verb), b"").said(8, "", denied);
    }
    let other = folder.path().join("other");
    std::fs::write(&other, "else").unwrap();
    let connect = ["connect", "--token-file", other.to_str().unwrap()];
    feed(at(&serving, &connect), b"").said(8, "", denied);
    let connect = ["connect", "--token-file", path];
    feed(at(&serving, &connect), b"read f\n").said(0, "CONTENTS 1 1 0\r\nx\r\n", "");
}

#[test]
fn a_closed_reader_is_no_failure_and_a_full_disk_is() {
    let serving = Serving::local(&[]);
    feed(at(&serving, &["write", "f"]), &[b'x'; 3_000_000]).said(0, "1\n", "");
    for args in [&["read", "f"][..], &["stats"], &["write", "g"], &["--help"]] {
        let mut command = at(&serving, args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        assert_eq!(ended(&mut child), 0, "{args:?}");
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(stderr, "", "{args:?}");
    }
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let mut command = at(&serving, &["read", "f"]);
        command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        assert_eq!(ended(&mut command.spawn().unwrap()), 1);
    }
}
