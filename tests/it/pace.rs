//! How long something takes on a machine that others use too.

use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

const NAP: Duration = Duration::from_millis(2);

/// A clock for upper bounds. A thread that naps beside the test measures how late this machine wakes a
/// sleeping thread. That is subtracted, twice: what is measured may need several wakes in a row.
///
/// A test that needs a fast machine for what it proves tries it with less where this says that the
/// machine was [`late`](Pace::late).
pub(crate) struct Pace {
    since: Instant,
    naps: Arc<Mutex<Naps>>,
}

struct Naps {
    late: Duration,
    last: Instant,
}

impl Naps {
    /// What the naps until now took too long, the one that is not over included.
    fn late(&self) -> Duration {
        self.late + self.last.elapsed().saturating_sub(NAP)
    }
}

impl Pace {
    pub(crate) fn start() -> Pace {
        let since = Instant::now();
        let naps = Arc::new(Mutex::new(Naps { late: Duration::ZERO, last: since }));
        thread::spawn({
            let naps = Arc::downgrade(&naps);
            move || nap(&naps)
        });
        Pace { since, naps }
    }

    /// How late the sleeping thread was woken, in total.
    pub(crate) fn late(&self) -> Duration {
        self.naps.lock().unwrap().late()
    }

    /// How long it took until now, or would have on a machine that is idle.
    pub(crate) fn took(&self) -> Duration {
        self.since.elapsed().saturating_sub(2 * self.late())
    }
}

fn nap(naps: &Weak<Mutex<Naps>>) {
    while let Some(naps) = naps.upgrade() {
        {
            let mut naps = naps.lock().unwrap();
            *naps = Naps { late: naps.late(), last: Instant::now() };
        }
        drop(naps);
        thread::sleep(NAP);
    }
}

#[test]
fn a_wait_is_measured_and_lateness_is_not() {
    let pace = Pace::start();
    thread::sleep(Duration::from_millis(200));
    assert!(pace.took() <= Duration::from_millis(200) + pace.since.elapsed() / 2);
    // As if the machine had not woken anybody for an hour.
    let mut naps = pace.naps.lock().unwrap();
    naps.late += Duration::from_secs(3600);
    drop(naps);
    assert_eq!(pace.took(), Duration::ZERO);
}
