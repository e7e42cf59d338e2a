//! Systems that lack features: calls that an old kernel, a container's profile or a file system
//! refuses. strace(1) makes them fail here.

use super::{Serving, run, telefile};
use crate::programs::{program, skipped};
use crate::server::Folder;
use rustix::process::Signal;
use std::fs;
use std::process::Command;

/// Returns `telefile` with these arguments, whose system calls fail as `inject` says, in the syntax
/// of strace; with a path, only calls on that path. `None` where nothing can be traced.
fn failing(inject: &[&str], path: Option<&str>, args: &[&str]) -> Option<Command> {
    // strace runs as a grandchild, so that the child that gets the signals is the program itself.
    let mut command = program("strace");
    command.args(["-D", "-f", "-o", "/dev/null"]);
    command.args(path.iter().flat_map(|path| ["-P", path]));
    command.args(inject.iter().flat_map(|inject| ["-e", inject]));
    let harmless = ["-D", "-f", "-o", "/dev/null", "-e", "inject=getpid:error=EPERM", "true"];
    let possible = program("strace").args(harmless).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped(&format!("no program can be traced here: {inject:?}"));
        return None;
    }
    command.arg(env!("CARGO_BIN_EXE_telefile")).args(args);
    Some(command)
}

#[test]
fn a_server_works_without_socket_options() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let inject = ["inject=setsockopt:error=ENOPROTOOPT"];
    let args = ["serve", "--listen", "127.0.0.1:0", "--listen", &unix];
    let Some(command) = failing(&inject, None, &args) else { return };
    let serving = Serving::from(command);
    for option in ["TCP_NODELAY", "keepalive", "SO_REUSEADDR", "TCP_USER_TIMEOUT"] {
        serving.logs(&["WARN", option, "Protocol not available"]);
    }
    for (i, address) in serving.addresses.iter().enumerate() {
        assert_eq!(
            crate::server::Client::connect(address).write("f", b"x"),
            format!("OK {}", i + 1)
        );
        let address = address.to_string();
        let list = ["list", "--addr", &address, "f"];
        let ended = run(failing(&inject, None, &list).unwrap());
        assert_eq!((ended.status, ended.stdout.lines().count()), (0, 1), "{ended:?}");
    }
    let log = serving.stop(Signal::TERM);
    assert_eq!(log.matches("TCP_NODELAY").count(), 1, "once, not for each connection: {log}");
}

