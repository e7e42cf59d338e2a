//! The wire protocol, as transcripts: a file in `tests/protocol` for each rule, a test for each
//! file. How to read them is told in `transcript`.

use super::transcript;

/// A test for each file `<name>.txt`, and the list of them.
macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                transcript::check(concat!(stringify!($name), ".txt"));
            }
        )*

        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts! {
    a_bare_lf_or_crlf_ends_a_line
    a_counter_adds_what_is_written
    a_counter_takes_numbers_alone
    a_cr_inside_a_line_closes
    a_deleted_file_goes_on_by_its_descriptor
    a_descriptor_is_good_only_for_who_has_opened_it
    a_descriptor_stands_wherever_a_file_is_named
    a_failed_cas_keeps_the_expiry
    a_file_made_again_is_not_removed_by_the_old_deadline
    a_huge_maximum_takes_no_memory_for_an_announcement
    a_known_end_keeps_the_connection
    a_line_has_fewer_than_500_bytes
    a_log_file_appends_lines
    a_log_file_keeps_its_last_whole_lines
    a_memory_file_stays_after_its_last_close
    a_numbytes_that_is_no_number_closes
    a_text_file_is_on_the_disk
    a_text_file_stays_below_the_root
    a_type_file_reads_empty_and_drops_what_is_written
    a_write_or_cas_replaces_the_expiry
    a_wrong_token_is_denied_and_closes
    after_a_half_close_all_is_answered
    an_announcement_of_gigabytes_is_refused_or_waits
    an_empty_line_gets_no_reply
    an_end_of_the_connection_closes_what_it_opened
    an_expired_file_goes_on_by_its_descriptor
    an_expired_file_is_absent
    an_exptime_above_100_years_is_taken_as_that
    an_unknown_command_closes
    any_bytes_are_contents
    at_and_digits_are_a_descriptor
    before_the_token_contents_have_no_limit_to_tell
    before_the_token_only_hello_help_and_quit_are_done
    cas_writes_only_at_its_version
    contents_over_the_limit_are_refused_at_once
    contents_that_look_like_commands_are_contents
    contents_without_their_line_end_close
    delete_takes_a_version_and_may_ask_for_one
    each_open_of_a_missing_name_and_each_last_close_takes_a_version
    expiry_takes_a_version_of_its_own
    exptime_is_shown_rounded_up
    fields_are_separated_by_spaces_alone
    half_a_line_keeps_no_reply_back
    hello_tells_epoch_and_version
    large_contents_arrive_whole
    many_requests_may_be_sent_before_a_reply_is_read
    names_are_utf8_without_blanks_and_controls
    no_bytes_are_contents_too
    numbers_are_digits_below_two_to_the_63
    open_asks_for_a_type_or_takes_what_is_there
    open_gives_every_client_the_same_descriptor
    open_takes_a_name_and_close_a_descriptor
    opens_are_counted_for_each_connection
    opens_have_a_limit
    over_the_memory_limit_writes_are_refused
    quit_ends_the_connection_after_the_replies
    several_clients_share_the_files
    stat_tells_all_but_the_contents
    stats_tell_limits_and_use
    the_end_of_the_stream_inside_something_executes_nothing
    the_lowest_free_number_is_given
    the_sample_session_byte_for_byte
    the_types_of_this_server
    too_few_fields_before_contents_close
    too_many_connections_are_told_so
    types_and_help_say_how_many_lines_follow
    versions_are_of_the_whole_table_and_never_repeat
}

#[test]
fn every_transcript_is_listed() {
    let files = std::fs::read_dir(transcript::folder()).unwrap();
    let mut files: Vec<String> =
        files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut listed: Vec<String> = LISTED.iter().map(|name| format!("{name}.txt")).collect();
    listed.sort();
    assert_eq!(files, listed, "the folder is left, the list in tests/it/protocol.rs right");
}
