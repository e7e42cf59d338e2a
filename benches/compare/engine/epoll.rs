//! One thread for all connections: a client that costs less than the server, so that the server
//! gets more of the shared machine.

use super::Run;
use crate::client::{Client, TIMEOUT};
use crate::tally::Tally;
use crate::window::{Phase, Window};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io;

const EVENTS: usize = 256;

pub(crate) fn run(run: &Run<'_>) -> io::Result<(Tally, Window)> {
    Ok(run.measure(vec![run.connect_all()?], drive))
}

fn drive(clients: Vec<Client<'_>>, tally: &mut Tally, phase: &Phase) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut polled = Vec::new();
    for (index, client) in clients.into_iter().enumerate() {
        client.stream.set_nonblocking(true)?;
        let data = EventData::new_u64(index as u64);
        epoll::add(&epoll, &client.stream, data, EventFlags::IN)?;
        let mut one = Polled { client, data, waits_for_room: false };
        one.client.ask_batch();
        one.send(&epoll)?;
        polled.push(one);
    }
    let timeout = Timespec::try_from(TIMEOUT).map_err(|_| Errno::INVAL)?;
    let mut live = polled.len();
    let mut events = Vec::with_capacity(EVENTS);
    while live > 0 && !phase.is_over() {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&timeout)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in &events {
            let (index, flags) = (event.data.u64() as usize, event.flags);
            let one = &mut polled[index];
            if let Err(e) = one.step(flags, &epoll, tally, phase) {
                tally.fail(&e);
                epoll::delete(&epoll, &one.client.stream)?;
                live -= 1;
            }
        }
    }
    Ok(())
}

struct Polled<'a> {
    client: Client<'a>,
    data: EventData,
    /// The stream was full: only then epoll has to report when it takes more.
    waits_for_room: bool,
}

impl Polled<'_> {
    fn step(
        &mut self,
        flags: EventFlags,
        epoll: &OwnedFd,
        tally: &mut Tally,
        phase: &Phase,
    ) -> io::Result<()> {
        if flags.contains(EventFlags::OUT) {
            self.send(epoll)?;
        }
        // Anything but OUT is a reply, the end or an error: receiving shows which.
        let came = flags != EventFlags::OUT && self.client.receive()?;
        if came && self.client.check_replies(tally, phase)? {
            self.client.ask_batch();
            self.send(epoll)?;
        }
        Ok(())
    }

    fn send(&mut self, epoll: &OwnedFd) -> io::Result<()> {
        let full = !self.client.send()?;
        if full != self.waits_for_room {
            self.waits_for_room = full;
            let also = if full { EventFlags::OUT } else { EventFlags::empty() };
            epoll::modify(epoll, &self.client.stream, self.data, EventFlags::IN | also)?;
        }
        Ok(())
    }
}