/// Fails like an old kernel, and like the profile of an old container.
#[test]
#[cfg(all(feature = "sync", target_os = "linux"))]
fn a_folder_is_not_synchronised_where_symlinks_cannot_be_refused() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    for error in ["ENOSYS", "EPERM"] {
        let inject = format!("inject=openat2:error={error}");
        let args = ["sync", "127.0.0.1", "1", &path, "1", "--once"];
        let Some(command) = failing(&[&inject], None, &args) else { return };
        run(command).failed(1, &["openat2(2)", "Linux"]);
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

/// Fails like the profile of an old container, and like a file system without these features.
#[test]
fn a_text_file_can_be_replaced_on_an_old_system() {
    for inject in [
        &["inject=faccessat2:error=EPERM"][..],
        &["inject=faccessat2:error=ENOSYS"],
        &["inject=fsync:error=EINVAL"],
        &["inject=flock:error=EOPNOTSUPP", "inject=fsync:error=ENOSYS"],
        &["inject=flock:error=ENOLCK", "inject=fchmod,fchown:error=EPERM"],
    ] {
        let folder = Folder::new();
        let root = folder.path().join("files");
        let args = ["serve", "--listen", "127.0.0.1:0", "--root", root.to_str().unwrap()];
        let Some(command) = failing(inject, None, &args) else { return };
        let serving = Serving::from(command);
        let mut client = serving.client();
        assert_eq!(client.ask("open a/f TextFile"), "FD 0 1 TextFile");
        // The second write replaces a file. Its mode is 0600, that of a new file.
        assert_eq!(client.write("a/f", b"one"), "OK 2", "{inject:?}");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(root.join("a/f"), mode).unwrap();
        client.ask("stat a/f");
        let ok = client.write("a/f", b"two");
        assert!(ok.starts_with("OK "), "{inject:?}: {ok}");
        assert_eq!(fs::read(root.join("a/f")).unwrap(), b"two");
        assert_eq!(fs::read_dir(root.join("a")).unwrap().count(), 1, "{inject:?}");
    }
}

/// The features that CIFS, NFS and some of FUSE lack, in the first start and the second.
#[cfg(feature = "durable")]
#[test]
fn a_table_can_be_stored_on_an_odd_file_system() {
    for (inject, warned) in [
        (&["inject=fsync:error=EINVAL"][..], "cannot be synced"),
        (&["inject=fsync:error=ENOSYS"], "cannot be synced"),
        (&["inject=flock:error=ENOLCK"], "cannot be locked"),
        (&["inject=flock:error=EBADF:when=1"], ""),
        (&["inject=renameat2:error=EINVAL", "inject=lseek:error=EOPNOTSUPP"], ""),
        (&["inject=fstatfs,statfs:error=ENOSYS", "inject=getrandom:error=ENOSYS"], ""),
    ] {
        let folder = Folder::new();
        let data = format!("{}", folder.path().join("data").display());
        let args = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
        // Only fsync of the folders fails: without fsync of its file no database could be durable.
        let parent = folder.path().to_str().unwrap();
        let path = inject[0].contains("fsync").then_some(parent);
        let Some(command) = failing(inject, path, &args) else { return };
        let serving = Serving::from(command);
        if !warned.is_empty() {
            serving.logs(&["WARN", warned]);
        }
        assert_eq!(serving.client().write("f", b"abc"), "OK 1", "{inject:?}");
        if inject[0].contains("EBADF") {
            // NFS cannot lock a folder. Then the file of the database is locked.
            let second = failing(inject, None, &args).unwrap();
            run(second).failed(1, &["telefile.redb: another telefile is using it"]);
        }
        serving.stop(Signal::TERM);
        let serving = Serving::from(failing(inject, path, &args).unwrap());
        assert_eq!(serving.client().ask("read f"), "CONTENTS 1 3 0", "{inject:?}");
        serving.stop(Signal::TERM);
    }
}

/// A call that the system refuses is no error of the command line.
#[cfg(feature = "durable")]
#[test]
fn a_failure_of_the_system_is_status_1() {
    for inject in [
        "inject=mkdir:error=EINVAL",
        "inject=fdatasync:error=EINVAL",
        "inject=ftruncate:error=EINVAL",
        "inject=pwrite64:error=EINVAL",
        "inject=listen:error=EINVAL",
        "inject=bind:error=EINVAL",
        "inject=socket:error=EINVAL",
    ] {
        let folder = Folder::new();
        let data = format!("{}", folder.path().join("data").display());
        let args = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
        let Some(command) = failing(&[inject], None, &args) else { return };
        let words = match ["listen", "bind", "socket"].iter().any(|call| inject.contains(call)) {
            true => "127.0.0.1:0: ",
            false => &data,
        };
        run(command).failed(1, &[words]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{inject} leaves nothing");
    }
}

/// A file that is a mount point, as Docker makes it with `-v FILE:FILE`, cannot be replaced.
#[test]
fn a_text_file_that_is_a_mount_point_is_read_and_not_written() {
    let folder = Folder::new();
    let (root, outside) = (folder.path().join("files"), folder.path().join("outside"));
    fs::create_dir(&root).unwrap();
    fs::write(&outside, "old").unwrap();
    fs::write(root.join("f"), "").unwrap();
    let mount = format!("mount --bind '{}' '{}'", outside.display(), root.join("f").display());
    let possible = program("unshare").args(["-m", "sh", "-c", &mount]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return skipped("mounts are not permitted");
    }
    let command = super::text_files::serving_after(&["unshare", "-m"], &mount, &root);
    let serving = Serving::from(command);
    let mut client = serving.client();
    assert_eq!(client.ask("open f TextFile"), "FD 0 1 TextFile");
    assert_eq!(client.write("f", b"new"), "ERR_DENIED");
    serving.logs(&["WARN", "\"f\"", "mount its folder"]);
    assert_eq!(client.ask("read f"), "CONTENTS 1 3 0");
    assert_eq!(client.contents(3), b"old");
    assert_eq!(client.ask("open g TextFile"), "FD 1 2 TextFile");
    assert_eq!(client.write("g", b"new"), "OK 3", "beside it there are others");
    drop(serving);
    let names: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_server_starts_in_a_deleted_working_folder() {
    let folder = Folder::new();
    let script = "cd \"$0\" && rmdir \"$0\" && exec \"$@\"";
    let deleted = folder.path().join("deleted");
    let in_deleted = |args: &[&str]| {
        fs::create_dir(&deleted).unwrap();
        let mut shell = program("sh");
        shell.args(["-c", script]).arg(&deleted).arg(env!("CARGO_BIN_EXE_telefile")).args(args);
        shell
    };
    let serving = Serving::from(in_deleted(&["serve", "--listen", "127.0.0.1:0"]));
    serving.logs(&["WARN", "./files", "working folder"]);
    let mut client = serving.client();
    assert_eq!(client.write("f", b"x"), "OK 1");
    assert_eq!(client.ask("open t TextFile"), "FD 0 2 TextFile");
    assert_eq!(client.write("t", b"x"), "ERR_INTERNAL");
    // An absolute root works.
    let root = folder.path().join("files");
    let root = root.to_str().unwrap();
    let serving = Serving::from(in_deleted(&["serve", "--listen", "127.0.0.1:0", "--root", root]));
    let mut client = serving.client();
    assert_eq!(client.ask("open t TextFile"), "FD 0 1 TextFile");
    assert_eq!(client.write("t", b"x"), "OK 2");
    assert!(!serving.log().contains("working folder"), "{}", serving.log());
    // Each of the other commands names its file.
    let data = format!("{}", folder.path().join("data").display());
    for args in
        [&["serve", "--data", "new", "--listen", "127.0.0.1:0"][..], &["backup", "d", &data]]
    {
        let ended = run(in_deleted(args));
        let last = ended.stderr.lines().last().unwrap_or_default();
        let words = ["telefile: new", "telefile: d: "];
        assert!(ended.status == 1 && words.iter().any(|w| last.starts_with(w)), "{ended:?}");
    }
    assert_eq!(run(telefile(&["--version"])).status, 0);
}
