//! What a type gets besides its operations: the context of its files, and who reads and writes.

use super::read;
use crate::server::Running;
use std::sync::{Arc, Mutex};
use telefile::{Caller, ClientId, Contents, File, Name, Refusal, Server, file_types};

type Lines = Arc<Mutex<Vec<String>>>;

/// Appends to the lines that all files share. The number distinguishes the types of a list.
struct Shared<const NUMBER: u8>(Lines);

impl<const NUMBER: u8> File<Lines> for Shared<NUMBER> {
    fn create(name: &Name, lines: &Lines) -> Result<Self, Refusal> {
        lines.lock().unwrap().push(format!("{NUMBER} {}", name.as_str()));
        Ok(Shared(lines.clone()))
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(self.0.lock().unwrap().join(", ").into())
    }
}

#[test]
fn files_share_the_context_that_is_listed_with_their_type() {
    let (here, there) = (Lines::default(), Lines::default());
    let server = Running::start(Server::builder().types(file_types![
        "One" => Shared<1> with here.clone(),
        "Two" => Shared<2> with here.clone(),
        "Other" => Shared<3> with there.clone(),
    ]));
    let mut client = server.client();
    assert_eq!(client.ask("open a One"), "FD 0 1 One");
    assert_eq!(client.ask("open b Two"), "FD 1 2 Two");
    assert_eq!(client.ask("open c Other"), "FD 2 3 Other");
    assert_eq!(client.ask("open d One"), "FD 3 4 One");
    assert_eq!(read(&mut client, "b"), "CONTENTS 2 13 0: 1 a, 2 b, 1 d");
    assert_eq!(read(&mut client, "c"), "CONTENTS 3 3 0: 3 c");
    assert_eq!(*here.lock().unwrap(), ["1 a", "2 b", "1 d"]);
}

/// Shows who opened it last, who wrote last and who reads.
struct Callers {
    opened: Option<ClientId>,
    wrote: Option<Caller>,
}

impl File for Callers {
    fn create(_: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Callers { opened: None, wrote: None })
    }

    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        self.opened = Some(by);
        Ok(())
    }

    fn read_by(&mut self, by: Caller) -> Result<Contents, Refusal> {
        let wrote = self.wrote.map(|wrote| (wrote.client == by.client, wrote.descriptor));
        let opened = self.opened == Some(by.client);
        Ok(format!("{opened} {wrote:?} {:?}", by.descriptor).into())
    }

    fn write_by(&mut self, _: Contents, by: Caller) -> Result<(), Refusal> {
        self.wrote = Some(by);
        Ok(())
    }
}

#[test]
fn a_type_learns_which_client_reads_and_writes_and_whether_by_a_descriptor() {
    let server = Running::start(Server::builder().types(file_types![Callers]));
    let (mut ann, mut bob) = (server.client(), server.client());
    let read = |client: &mut _, file| read(client, file).split_once(": ").unwrap().1.to_string();
    assert_eq!(ann.ask("open f Callers"), "FD 0 1 Callers");
    assert_eq!(read(&mut ann, "f"), "true None None");
    assert_eq!(read(&mut ann, "@0"), "true None Some(Fd(0))");
    assert_eq!(read(&mut bob, "f"), "false None None");
    assert_eq!(ann.write("@0", b""), "OK 2");
    assert_eq!(read(&mut ann, "f"), "true Some((true, Some(Fd(0)))) None");
    assert_eq!(read(&mut bob, "f"), "false Some((false, Some(Fd(0)))) None");
    assert_eq!(bob.ask("cas f 2 0\r\n"), "OK 3");
    assert_eq!(read(&mut ann, "f"), "true Some((false, None)) None");
    assert_eq!(read(&mut bob, "f"), "false Some((true, None)) None");
}
