//! The wire protocol, as transcripts: a file in `tests/protocol` for each rule, a test for each
//! file. `transcript` documents their format.

use super::documents;
use super::transcript::{self, Elsewhere, Named};
use std::env;
use std::io::stdout;

/// A test for each file `<name>.txt`, and the list of them.
macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                transcript::check(concat!(stringify!($name), ".txt"));
            }
        )*

        /// The transcripts that every build can run.
        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts! {
    a_backup_is_denied_without_a_store
    a_bare_lf_or_crlf_ends_a_line
    a_connection_over_the_limit_receives_the_reason
    a_counter_accepts_only_numbers
    a_counter_adds_what_is_written
    a_cr_inside_a_line_closes
    a_cr_nul_ends_a_line_and_its_contents
    a_deleted_file_lives_on_by_its_descriptor
    a_descriptor_belongs_to_the_connection_that_opened_it
    a_descriptor_is_the_lowest_free_number
    a_descriptor_works_wherever_a_name_does
    a_failed_cas_keeps_the_expiry
    a_file_made_again_is_not_removed_by_the_old_deadline
    a_file_of_type_file_reads_empty_and_drops_writes
    a_later_expiry_replaces_minus_one
    a_line_has_fewer_than_500_bytes
    a_lock_is_an_ephemeral_file
    a_log_file_appends_lines
    a_log_file_keeps_its_last_whole_lines
    a_malformed_command_with_a_known_end_keeps_the_connection
    a_memory_file_stays_after_its_last_close
    a_name_is_secret_only_with_its_slash
    a_numbytes_that_is_not_a_number_closes
    a_queue_is_made_of_numbered_names
    a_refused_create_takes_no_version
    a_request_pipelined_behind_a_wait_is_answered_after_it
    a_request_pipelined_behind_a_watch_is_answered_after_it
    a_request_that_changes_nothing_wakes_no_watch
    a_reset_ends_ephemeral_files
    a_secret_name_is_listed_only_for_a_prefix_that_has_it
    a_secret_name_wakes_only_a_prefix_that_has_it
    a_star_alone_matches_every_file
    a_text_file_is_on_the_disk
    a_text_file_stays_below_the_root
    a_wait_by_descriptor_is_for_the_open_file
    a_wait_longer_than_a_day_counts_as_a_day
    a_watch_longer_than_a_day_counts_as_a_day
    a_watch_of_the_future_is_compacted
    a_watch_of_the_next_version_is_compacted
    a_watched_prefix_is_not_a_path
    a_write_or_cas_replaces_the_expiry
    a_wrong_token_is_denied_and_closes
    an_announcement_of_gigabytes_is_refused_or_waits
    an_announcement_takes_no_memory_under_a_huge_maximum
    an_empty_line_gets_no_reply
    an_ephemeral_file_ends_with_its_connection
    an_ephemeral_file_lives_on_by_its_descriptor
    an_expired_file_is_absent
    an_expired_file_is_in_no_list
    an_expired_file_lives_on_by_its_descriptor
    an_exptime_above_100_years_counts_as_100_years
    an_open_with_a_type_wakes_a_watch
    an_unknown_command_closes
    at_and_digits_are_a_descriptor
    before_the_token_no_reply_reveals_the_limit_of_contents
    before_the_token_nothing_is_listed_or_watched
    before_the_token_only_hello_help_and_quit_are_executed
    cas_writes_only_at_its_version
    contents_end_like_their_command
    contents_may_be_any_bytes
    contents_may_be_empty
    contents_over_the_limit_are_refused_at_once
    contents_over_the_limit_end_like_their_command
    contents_that_look_like_commands_are_contents
    contents_without_their_line_end_close
    create_names_a_file_by_its_version
    create_skips_a_name_that_exists
    create_takes_a_prefix_of_410_bytes
    delete_takes_a_version_and_may_require_one
    each_open_of_a_missing_name_and_each_last_close_takes_a_version
    ephemeral_files_go_before_opens_are_closed
    every_change_wakes_a_watch
    every_complete_request_is_answered_after_a_half_close
    expiry_takes_a_version_of_its_own
    exptime_is_shown_rounded_up
    fields_are_separated_only_by_spaces
    half_a_line_holds_back_no_reply
    hello_reports_epoch_and_version
    hello_shows_0_without_an_idle_timeout
    hello_shows_the_idle_timeout
    large_contents_arrive_whole
    list_and_watch_report_the_size_of_each_type
    list_continues_after_any_text
    list_has_a_limit_and_reports_more
    list_shows_files_in_byte_order_of_their_names
    many_requests_may_be_sent_before_a_reply_is_read
    names_are_utf8_without_blanks_and_controls
    numbers_are_digits_below_two_to_the_63
    only_its_own_name_ends_a_wait
    open_requires_a_type_or_accepts_the_existing_one
    open_returns_the_same_descriptor_to_every_client
    open_takes_a_name_and_close_a_descriptor
    opens_are_counted_for_each_connection
    opens_have_a_limit
    over_the_memory_limit_writes_are_refused
    putty_negotiates_first
    quit_ends_ephemeral_files_after_every_earlier_request
    quit_ends_the_connection_after_the_replies
    reads_sent_together_are_answered_in_order
    session_is_malformed_in_step
    session_makes_an_id_for_folder_synchronisation
    several_clients_share_the_files
    stat_reports_everything_but_the_contents
    stats_report_limits_and_use
    telnet_commands_count_towards_the_length_of_a_line
    telnet_commands_in_a_line_are_skipped
    the_end_of_a_connection_closes_what_it_opened
    the_end_of_the_stream_ends_a_wait
    the_end_of_the_stream_ends_a_wait_for_a_version
    the_end_of_the_stream_inside_a_request_executes_nothing
    the_last_ephemeral_write_owns_the_file
    the_sample_session_byte_for_byte
    the_types_of_this_server
    too_few_fields_before_contents_close
    touch_acts_on_the_name_whatever_its_type
    touch_is_not_a_change
    touch_is_refused_at_another_version
    touch_list_and_watch_are_malformed_in_step
    touch_replaces_the_expiry_and_keeps_the_version
    types_and_help_announce_their_lines
    versions_are_of_the_whole_table_and_never_repeat
    wait_answers_when_its_file_is_at_another_version
    wait_is_malformed_in_step
    watch_reports_the_latest_state_of_each_name
}

