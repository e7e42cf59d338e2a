//! The exercise of chapter 18: list, then watch, without a gap.

use std::time::Duration;
use telefile::{Client, Server, Version, client};

/// Returns the names below `app/`, and the version to watch from. `meanwhile` is what another client
/// does at the same time. To do: a watch from that version must report it.
fn list(
    client: &Client,
    meanwhile: impl FnOnce(),
) -> Result<(Vec<String>, Version), client::Error> {
    let list = client.list("app/")?;
    let names = list.map(|file| file.map(|file| file.name)).collect::<Result<_, _>>()?;
    meanwhile();
    Ok((names, client.latest_version()?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let (ann, bob) =
        (Client::connect_to(&server.addresses()[0])?, Client::connect_to(&server.addresses()[0])?);
    ann.write("app/host", "localhost")?;
    let (mut names, version) = list(&ann, || assert!(bob.write("app/port", "80").is_ok()))?;
    assert_eq!(names, ["app/host"]);

    let changes = ann.watch("app/", version, Duration::ZERO)?.changes;
    names.extend(changes.into_iter().map(|change| change.name));
    assert_eq!(names, ["app/host", "app/port"], "a file was missed");
    println!("each file was either listed or reported");
    Ok(())
}
