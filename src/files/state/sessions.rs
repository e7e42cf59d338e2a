//! Counts the sessions of folder synchronisation and the bytes of their files.

use crate::name::Name;

/// The sessions in the table, as `stats` reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::files) struct Sessions {
    /// How many there are.
    pub(in crate::files) count: u64,
    /// The size of all files below their secret names, in bytes.
    pub(in crate::files) bytes: u64,
}

impl Sessions {
    /// Records that a name has a file of `new` bytes, or none, where it had one of `old` bytes, or
    /// none.
    pub(in crate::files) fn changed(&mut self, name: &Name, old: Option<u64>, new: Option<u64>) {
        // Nearly all names end here, unread.
        if !name.as_bytes().starts_with(b"s/") {
            return;
        }
        let Some(secret) = name.as_name_ref().secret() else { return };
        self.bytes = self.bytes + new.unwrap_or(0) - old.unwrap_or(0);
        // `s/<id>/m` exists while the session does.
        if name.as_str().strip_prefix(secret) == Some("m") {
            self.count = self.count + u64::from(new.is_some()) - u64::from(old.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_an_id_count_and_one_of_them_is_the_session() {
        let mut sessions = Sessions::default();
        let mut changed = |name: &str, old, new| {
            let name = format!("s/{}/{name}", "0123456789abcdef".repeat(2));
            sessions.changed(&name.parse().unwrap(), old, new);
            (sessions.count, sessions.bytes)
        };
        assert_eq!(changed("m", None, Some(0)), (1, 0));
        assert_eq!(changed("e/a", None, Some(7)), (1, 7));
        assert_eq!(changed("e/m", Some(0), Some(3)), (1, 10));
        assert_eq!(changed("e/a", Some(7), Some(5)), (1, 8));
        assert_eq!(changed("m", Some(0), None), (0, 8));
        assert_eq!(changed("e/a", Some(5), None), (0, 3));
        sessions.changed(&"s/0123/m".parse().unwrap(), None, Some(9));
        assert_eq!((sessions.count, sessions.bytes), (0, 3));
    }
}