const DURABLE: &str = "stats_of_a_durable_table";

#[test]
#[cfg_attr(not(feature = "durable"), ignore = "this build has no tables on disk")]
fn stats_of_a_durable_table() {
    transcript::check(&format!("{DURABLE}.txt"));
}

/// Returns the transcripts of this folder, and then those of the pages.
pub(crate) fn all() -> Vec<Named> {
    let listed = LISTED.iter().copied().chain([DURABLE]).map(Named::of_protocol);
    listed.chain(documents::transcripts()).collect()
}

/// `make test-protocol` with TELEFILE_TEST_ADDR=HOST:PORT runs every transcript against that server, or
/// with TELEFILE_TEST_ONLY=ch05 those with that in their names.
#[test]
#[ignore = "needs a server in TELEFILE_TEST_ADDR; see `make test-protocol`"]
fn against_a_server_elsewhere() {
    let may_delete = env::var("TELEFILE_TEST_DELETE").is_ok_and(|value| value == "1");
    let mut all = all();
    if let Ok(part) = env::var("TELEFILE_TEST_ONLY") {
        all.retain(|named| named.name.contains(&part));
    }
    let found = env::var("TELEFILE_TEST_ADDR").map_err(|e| format!("TELEFILE_TEST_ADDR: {e}"));
    let found = found.and_then(|address| Elsewhere::find(&address, may_delete));
    let success = match found.map(|elsewhere| elsewhere.run(&all, stdout())) {
        Ok(summary) => {
            println!("{summary}");
            summary.is_success()
        }
        Err(e) => {
            println!("{e}");
            false
        }
    };
    // Exits here so that the summary is the last line: the harness would count this as one test.
    std::process::exit(i32::from(!success));
}

#[test]
fn every_transcript_is_listed() {
    let files = std::fs::read_dir(transcript::folder()).unwrap();
    let mut files: Vec<String> =
        files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let listed = LISTED.iter().chain([&DURABLE]);
    let mut listed: Vec<String> = listed.map(|name| format!("{name}.txt")).collect();
    listed.sort();
    assert_eq!(files, listed, "the folder is left, the list in tests/it/protocol.rs right");
}
