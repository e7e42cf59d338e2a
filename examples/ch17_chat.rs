//! Chapter 17: a chat. The server is everything above `main`.

use std::collections::HashMap;
use std::error::Error;
use telefile::framework::{
    Client, Connection, Message, OwnedMessage, Server, ServerApp, ServerConfig,
};

const ENTER: u16 = 1;
const SAY: u16 = 2;

struct Chat(HashMap<Connection, String>);

impl Chat {
    fn announce(&self, line: &str) {
        self.0.keys().for_each(|client| client.send(Message::new(SAY).append(line)));
    }
}

impl ServerApp for Chat {
    type Context = ();

    fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Chat(HashMap::new()))
    }

    fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
        let text = String::from_utf8_lossy(message.payload());
        match (message.id(), self.0.get(&client)) {
            (ENTER, None) => {
                self.0.insert(client, text.to_string());
                self.announce(&format!("{text} is here"));
            }
            (SAY, Some(name)) => self.announce(&format!("{name}: {text}")),
            _ => self.on_client_disconnect(&client),
        }
    }

    fn on_client_disconnect(&mut self, client: &Connection) {
        client.shutdown(); // unless it has ended
        if let Some(name) = self.0.remove(client) {
            self.announce(&format!("{name} has left"));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::spawn(ServerConfig::<Chat>::new(()).listen("127.0.0.1:0".parse()?))?;
    let hear = |client: &Client| -> Result<String, Box<dyn Error>> {
        Ok(String::from_utf8_lossy(client.recv(None)?.payload()).into_owned())
    };
    let ann = Client::connect_to(&server.addresses()[0])?;
    ann.send(Message::new(ENTER).append("ann"))?;
    println!("ann hears: {}", hear(&ann)?);

    let bob = Client::connect_to(&server.addresses()[0])?;
    bob.send(Message::new(ENTER).append("bob"))?;
    println!("ann hears: {}", hear(&ann)?);
    bob.send(Message::new(SAY).append("good morning"))?;
    println!("ann hears: {}", hear(&ann)?);
    println!("bob hears: {}, {}", hear(&bob)?, hear(&bob)?);
    bob.shutdown(None)?;
    println!("ann hears: {}", hear(&ann)?);

    let carol = Client::connect_to(&server.addresses()[0])?;
    carol.send(Message::new(ENTER).append("carol"))?;
    carol.send(Message::new(ENTER).append("carol again"))?;
    let (came, last) = (hear(&ann)?, hear(&ann)?);
    println!("ann hears: {came}, {last}");
    assert_eq!(last, "carol has left");
    Ok(server.stop(None)?)
}
