//! `telefile connect` on a terminal: editing, completion, history, and slips that cost nothing.

use super::Serving;
use super::verbs::at;
use crate::server::{Folder, eventually};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    /// Where keys are typed.
    keys: File,
    /// The other end, which stays open so that its settings can be read.
    device: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(command: Command, state: &Folder) -> Terminal {
        Terminal::start_as(command, state, "xterm")
    }

    /// Starts on a terminal of this kind.
    fn start_as(mut command: Command, state: &Folder, kind: &str) -> Terminal {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let device = File::options().read(true).write(true).open(name).unwrap();
        let copy = || Stdio::from(device.try_clone().unwrap());
        command.stdin(copy()).stdout(copy()).stderr(copy());
        command.env("TERM", kind).env("XDG_STATE_HOME", state.path());
        let child = command.spawn().unwrap();
        let keys = File::from(master);
        let (mut shown, screen) = (keys.try_clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let writer = screen.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = shown.read(&mut buffer) {
                writer.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Terminal { child, keys, device, screen }
    }

    /// A session with this server, at its first prompt.
    fn session(serving: &Serving, state: &Folder) -> Terminal {
        let mut terminal = Terminal::start(at(serving, &["connect"]), state);
        terminal.shows("> ");
        terminal
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until this is on the screen, and clears that.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        eventually(text, || self.screen().contains(text));
        // The editor may not have redrawn everything.
        eventually("a prompt, or the end", || {
            self.screen().ends_with("\x1b[?2026l") || self.child.try_wait().unwrap().is_some()
        });
        self.screen.lock().unwrap().clear();
    }

    /// Waits until what was typed is on the screen, and clears that.
    #[track_caller]
    fn echoes(&mut self, text: &str) {
        eventually(text, || self.screen().ends_with(text));
        self.screen.lock().unwrap().clear();
    }

    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line, and waits until this is on the screen.
    #[track_caller]
    fn ask(&mut self, line: &str, text: &str) {
        self.type_keys(&format!("{line}\r"));
        self.shows(text);
    }

    /// Waits for the end. Returns the exit status; the terminal is as it was.
    #[track_caller]
    fn ended(&mut self) -> i32 {
        eventually("it ends", || self.child.try_wait().unwrap().is_some());
        let modes = tcgetattr(&self.device).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
        self.child.try_wait().unwrap().unwrap().code().expect("it ends by itself")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_slip_costs_neither_the_connection_nor_its_lock() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    let mut other = serving.client();
    let mut user = Terminal::session(&serving, &state);
    user.ask("write lock/db 2 -1", "2 bytes> ");
    user.ask("me", "OK 1\r\n");
    for (line, why) in [
        ("reed lock/db", "telefile: an unknown command; help lists all"),
        ("write f six", "telefile: numbytes is no number below 2^63: write <file>"),
        ("read", "telefile: too few fields: read <file>"),
        ("read a b", "telefile: too many fields: read <file>"),
    ] {
        user.ask(line, why);
    }
    user.keys.write_all(b"read \xff").unwrap();
    user.shows("telefile: that is not UTF-8; type the line again");
    user.ask("write f 3", "3 bytes> ");
    user.ask("four", "telefile: 1 more than the 3 bytes of contents");
    user.ask("abc", "OK 2\r\n");
    assert!(other.ask("stat lock/db").starts_with("STAT 1 2 -1 "), "it is still held");
    user.ask("read f", "CONTENTS 2 3 0\r\nabc\r\n");
    // Several lines of contents, and an empty one.
    user.ask("write g 5", "5 bytes> ");
    user.ask("a", "3 bytes> ");
    user.ask("", "2 bytes> ");
    user.ask("bc", "OK 3\r\n");
    user.ask("read g", "a\r\n\r\nbc\r\n");
    user.ask("", "> ");
    user.type_keys("quit\r");
    assert_eq!(user.ended(), 0);
    eventually("it is free", || other.ask("stat lock/db") == "ERR_FILE_NOT_FOUND");
}

#[test]
fn ctrl_c_drops_what_is_typed_or_ends_and_ctrl_d_ends() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    for end in ["\x03", "\x04"] {
        let mut user = Terminal::session(&serving, &state);
        user.type_keys("delet");
        user.echoes("delet");
        user.type_keys("\x03");
        user.shows("> ");
        for abandon in ["\x03", "\x04"] {
            user.ask("write f 9", "9 bytes> ");
            user.type_keys(abandon);
            user.shows(":");
            user.ask("read f", "ERR_FILE_NOT_FOUND\r\n");
        }
        user.type_keys(end);
        assert_eq!(user.ended(), 0);
    }
    // It waits for a reply.
    let mut user = Terminal::session(&serving, &state);
    user.type_keys("watch x 0 3600\r");
    eventually("it watches", || serving.client().stat("watches") == 1);
    kill_process(Pid::from_child(&user.child), Signal::INT).unwrap();
    assert_eq!(user.ended(), 130);
}

#[test]
fn commands_names_and_types_are_completed_and_fields_hinted() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    let mut client = serving.client();
    client.write("config/port", b"80");
    client.write("config/path", b"/");
    let mut user = Terminal::session(&serving, &state);
    user.type_keys("wri\t");
    user.shows("write \x1b[2m<file> <numbytes> [<exptime>]");
    user.type_keys("\x03");
    user.shows("> ");
    user.type_keys("read co\to\t\r");
    user.shows("CONTENTS 1 2 0\r\n80\r\n");
    user.type_keys("read config/\t\t");
    user.shows("config/port");
    user.type_keys("\x03");
    user.shows("> ");
    user.type_keys("open n Coun\t\r");
    user.shows(" Counter\r\n");
    // Contents are not completed, and a name without files is not.
    user.type_keys("read nothing\t\r");
    user.shows("ERR_FILE_NOT_FOUND\r\n");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
}

