//! The thread that waits for changes on the server, on a connection of its own.

use super::remote::Remote;
use crate::sync::error::Error;
use crate::sync::report::{LONGEST_PAUSE, Stop, Wake};
use crate::sync::settings::Settings;
use std::thread;
use std::time::Duration;

/// How long one watch of the server waits, and how long its thread lasts after a stop.
const SERVER_WATCH: Duration = Duration::from_secs(10);

/// Starts the thread that waits for changes on the server.
pub(in crate::sync) fn watch_server(
    settings: &Settings,
    id: &str,
    stop: &Stop,
) -> Result<(), Error> {
    let (settings, id, stop) = (settings.clone(), id.to_string(), stop.clone());
    let wake = stop.waker();
    let watch = move || {
        let mut pause = Duration::from_secs(1);
        while !stop.is_asked() {
            let watched = watch_once(&settings, &id, &stop, || {
                pause = Duration::from_secs(1);
                let _ = wake.send(Wake::Server);
            });
            if watched.is_err() && stop.wait(pause).is_ok() {
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
        }
    };
    let thread = thread::Builder::new().name("sync-watch".to_string());
    thread.spawn(watch).map(drop).map_err(Error::about("a thread"))
}

/// Calls `changed` after each change of an entry, as long as the connection holds.
fn watch_once(
    settings: &Settings,
    id: &str,
    stop: &Stop,
    mut changed: impl FnMut(),
) -> Result<(), Error> {
    let remote = Remote::connect(settings.builder(), &settings.address, id)?;
    let mut table = remote.latest_version()?;
    // What was missed without a connection.
    changed();
    while !stop.is_asked() {
        match remote.watch("e/", table, SERVER_WATCH)? {
            Some(news) => {
                table = news.table;
                if !news.versions.is_empty() {
                    changed();
                }
            }
            None => {
                table = remote.latest_version()?;
                changed();
            }
        }
    }
    Ok(())
}
