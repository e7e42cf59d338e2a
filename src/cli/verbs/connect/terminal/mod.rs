//! `telefile connect` on a terminal: a line editor, and a check of each request before it is sent, so
//! that a slip costs neither the connection nor what it holds.

mod compose;
mod helper;
mod history;
mod screen;

use super::link::Link;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::remote::Remote;
use crate::cli::signals;
use crate::cli::streams::put;
use crate::client::Client;
use crate::wire::Request;
use compose::{Composer, Step};
use helper::Assistant;
use history::History;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use screen::Screen;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::io::{self, ErrorKind, IsTerminal};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

/// Ends bracketed paste, which the line editor has begun.
const PASTE_ENDS: &str = "\x1b[?2004l";

/// The terminal as it was, for an end in the middle of a line.
struct Tty {
    before: Option<Termios>,
    /// Whether the line editor has it.
    is_edited: AtomicBool,
}

impl Tty {
    fn save() -> Self {
        Tty { before: tcgetattr(io::stdin()).ok(), is_edited: AtomicBool::new(false) }
    }

    fn restore(&self) {
        if let Some(before) = self.before.as_ref().filter(|_| self.is_edited.load(SeqCst)) {
            let _ = put(format!("{PASTE_ENDS}\r\n"));
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Returns whether a user types here and sees the replies.
pub(super) fn is_used() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Lets the user type requests until the end of either side. The process then exits.
pub(super) fn run(link: Arc<Link>, remote: &Remote) -> Outcome {
    let tty = Arc::new(Tty::save());
    let restored = tty.clone();
    let handled = signals::each(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM], move |signal| {
        restored.restore();
        process::exit(128 + signal);
    });
    handled.map_err(Failure::no_thread)?;
    let (receiving, restored) = (link.clone(), tty.clone());
    let started = thread::Builder::new().spawn(move || {
        let mut screen = Screen::default();
        let ended = receiving.receive(|bytes| put(screen.show(bytes)).map(|()| true));
        restored.restore();
        let failure = ended.err();
        failure.iter().for_each(Failure::report);
        process::exit(failure.map_or(0, |failure| failure.status.into()));
    });
    started.map_err(Failure::no_thread)?;
    type_requests(&link, &tty, remote)?;
    // The receiver exits once everything is answered.
    loop {
        thread::park();
    }
}

/// Reads requests and sends them, each after the reply to the one before.
fn type_requests(link: &Link, tty: &Tty, remote: &Remote) -> Outcome {
    let failed = |e: ReadlineError| Failure::failed(format!("terminal: {e}"));
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor = Editor::with_history(config, MemHistory::new()).map_err(failed)?;
    let assistant = Assistant::new(remote.builder(Client::builder())?, &remote.place.address);
    editor.set_helper(Some(assistant));
    let (mut history, lines) = History::open();
    for line in lines {
        editor.add_history_entry(line).map_err(failed)?;
    }
    let mut composer = Composer::default();
    loop {
        let prompt = match composer.left() {
            Some(0) => "a line end> ".to_string(),
            Some(left) => format!("{left} bytes> "),
            None => format!("{}> ", link.address()),
        };
        if let Some(assistant) = editor.helper() {
            assistant.is_request.set(composer.left().is_none());
            assistant.is_typed.set(false);
        }
        tty.is_edited.store(true, SeqCst);
        let read = editor.readline(&prompt);
        tty.is_edited.store(false, SeqCst);
        let text = match read {
            Ok(text) => text,
            // A slip of the finger, or a request that is not to be: nothing is sent.
            Err(ReadlineError::Interrupted | ReadlineError::Eof) if composer.abandon() => continue,
            Err(ReadlineError::Interrupted)
                if editor.helper().is_some_and(|assistant| assistant.is_typed.get()) =>
            {
                continue;
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => {
                link.all_sent();
                return Ok(());
            }
            Err(ReadlineError::Io(e)) if e.kind() == ErrorKind::InvalidData => {
                Failure::failed("that is not UTF-8; type the line again").report();
                continue;
            }
            Err(e) => return Err(failed(e)),
        };
        // A paste may have several lines.
        for line in text.split('\n') {
            let is_request = composer.left().is_none();
            let step = composer.line(line);
            let is_token = matches!(Request::parse(line.as_bytes()), Ok(Request::Hello { .. }));
            if is_request && step != Step::Nothing && !is_token {
                editor.add_history_entry(line).map_err(failed)?;
                history.add(line);
            }
            match step {
                Step::Nothing | Step::More => {}
                Step::Send(request) => {
                    link.send(request.as_bytes());
                    if !link.wait_answered() {
                        return Ok(());
                    }
                }
                Step::Wrong(why) => {
                    Failure::failed(why).report();
                    // What follows in a paste was meant for something else.
                    break;
                }
            }
        }
    }
}
