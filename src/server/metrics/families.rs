//! The metrics by their Prometheus names, and the lines of `stats` that they come from.
//!
//! Names and units follow Prometheus's conventions. The page about the server has the same table, and
//! a test compares them.

/// The samples of one name.
pub(super) struct Family {
    pub(super) name: &'static str,
    /// One line of text.
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

/// Which lines of `stats` a family's samples come from.
pub(super) enum Samples {
    /// A value that only grows: the line of this name.
    Counter(&'static str),
    /// Such values: the lines with this prefix. What follows it is the value of a label, after the
    /// change that the function makes.
    Counters { prefix: &'static str, label: &'static str, shown: fn(&str) -> String },
    /// Such values: the lines with this suffix. What precedes it is the value of a label.
    CountersBySuffix { suffix: &'static str, label: &'static str },
    /// A value that goes up and down: the line of this name.
    Gauge(&'static str),
    /// The same; there is none if the value is 0.
    Limit(&'static str),
    /// The constant 1, with the line's value as the label of its name.
    Info(&'static str),
    /// The lines `<prefix>_le_<bound>`, `<prefix>_sum` and `<prefix>_count`. Bounds and sum are
    /// divided by the number.
    Histogram { prefix: &'static str, divisor: u32 },
}

use Samples::{Counter, Counters, CountersBySuffix, Gauge, Histogram, Info, Limit};

const fn family(name: &'static str, samples: Samples, help: &'static str) -> Family {
    Family { name, help, samples }
}

/// The metrics, in the order in which they are shown.
pub(super) const FAMILIES: &[Family] = &[
    family("telefile_info", Info("store"), "Where the files are: memory, durable or etcd."),
    family(
        "telefile_role",
        Info("role"),
        "With a table in etcd: active, standby, waiting or cut_off.",
    ),
    family(
        "telefile_leader",
        Info("leader"),
        "With a table in etcd: where other servers reach the active one; none while there is none.",
    ),
    family(
        "telefile_failovers_total",
        Counter("failovers"),
        "How often the active server has changed, as this one has seen.",
    ),
    family("telefile_uptime_seconds", Gauge("uptime_seconds"), "Time since the server started."),
    family(
        "telefile_requests_total",
        Counters { prefix: "requests_", label: "verb", shown: str::to_string },
        "Requests that have arrived.",
    ),
    family(
        "telefile_refusals_total",
        Counters {
            prefix: "refusals_",
            label: "error",
            shown: |kind| format!("ERR_{}", kind.to_ascii_uppercase()),
        },
        "Replies that refuse something, by their first word.",
    ),
    family(
        "telefile_limit_refusals_total",
        CountersBySuffix { suffix: "_refused", label: "limit" },
        "Requests and connections that a limit has refused.",
    ),
    family("telefile_connections", Gauge("connections"), "Connections of clients now."),
    family("telefile_connections_limit", Gauge("connections_max"), "The most connections at once."),
    family(
        "telefile_connections_accepted_total",
        Counter("connections_accepted"),
        "Connections that were served.",
    ),
    family(
        "telefile_connections_timed_out_total",
        Counter("connections_timed_out"),
        "Connections that the server has ended because their client was silent or did not read.",
    ),
    family(
        "telefile_received_bytes_total",
        Counter("received_bytes"),
        "Bytes received from clients.",
    ),
    family("telefile_sent_bytes_total", Counter("sent_bytes"), "Bytes sent to clients."),
    family("telefile_files", Gauge("files"), "Files that have a name."),
    family("telefile_files_bytes", Gauge("bytes"), "The contents of all MemoryFiles."),
    family(
        "telefile_files_expired_total",
        Counter("files_expired"),
        "Files that were removed because their time was over.",
    ),
    family("telefile_version", Gauge("version"), "The version of the table's latest change."),
    family("telefile_contents_largest_bytes", Gauge("contents"), "The largest contents received."),
    family("telefile_contents_limit_bytes", Gauge("contents_max"), "The most bytes of one file."),
    family("telefile_memory_bytes", Gauge("memory"), "Memory that the files take."),
    family("telefile_memory_limit_bytes", Gauge("memory_max"), "The most memory for files."),
    family("telefile_data_bytes", Gauge("data"), "Disk space that the data takes."),
    family("telefile_data_limit_bytes", Limit("data_max"), "The most disk space for the data."),
    family(
        "telefile_transit_bytes",
        Gauge("transit"),
        "Memory of lists, changes and buffers on their way to clients.",
    ),
    family("telefile_transit_limit_bytes", Gauge("transit_max"), "The most memory for those."),
    family("telefile_open_files", Gauge("descriptors"), "Files that are open."),
    family("telefile_opens", Gauge("opens"), "How often they are open, over all connections."),
    family("telefile_opens_limit", Gauge("descriptors_max"), "The most opens of one connection."),
    family("telefile_watches", Gauge("watches"), "Watches and waits that are waiting."),
    family(
        "telefile_watches_woken_total",
        Counter("watches_woken"),
        "Watches and waits that a change has ended.",
    ),
    family(
        "telefile_commit_duration_seconds",
        Histogram { prefix: "commit_microseconds", divisor: 1_000_000 },
        "Time from the start of a commit until its changes were visible.",
    ),
    family(
        "telefile_commit_files",
        Histogram { prefix: "commit_files", divisor: 1 },
        "Files that one commit has changed.",
    ),
    family("telefile_backups", Gauge("backups"), "Backups on their way to clients."),
    family("telefile_backups_limit", Gauge("backups_max"), "The most backups at once."),
    family(
        "telefile_sync_sessions",
        Gauge("sessions"),
        "Sessions of folder synchronisation that exist.",
    ),
    family("telefile_sync_sessions_bytes", Gauge("session_bytes"), "The contents of their files."),
];
