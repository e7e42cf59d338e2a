//! The text of `help`.

/// Every command as `help` prints it: its syntax, and what it does.
pub const COMMANDS: [(&str, &str); 19] = [
    ("read <file>", "the contents, with their version and the seconds left; 0 is for ever"),
    (
        "write <file> <numbytes> [<exptime>]",
        "replaces the contents, which follow; <exptime>: seconds to live, -1: until you disconnect",
    ),
    (
        "cas <file> <version> <numbytes> [<exptime>]",
        "the same, only if the file is at <version>; 0: only if there is none",
    ),
    ("delete <file> [<version>]", "deletes the file; with <version> only if it is at that version"),
    (
        "touch <file> <version> <exptime>",
        "lets the file live <exptime> seconds from now, only if it is at <version>; 0: for ever",
    ),
    (
        "create <prefix> <numbytes> [<exptime>]",
        "a new file, named <prefix> and its version in 20 digits; the contents follow",
    ),
    (
        "list <prefix> [<limit> [<after>]]",
        "version, bytes, seconds left and name of each file that begins so; * is all",
    ),
    (
        "watch <prefix> <rev> <seconds>",
        "the changes after version <rev> to files that begin so; waits up to <seconds> for one",
    ),
    (
        "wait <file> <version> <seconds>",
        "the file's version once it is not <version>; waits up to <seconds>; 0 is no file",
    ),
    (
        "open <name> [<type>]",
        "opens the file, or makes it; shows the <fd> that all clients can write as @<fd> for <file>",
    ),
    ("close @<fd>", "closes the descriptor; the end of the connection does that too"),
    ("stat <file>", "version, bytes, seconds left, type, and how often it is open"),
    (
        "hello [<token>]",
        "protocol version, epoch and latest version; some servers require their <token> first",
    ),
    ("session <id>", "the id of a synchronised folder; a new one if <id> is - or unknown"),
    ("types", "the types that a file can have"),
    ("stats", "limits, and what is in use"),
    ("backup", "all files as they are now, for `telefile restore`"),
    ("help", "this list"),
    ("quit", "ends the connection after the replies"),
];
