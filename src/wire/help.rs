//! The text of `help`.

/// Every command as `help` prints it: its syntax, and what it does.
pub const COMMANDS: [(&str, &str); 19] = [
    ("read <file>", "the contents, their version, and the seconds left"),
    (
        "write <file> <numbytes> [<exptime>]",
        "replaces the contents, which follow; exptime -1: until the connection ends",
    ),
    (
        "cas <file> <version> <numbytes> [<exptime>]",
        "a write, only if this is the version; 0 creates",
    ),
    ("delete <file> [<version>]", "ends the file, only if this is the version"),
    ("touch <file> <version> <exptime>", "a new expiry, only if this is the version"),
    (
        "create <prefix> <numbytes> [<exptime>]",
        "a new file, called prefix and its version in 20 digits",
    ),
    (
        "list <prefix> [<limit> [<after>]]",
        "version, bytes, seconds left and name of each file; * is all",
    ),
    (
        "watch <prefix> <rev> <seconds>",
        "what has changed since version rev; waits up to <seconds> for a change",
    ),
    (
        "wait <file> <version> <seconds>",
        "the version once it is another; waits up to <seconds>; 0 is no file",
    ),
    (
        "open <name> [<type>]",
        "makes the file if there is none; a descriptor, the same for all clients",
    ),
    ("close @<fd>", "closes the descriptor; the end of the connection does that too"),
    ("stat <file>", "version, bytes, seconds left, type, opens"),
    ("hello [<token>]", "shows the token; protocol version, epoch and latest version"),
    ("session <id>", "that folder synchronisation, or a new one; - is a new one"),
    ("types", "the types a file can have"),
    ("stats", "limits, and what is in use"),
    ("backup", "all files as they are now, for `telefile restore`"),
    ("help", "this list"),
    ("quit", "ends the connection after the replies"),
];
