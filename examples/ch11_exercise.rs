//! Chapter 11, build it: a cache whose entries have deadlines.

use std::collections::HashMap;
use std::time::Duration;
use telefile::Clock;

struct Cache {
    clock: Clock,
    /// By key: the value, and the time on the clock at which it is over.
    entries: HashMap<String, (String, Duration)>,
}

impl Cache {
    fn put(&mut self, key: &str, value: &str, life: Duration) {
        let deadline = self.clock.now() + life;
        self.entries.insert(key.to_string(), (value.to_string(), deadline));
    }

    /// Returns the value of a key. Removes it if its time is over.
    fn get(&mut self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|(value, _)| &**value)
    }
}

fn main() {
    let clock = Clock::manual();
    let mut cache = Cache { clock: clock.clone(), entries: HashMap::new() };
    cache.put("a", "1", Duration::from_secs(5));
    cache.put("b", "2", Duration::from_secs(10));
    clock.advance(Duration::from_millis(4999));
    assert_eq!(cache.get("a"), Some("1"));
    clock.advance(Duration::from_millis(1));
    assert_eq!(cache.get("a"), None, "its time is over");
    assert_eq!(cache.get("b"), Some("2"));
    assert_eq!(cache.entries.len(), 1, "what is over takes no memory");
    println!("each entry ends at its deadline");
}
