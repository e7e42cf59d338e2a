//! Calls the application for the events of a channel. A panic ends only its callback.

use super::app::ServerApp;
use super::channel::{Channel, Event};
use super::connection::{Connection, OwnedMessage};
use super::flusher::Collector;
use crate::panics::panic_text;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the callbacks' messages are collected at most, unless one callback takes longer.
const MAX_COLLECT_TIME: Duration = Duration::from_millis(1);

/// A [`ServerApp`] of any type.
pub(super) trait Callbacks: Send {
    fn connect(&mut self, client: &Connection) -> bool;
    fn message(&mut self, message: OwnedMessage);
    fn disconnect(&mut self, client: &Connection);
}

impl<A: ServerApp> Callbacks for A {
    fn connect(&mut self, client: &Connection) -> bool {
        self.on_client_connect(client)
    }

    fn message(&mut self, message: OwnedMessage) {
        self.on_message(message);
    }

    fn disconnect(&mut self, client: &Connection) {
        self.on_client_disconnect(client);
    }
}

/// The callbacks of one burst.
pub(super) struct Burst<'a> {
    app: &'a mut dyn Callbacks,
    collector: &'a Collector,
    /// When the last callback returned.
    now: Instant,
    flushed: Instant,
}

impl<'a> Burst<'a> {
    pub(super) fn begin(app: &'a mut dyn Callbacks, collector: &'a Collector) -> Self {
        collector.begin();
        let now = Instant::now();
        Burst { app, collector, now, flushed: now }
    }

    /// Calls the application if there is something to report about the connection; returns false if
    /// not.
    pub(super) fn call(&mut self, channel: &Arc<Channel>) -> bool {
        let Some(event) = channel.next() else { return false };
        let (app, client) = (&mut *self.app, Connection(channel.clone()));
        match event {
            Event::Connect => match guarded("on_client_connect", || app.connect(&client)) {
                Some(true) => channel.accept(),
                _ => channel.close(),
            },
            Event::Message(message) => {
                guarded("on_message", || app.message(OwnedMessage { message, client }));
            }
            Event::Disconnect => {
                guarded("on_client_disconnect", || app.disconnect(&client));
                channel.close();
            }
        }
        self.now = Instant::now();
        if self.now - self.flushed >= MAX_COLLECT_TIME {
            self.collector.flush();
            self.flushed = self.now;
        }
        true
    }

    /// Returns whether the last callback returned at `until` or later.
    pub(super) fn is_past(&self, until: Option<Instant>) -> bool {
        until.is_some_and(|until| self.now >= until)
    }
}

impl Drop for Burst<'_> {
    fn drop(&mut self) {
        self.collector.end();
    }
}

/// Makes an application's value. A panic is an error like others.
pub(super) fn make<A: ServerApp>(
    context: A::Context,
) -> Result<Box<dyn Callbacks>, Box<dyn std::error::Error + Send + Sync>> {
    let made = catch_unwind(AssertUnwindSafe(|| A::new(context)));
    let made =
        made.unwrap_or_else(|panic| Err(format!("new panicked: {}", panic_text(&*panic)).into()));
    Ok(Box::new(made?))
}

/// Calls the application; logs a panic and returns `None`.
pub(super) fn guarded<T>(callback: &str, call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    called.inspect_err(|panic| log::error!("{callback} panicked: {}", panic_text(&**panic))).ok()
}
