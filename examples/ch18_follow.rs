//! Chapter 18: a program that follows its configuration, and misses nothing.

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use telefile::client::{Event, Follow};
use telefile::{Client, Server};

type Config = BTreeMap<String, String>;

/// Waits until something is new, and brings the configuration up to date.
fn reload(follow: &mut Follow, config: &mut Config) -> Result<(), Box<dyn Error>> {
    while let Some(event) = follow.next() {
        match event? {
            Event::Put { name, .. } => {
                let file = follow.client().read(&*name)?;
                config.insert(name, String::from_utf8_lossy(&file.contents).into_owned());
            }
            Event::Deleted { name, .. } => drop(config.remove(&name)),
            Event::Current(version) => {
                println!("version {version}: {config:?}");
                break;
            }
            event => return Err(format!("unexpected: {event:?}").into()),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let client = Client::connect_to(&server.addresses()[0])?;
    client.write("app/host", "localhost")?;
    client.write("app/port", "80")?;

    let (mut follow, mut config) = (client.follow("app/")?, Config::new());
    reload(&mut follow, &mut config)?;

    // Three changes, while nobody looks.
    client.write("app/port", "8080")?;
    client.write("app/colour", "red")?;
    client.delete("app/colour", None)?;
    reload(&mut follow, &mut config)?;
    assert_eq!(config["app/port"], "8080");

    // And one that comes while the follower waits.
    let writer = thread::spawn(move || client.delete("app/host", None));
    reload(&mut follow, &mut config)?;
    writer.join().expect("the writer does not panic")?;
    assert_eq!(config.len(), 1);
    println!("nothing was missed");
    Ok(())
}
