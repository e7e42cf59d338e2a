//! Chat rooms. `chat ADDRESS` serves. `chat ADDRESS ROOM NICK` enters a room, sends the lines of
//! stdin, and prints what the others send.

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{io, thread};
use telefile::framework::{
    Client, Connection, Message, OwnedMessage, Server, ServerApp, ServerConfig,
};

/// From a client: the room and the nick, separated by a space. From the server: a line to print.
const ENTER: u16 = 1;
const SAY: u16 = 2;

/// The room and the nick of each client. With one worker all clients are here.
struct Chat(HashMap<Connection, (String, String)>);

impl Chat {
    /// Sends a line to everybody in the room. It never waits for a client that reads slowly: in the
    /// end such a client is disconnected.
    fn announce(&self, room: &str, line: String) {
        let line = Message::new(SAY).append(line);
        let there = self.0.iter().filter(|(_, (its_room, _))| its_room == room);
        there.for_each(|(client, _)| client.send(line.clone()));
    }

    fn enter(&mut self, client: Connection, room: &str, nick: &str) {
        if self.0.values().any(|(_, taken)| taken == nick) || self.0.contains_key(&client) {
            client.send(Message::new(SAY).append(format!("{nick} cannot enter")));
            client.shutdown();
            return self.leave(&client); // shutdown calls no on_client_disconnect
        }
        self.0.insert(client, (room.to_string(), nick.to_string()));
        self.announce(room, format!("{nick} is here"));
    }

    fn leave(&mut self, client: &Connection) {
        if let Some((room, nick)) = self.0.remove(client) {
            self.announce(&room, format!("{nick} has left"));
        }
    }
}

impl ServerApp for Chat {
    type Context = ();

    fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Chat(HashMap::new()))
    }

    fn on_client_disconnect(&mut self, client: &Connection) {
        self.leave(client);
    }

    fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
        let text = String::from_utf8_lossy(message.payload());
        match (message.id(), text.split_once(' '), self.0.get(&client)) {
            (ENTER, Some((room, nick)), _) => self.enter(client, room, nick),
            (SAY, _, Some((room, nick))) => self.announce(room, format!("{nick}: {text}")),
            _ => {} // not in a room, or an unknown message
        }
    }
}

fn enter(address: &str, room: &str, nick: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(address)?;
    thread::scope(|scope| {
        let listen = || {
            while let Ok(message) = client.recv(None) {
                println!("{}", String::from_utf8_lossy(message.payload()));
            }
        };
        thread::Builder::new().spawn_scoped(scope, listen)?; // `scope.spawn` panics without a thread
        client.send(Message::new(ENTER).append(format!("{room} {nick}")))?;
        for line in io::stdin().lines() {
            client.send(Message::new(SAY).append(line?))?;
        }
        Ok(client.shutdown(Some(Duration::from_secs(1)))?)
    })
}

fn run() -> Result<(), Box<dyn Error>> {
    match &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        [address, room, nick] => enter(address, room, nick),
        [address] => {
            let server = Server::spawn(ServerConfig::<Chat>::new(()).listen(address.parse()?))?;
            println!("listening on {}", server.addresses()[0]);
            loop {
                thread::park(); // until the process is killed
            }
        }
        _ => Err("usage: chat ADDRESS [ROOM NICK]".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("chat: {e}");
            ExitCode::FAILURE
        }
    }
}