#[test]
fn a_lost_connection_is_said_while_the_user_types() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    let mut user = Terminal::session(&serving, &state);
    user.type_keys("half a li");
    user.echoes("half a li");
    drop(serving);
    assert_eq!(user.ended(), 3);
    eventually("it says so", || user.screen().contains("\r\ntelefile: the connection is lost: "));
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    for signal in [Signal::TERM, Signal::HUP, Signal::QUIT] {
        let mut user = Terminal::session(&serving, &state);
        user.type_keys("rea");
        user.echoes("rea");
        kill_process(Pid::from_child(&user.child), signal).unwrap();
        assert_eq!(user.ended(), 128 + signal.as_raw());
    }
    // This one is what ctrl-c is.
    let mut user = Terminal::session(&serving, &state);
    user.type_keys("rea");
    user.echoes("rea");
    kill_process(Pid::from_child(&user.child), Signal::INT).unwrap();
    user.shows("> ");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
}

#[test]
fn contents_do_not_command_the_terminal() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    serving.client().write("f", b"\x1b[2J\x07\xc2\x9b1m\xff\r.");
    let mut user = Terminal::session(&serving, &state);
    user.ask("read f", "\\u{1b}[2J\\u{7}\\u{9b}1m\u{fffd}\\r.\r\n");
}

#[test]
fn the_history_is_private_and_has_no_secrets() {
    let folder = Folder::new();
    let token = folder.path().join("token");
    fs::write(&token, "s3cret").unwrap();
    let serving = Serving::local(&["--token-file", token.to_str().unwrap()]);
    let state = Folder::new();
    let mut user = Terminal::session(&serving, &state);
    user.ask("helo s3cret", "unknown command");
    user.ask("hello s3cret", "HELLO 1 ");
    user.ask("session 0123456789abcdef0123456789abcdef", "SESSION ");
    user.ask("write f 4", "4 bytes> ");
    user.ask("pass", "OK ");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
    let path = state.path().join("telefile/history");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_to_string(&path).unwrap(), "write f 4\n");
    // Whatever put it there, and whoever could read it.
    fs::write(&path, "hello s3cret\nread f\n\x1b[2J\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let mut command = at(&serving, &["connect"]);
    command.env("TELEFILE_TOKEN_FILE", &token);
    let mut user = Terminal::start(command, &state);
    user.shows("> ");
    assert_eq!(mode(&path), 0o600);
    user.type_keys("\x1b[A\r"); // the key for the line before
    user.shows("read f");
    user.ask("", "> ");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
    assert!(fs::read_to_string(&path).unwrap().ends_with("\nread f\n"));
}

#[test]
fn a_long_history_is_cut() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    let path = state.path().join("telefile/history");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, (0..3000).map(|i| format!("read f{i}\n")).collect::<String>()).unwrap();
    let mut user = Terminal::session(&serving, &state);
    user.ask("read g", "ERR_FILE_NOT_FOUND\r\n");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1000]), (1001, "read f2000", "read g"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn without_a_place_for_a_history_there_is_none() {
    let serving = Serving::local(&[]);
    let state = Folder::new();
    fs::write(state.path().join("telefile"), "not a folder").unwrap();
    let mut user = Terminal::session(&serving, &state);
    user.ask("read f", "ERR_FILE_NOT_FOUND\r\n");
    user.type_keys("\x04");
    assert_eq!(user.ended(), 0);
}

/// A pasted request with its contents, also on a terminal that cannot edit lines.
#[test]
fn a_paste_of_several_lines_is_several_lines() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    let mut user = Terminal::session(&serving, &state);
    user.type_keys("\x1b[200~write f 5\nab\ncd\nread f\x1b[201~\r");
    user.shows("OK 1\r\nCONTENTS 1 5 0\r\nab\r\ncd\r\n");
    let mut dumb = Terminal::start_as(at(&serving, &["connect"]), &state, "dumb");
    eventually("a prompt", || dumb.screen().ends_with("> "));
    dumb.type_keys("read f\n");
    eventually("the reply", || dumb.screen().contains("CONTENTS 1 5 0\r\nab\r\ncd\r\n"));
    dumb.type_keys("\x04");
    assert_eq!(dumb.ended(), 0);
}

#[test]
fn piped_output_is_plain() {
    let (serving, state) = (Serving::local(&[]), Folder::new());
    serving.client().write("f", b"\x1b[2J");
    let mut command = at(&serving, &["connect"]);
    command.stdin(Stdio::piped());
    let fed = super::verbs::feed(command, b"read f\n");
    assert_eq!(fed.stdout, b"CONTENTS 1 4 0\r\n\x1b[2J\r\n");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
}
