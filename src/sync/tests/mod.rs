//! Folder synchronisation against real servers and real folders, in this process.
//!
//! What went wrong in other programs, and where it is tested that it does not here:
//!
//! | case | tests |
//! |---|---|
//! | both sides changed | `table::both_sides_changed`, `decide`, `conflict`, `model` |
//! | the index is lost, or the server's table | `table::a_lost_index_merges_and_deletes_nothing`, `table::a_server_that_lost_its_table_gets_everything_back`, `rails::a_server_with_an_older_table_overwrites_nothing` |
//! | a deletion while the other one is away | `table::a_deletion_while_the_other_is_away_stays_one`, `table::an_edit_beats_a_deletion` |
//! | the folder is emptied, unmounted or another one | `rails`, `guard`, `moments::a_folder_that_is_swapped_in_between_scan_and_change_is_left_alone` |
//! | a file changes while it is read or sent | `transfers` |
//! | a file changes while it is replaced or deleted | `moments`, `disks::without_exchanges_files_are_replaced_and_what_is_written_meanwhile_is_kept`, `model` |
//! | the watcher misses something | `watcher` |
//! | our own changes come back as events | `basics::a_modified_file_is_sent_and_the_old_one_is_in_the_trash`: a second round is quiet |
//! | symlinks | `table::symlinks_and_devices_are_left_alone_and_counted`, `moments::nothing_is_written_through_a_symlink_that_is_swapped_in`, `swaps`, `disks::the_marker_is_written_once_and_nothing_of_it_through_a_symlink` |
//! | modes | `basics::modes_follow_but_no_setuid_bit` |
//! | two names that are one on a disk | `disks::of_two_names_that_are_one_on_a_disk_the_second_stays_on_the_server` |
//! | large files, and uploads that break | `basics::a_large_file_goes_in_chunks_and_a_change_sends_few`, `cost`, `transfers::an_upload_that_broke_sends_the_rest_alone`, `chunk` |
//! | a power loss between rename, flush and row | `crashes::a_power_loss_at_any_step_changes_nothing_in_the_end`, `moments::a_file_that_waited_for_a_folder_is_flushed`, `model` |
//! | a power loss after a push of what is not flushed | `crashes::what_a_power_loss_takes_after_a_push_comes_back_from_the_server` |
//! | a crash before the look at what came out | `crashes::a_crash_at_any_step_changes_nothing_in_the_end`, `model` |
//! | no exchange of files, a full disk | `disks` |
//! | a server without room | `room` |
//! | empty folders, changes of kind | `basics::kinds_change_both_ways`, `crashes`, `model` |
//! | a hostile server or client | `transfers::entries_that_nobody_of_us_wrote_leave_the_folder_alone`, `lists`, `cost::what_is_no_entry_is_read_once_and_said_in_each_round`, `entry`, `path` |
//! | the marker's folders are removed | `marker` |
//! | two clients on one folder, nested folders | `table::two_clients_on_one_folder_and_nested_folders_are_refused`, `rails::a_folder_inside_that_is_synchronised_itself_is_left_alone_in_every_round` |
//! | an unknown id | `table::an_unknown_id_and_another_id_are_refused` |
//! | paths that are ignored | `ignored`, `table::ignored_paths_are_left_alone_on_both_sides`, `rails::a_folder_that_is_ignored_from_now_on_is_no_deletion` |

mod basics;
mod cost;
mod crashes;
pub(super) mod disk;
mod disks;
mod dry_run;
mod lists;
mod marker;
mod model;
mod moments;
pub(super) mod planted;
mod rails;
mod relay;
pub(super) mod restarting;
mod room;
mod swaps;
mod table;
mod transfers;
mod world;
