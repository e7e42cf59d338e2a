//! The real `telnet`, at a terminal: `script` gives it one.
#![cfg(target_os = "linux")]

use super::Serving;
use crate::programs::{has, program};
use crate::server::eventually_within;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use telefile::net::Address;

/// No wait takes this long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A person at a terminal.
struct Terminal {
    telnet: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    /// The length of the part of the screen that was read already.
    read: usize,
}

impl Terminal {
    fn start(serving: &Serving) -> Terminal {
        let Address::Tcp(address) = &serving.addresses[0] else { unreachable!() };
        let telnet = format!("telnet {} {}", address.ip(), address.port());
        let mut command = program("script");
        command.args(["-qfec", &telnet, "/dev/null"]).process_group(0).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut telnet = command.spawn().unwrap();
        let (keys, mut output) = (telnet.stdin.take().unwrap(), telnet.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let written = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let mut terminal = Terminal { telnet, keys, screen, read: 0 };
        terminal.shows("Escape character is '^]'.");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a request until its reply is on the screen: a terminal drops input and output while
    /// its mode changes, and around a Ctrl-C.
    #[track_caller]
    fn asks(&mut self, request: &str, reply: &str) {
        const AGAIN: Duration = Duration::from_secs(2);
        let since = Instant::now();
        loop {
            self.types(request);
            if self.sees(reply, AGAIN) {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "no {reply:?} in {:?}",
                self.screen.lock().unwrap()
            );
        }
    }

    #[track_caller]
    fn shows(&mut self, text: &str) {
        let shown = self.sees(text, PATIENCE);
        assert!(shown, "no {text:?} in {:?}", self.screen.lock().unwrap());
    }

    /// Waits until this is on the screen, after the text that was waited for before.
    fn sees(&mut self, text: &str, patience: Duration) -> bool {
        let since = Instant::now();
        while since.elapsed() < patience {
            let found = self.screen.lock().unwrap()[self.read..].find(text);
            if let Some(at) = found {
                self.read += at + text.len();
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.telnet), Signal::KILL);
        let _ = self.telnet.wait();
    }
}

#[test]
fn a_ctrl_c_in_telnet_keeps_the_connection_and_its_lock() {
    if !has("telnet") || !has("script") {
        return;
    }
    for mode in ["", "mode character\n", "toggle autosynch\n"] {
        let serving = Serving::local(&[]);
        let mut asker = serving.client();
        let mut terminal = Terminal::start(&serving);
        if !mode.is_empty() {
            terminal.asks("\x1d", "telnet>");
            terminal.types(mode);
        }
        terminal.asks("stat lock/db\n", "ERR_FILE_NOT_FOUND\r\n");
        terminal.types("cas lock/db 0 2 -1\nme\n");
        terminal.shows("OK 1\r\n");
        for _ in 0..3 {
            terminal.types("\x03");
            terminal.asks("read lock/db\n", "CONTENTS 1 2 -1\r\nme\r\n");
        }
        assert_eq!(asker.ask("stat lock/db"), "STAT 1 2 -1 MemoryFile 0");
        terminal.types("quit\n");
        terminal.shows("Connection closed by foreign host.");
        eventually_within(PATIENCE, "the lock is free", || {
            asker.ask("stat lock/db") == "ERR_FILE_NOT_FOUND"
        });
    }
}
