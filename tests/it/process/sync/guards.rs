//! The guard rails: exit status 5, and nothing is deleted.

use super::User;
use crate::process::run;
use crate::programs::program;
use std::fs;

/// Returns a user with 30 files in folder `a` and the same ones in `b`, and their id.
fn thirty_files() -> (User, String) {
    let user = User::new();
    (0..30).for_each(|n| user.write(&format!("a/{n}"), &n.to_string()));
    let id = user.does("a", &[], "30 sent");
    user.does("b", &[&id], "30 received");
    (user, id)
}

fn empty(user: &User, folder: &str) {
    for name in user.names(folder) {
        fs::remove_file(user.path(folder).join(name)).unwrap();
    }
}

#[test]
fn an_emptied_folder_empties_no_other_without_force() {
    let (user, _) = thirty_files();
    empty(&user, "a");
    let words = ["30 of 30 files would be deleted on the server", "--force"];
    user.once("a", &[]).stopped(5, &words);
    let status = run(user.command(&["--status"])).stdout;
    assert!(status.contains("Z: stopped: 30 of 30 files would be deleted"), "{status}");
    user.does("b", &[], "nothing to do");

    user.does("a", &["--force"], "30 deleted on the server");
    let words = ["30 of 30 files would be deleted in this folder", "--force"];
    user.once("b", &[]).stopped(5, &words);
    assert_eq!(user.names("b").len(), 30);
    user.does("b", &["--force"], "30 moved to the trash");
    assert_eq!(user.names("b").len(), 0);
    let trash = fs::read_dir(user.path("b/.telefile-sync/trash")).unwrap().next().unwrap();
    assert_eq!(fs::read_dir(trash.unwrap().path()).unwrap().count(), 30);
}

#[test]
fn files_that_a_guard_kept_come_back_with_the_id_and_new() {
    let (user, id) = thirty_files();
    empty(&user, "a");
    user.once("a", &[]).stopped(5, &["the id with --new brings them back"]);
    user.does("a", &[&id, "--new"], "30 received");
    user.does("b", &[], "nothing to do");
}

#[test]
fn moved_files_and_a_few_deleted_ones_need_no_force() {
    let (user, _) = thirty_files();
    fs::create_dir(user.path("a/moved")).unwrap();
    for n in 0..30 {
        fs::rename(user.path(&format!("a/{n}")), user.path(&format!("a/moved/{n}"))).unwrap();
    }
    user.does("a", &[], "31 sent (1 folder), 30 deleted on the server");
    user.does("b", &[], "31 received (1 folder), 30 moved to the trash");
    for n in 0..20 {
        fs::remove_file(user.path(&format!("a/moved/{n}"))).unwrap();
    }
    user.does("a", &[], "20 deleted on the server");
}

#[test]
fn an_unmounted_folder_is_noticed_with_and_without_an_id() {
    let (user, id) = thirty_files();
    // As after an unmount: an empty folder at the same path.
    fs::rename(user.path("a"), user.path("disk")).unwrap();
    for args in [&[] as &[&str], &[&id], &["--force"], &["--dry-run"]] {
        user.once("a", args).failed(5, &[".telefile-sync is not in it", "mounted", "--new"]);
    }
    assert!(!user.has_marker("a") && user.names("a").is_empty());

    // It is mounted again.
    fs::remove_dir(user.path("a")).unwrap();
    fs::rename(user.path("disk"), user.path("a")).unwrap();
    assert_eq!(user.does("a", &[], "nothing to do"), id);

    // Somebody starts over on purpose: everything comes back, and nothing is deleted.
    fs::rename(user.path("a"), user.path("disk")).unwrap();
    user.does("a", &["--new", &id], "30 received");
    user.does("b", &[], "nothing to do");
}

#[test]
fn a_folder_from_a_backup_deletes_nothing() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    user.does("b", &[&id], "1 received");
    let copied = program("cp").args(["-a", "a", "backup"]).current_dir(user.path(".")).status();
    assert!(copied.unwrap().success());
    user.write("b/new", "2");
    user.does("b", &[], "1 sent");
    user.does("a", &[], "1 received");

    fs::rename(user.path("a"), user.path("a-old")).unwrap();
    fs::rename(user.path("backup"), user.path("a")).unwrap();
    let ended = user.once("a", &[]);
    assert!(ended.status == 0 && ended.stderr.contains("is a copy"), "{ended:?}");
    assert_eq!(user.names("a"), ["new", "one"]);
    user.does("a", &[], "nothing to do");
    user.does("b", &[], "nothing to do");
    fs::remove_file(user.path("a/one")).unwrap();
    user.does("a", &[], "1 deleted on the server");
}
