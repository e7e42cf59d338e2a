//! Chapter 12, build it: descriptors that are numbered like a kernel's.

#[derive(Default)]
struct Descriptors {
    /// By number: the name of what is open, or `None` if the number is free.
    slots: Vec<Option<String>>,
}

impl Descriptors {
    /// Returns the number for a file that is opened now.
    fn open(&mut self, name: &str) -> usize {
        self.slots.push(Some(name.to_string()));
        self.slots.len() - 1
    }

    /// Frees a number. Returns the name of what it was.
    fn close(&mut self, fd: usize) -> Option<String> {
        self.slots.get_mut(fd)?.take()
    }
}

fn main() {
    let mut open = Descriptors::default();
    assert_eq!([open.open("a"), open.open("b"), open.open("c")], [0, 1, 2]);
    assert_eq!(open.close(1).as_deref(), Some("b"));
    assert_eq!(open.close(1), None, "a number is closed once");
    assert_eq!(open.close(0).as_deref(), Some("a"));
    assert_eq!(open.open("d"), 0, "the lowest free number is next");
    assert_eq!(open.open("e"), 1);
    assert_eq!(open.open("f"), 3);
    println!("six opens, four numbers");
}
