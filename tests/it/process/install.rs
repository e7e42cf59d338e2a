//! What `make install` installs, and `make deb` packages: below a folder of the test, with the
//! program of the tests.
#![cfg(feature = "durable")]

use super::{Ended, run, telefile};
use crate::programs::{has, program, skipped};
use crate::server::Folder;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILT: &str = env!("CARGO_BIN_EXE_telefile");

/// Returns `make` with these arguments. Whoever installs may have a umask that hides all files.
fn make(args: &[&str]) -> Command {
    let mut make = program("sh");
    make.args(["-c", "umask 077; exec make --no-print-directory -s -C \"$0\" \"$@\"", ROOT])
        .args(args);
    // Of the `make test` that runs this.
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BINARY", "PREFIX", "DESTDIR", "SYSCONFDIR"] {
        make.env_remove(name);
    }
    make
}

/// Installs below `folder`.
fn install(folder: &Path, args: &[&str]) {
    let (binary, below) = (format!("BINARY={BUILT}"), format!("DESTDIR={}", folder.display()));
    let Ended { status, stderr, .. } = run(make(&[&["install", &binary, &below], args].concat()));
    assert_eq!((status, &stderr[..]), (0, ""));
}

/// Returns the files below a folder, by their paths from there.
pub(super) fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => walk(&entry, found),
                false => found.push(entry),
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
}

/// The files of an installation, and the pages of these verbs.
fn expected(prefix: &str, settings: &str) -> BTreeSet<String> {
    let help = run(telefile(&["--help"])).stdout;
    let (_, verbs) = help.split_once("\nCommands:\n").unwrap();
    let verbs = verbs.lines().take_while(|line| !line.is_empty());
    let verbs = verbs.filter_map(|line| line.split_whitespace().next());
    let pages = verbs.filter(|verb| *verb != "help").map(|verb| format!("telefile-{verb}.1"));
    let pages = pages.chain(["telefile.1".to_string()]);
    let files = pages.map(|page| format!("{prefix}/share/man/man1/{page}"));
    let others = [
        "bin/telefile",
        "share/bash-completion/completions/telefile",
        "share/zsh/site-functions/_telefile",
        "share/fish/vendor_completions.d/telefile.fish",
        "lib/systemd/system/telefile.service",
        "lib/systemd/system/telefile.socket",
        "lib/sysusers.d/telefile.conf",
    ];
    let others = others.map(|file| format!("{prefix}/{file}"));
    files.chain(others).chain([format!("{settings}/telefile/telefile.toml")]).collect()
}

#[test]
fn make_install_installs_all_and_make_uninstall_all_but_the_settings() {
    for (args, prefix, settings) in [
        (&["PREFIX=/usr"][..], "usr", "etc"),
        (&[], "usr/local", "usr/local/etc"),
        (&["PREFIX=/opt/my tools", "SYSCONFDIR=/etc/opt"], "opt/my tools", "etc/opt"),
    ] {
        let folder = Folder::new();
        let root = folder.path().join("a folder");
        let at = |file: &str| root.join(file);
        install(&root, args);
        assert_eq!(files(&root), expected(prefix, settings));
        for file in files(&root) {
            let mode = fs::metadata(at(&file)).unwrap().permissions().mode() & 0o777;
            let expected = if file.ends_with("bin/telefile") { 0o755 } else { 0o644 };
            assert_eq!(mode, expected, "{file}");
        }
        let unit = fs::read_to_string(at(prefix).join("lib/systemd/system/telefile.service"));
        let start =
            format!("/{prefix}/bin/telefile serve --config /{settings}/telefile/telefile.toml");
        assert!(unit.unwrap().contains(&format!("ExecStart={start}\n")));
        let mut installed = program(at(prefix).join("bin/telefile"));
        installed.arg("--version");
        assert!(run(installed).stdout.starts_with("telefile "));

        // Somebody's settings stay at the next installation.
        let own = at(settings).join("telefile/telefile.toml");
        fs::write(&own, "connections = 7\n").unwrap();
        install(&root, args);
        assert_eq!(fs::read_to_string(&own).unwrap(), "connections = 7\n");
        let below = format!("DESTDIR={}", root.display());
        assert_eq!(run(make(&[&["uninstall", &below], args].concat())).status, 0);
        assert_eq!(files(&root), [format!("{settings}/telefile/telefile.toml")].into());
    }
}

#[test]
fn make_install_builds_the_program_first() {
    let dry = |args: &[&str]| run(make(&[&["-n", "install"], args].concat())).stdout;
    assert!(dry(&[]).contains("build"), "{}", dry(&[]));
    assert!(!dry(&[&format!("BINARY={BUILT}")]).contains("build"));
}

/// Who builds chooses the features. A package and the image have all that a server can use.
#[test]
fn packages_are_built_with_etcd_and_others_with_what_is_asked_for() {
    let dry = |args: &[&str]| run(make(&[&["-n", "CARGO=true"], args].concat())).stdout;
    let builds = |args: &[&str], features: Option<&str>| {
        let said = dry(args);
        let lines = said.lines().filter(|line| line.starts_with("true build "));
        let lines: Vec<_> = lines.map(|line| line.split_once("--features ").map(|l| l.1)).collect();
        assert_eq!(lines, [features], "{args:?}: {said}");
    };
    for target in ["build", "install"] {
        builds(&[target], None);
        builds(&[target, "FEATURES=etcd"], Some("'etcd'"));
    }
    builds(&["deb"], Some("'etcd-tls'"));
    builds(&["deb", "FEATURES=etcd"], Some("'etcd'"));
    assert!(!dry(&["deb", "BINARY=/bin/true"]).contains("true build "));
}

/// Returns the units as they are installed, but for what this machine may not have.
fn units(folder: &Folder) -> [PathBuf; 2] {
    install(folder.path(), &["PREFIX=/usr"]);
    let unit = |name: &str| folder.path().join("usr/lib/systemd/system").join(name);
    let service = fs::read_to_string(unit("telefile.service")).unwrap();
    // It looks for the program, and for the manual page.
    let service = service.replace("/usr/bin/telefile", BUILT);
    let service = service.replace("Documentation=man:telefile-serve(1)\n", "");
    fs::write(unit("telefile.service"), service).unwrap();
    ["telefile.service", "telefile.socket"].map(unit)
}

#[test]
fn systemd_accepts_the_units_and_calls_them_safe() {
    if !has("systemd-analyze") {
        return;
    }
    let folder = Folder::new();
    let units = units(&folder);
    let analyze = |args: &[&str], units: &[PathBuf]| {
        let mut analyze = program("systemd-analyze");
        analyze.args(args).args(units);
        run(analyze)
    };
    let verified = analyze(&["verify"], &units);
    assert_eq!((verified.status, &verified.stderr[..]), (0, ""), "{verified:?}");
    let help = analyze(&["--help"], &[]).stdout;
    if !help.contains("--offline") || !help.contains("--threshold") {
        return skipped("systemd-analyze security knows no --offline here");
    }
    // From 0, safe, to 100. A service without any setting has 96.
    let security = ["security", "--no-pager", "--offline=true", "--threshold=20"];
    let secured = analyze(&security, &units[..1]);
    assert_eq!(secured.status, 0, "{secured:?}");
}

#[test]
fn systemd_makes_the_user_of_the_service() {
    if !has("systemd-sysusers") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skipped("only root may make a user");
    }
    let folder = Folder::new();
    fs::create_dir(folder.path().join("etc")).unwrap();
    let mut sysusers = program("systemd-sysusers");
    sysusers.arg(format!("--root={}", folder.path().display()));
    sysusers.arg(format!("{ROOT}/packaging/sysusers.conf"));
    assert_eq!(run(sysusers).status, 0);
    let users = fs::read_to_string(folder.path().join("etc/passwd")).unwrap();
    assert!(users.starts_with("telefile:x:") && users.contains("nologin"), "{users}");
}

#[test]
fn the_service_keeps_its_files_where_it_may_write() {
    let settings = fs::read_to_string(format!("{ROOT}/packaging/telefile.toml")).unwrap();
    let unit = fs::read_to_string(format!("{ROOT}/packaging/telefile.service")).unwrap();
    let users = fs::read_to_string(format!("{ROOT}/packaging/sysusers.conf")).unwrap();
    assert!(unit.contains("\nUser=telefile\n") && users.starts_with("u telefile "));
    assert!(unit.contains("\nStateDirectory=telefile\n"));
    for key in ["data", "root"] {
        assert!(settings.contains(&format!("\n{key} = \"/var/lib/telefile/")), "{key}");
    }
}

#[test]
fn the_image_has_what_make_install_installs() {
    let dockerfile = fs::read_to_string(format!("{ROOT}/Dockerfile")).unwrap();
    assert!(dockerfile.contains("RUN make install FEATURES=etcd-tls PREFIX=/usr DESTDIR=/image\n"));
    let below = expected("usr", "etc");
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY --from=build "));
    let copied = copied.filter_map(|line| line.split_once("/image/")?.1.split(' ').next());
    let copied: Vec<_> = copied.filter(|file| !file.starts_with("var/")).collect();
    assert!(!copied.is_empty() && copied.iter().all(|file| below.contains(*file)), "{copied:?}");
    // Its variables are flags.
    let help = run(telefile(&["serve", "--help"])).stdout;
    let variables = dockerfile.split_whitespace().filter_map(|word| word.split_once('='));
    for (name, _) in variables.filter(|(name, _)| name.starts_with("TELEFILE_")) {
        assert!(help.contains(name), "{name}");
    }
}

/// The table of Cargo.toml puts each file where `make install PREFIX=/usr` does, except zsh's, for
/// which Debian has a folder of its own.
#[test]
fn the_package_has_what_make_install_installs() {
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).unwrap();
    let (_, assets) = manifest.split_once("assets = [\n").unwrap();
    let assets = assets.split_once("\n]\n").unwrap().0.lines();
    let assets: Vec<_> = assets.map(|line| line.split('"').collect::<Vec<_>>()).collect();
    let mut missing = expected("usr", "etc");
    for asset in assets {
        let (source, to, mode) = (asset[1], asset[3], asset[5]);
        let Some(file) = source.strip_prefix("target/package/") else {
            assert!(Path::new(ROOT).join(source).exists(), "{source}");
            continue;
        };
        let (folder, name) = file.rsplit_once('/').unwrap();
        let to = to.replace("vendor-completions", "site-functions");
        assert_eq!(to, format!("{folder}/"));
        assert_eq!(mode, if folder.ends_with("bin") { "755" } else { "644" });
        let found: Vec<_> =
            missing.iter().filter(|path| is_of(path, folder, name)).cloned().collect();
        assert!(!found.is_empty(), "{source}");
        found.iter().for_each(|path| assert!(missing.remove(path)));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The end of etcd is no news: that of the server ends it.
#[test]
fn what_make_run_etcd_starts_ends_without_a_word() {
    if has("etcd") {
        let mut script = program("sh");
        script.args([&format!("{ROOT}/tests/run_etcd.sh"), "true"]);
        let Ended { status, stdout, stderr } = run(script);
        assert_eq!((status, &stdout[..], &stderr[..]), (0, "", ""));
    }
}

/// Returns whether a path is one of the files `name`, which may be all, of a folder.
fn is_of(path: &str, folder: &str, name: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(at, file)| at == folder && (name == "*" || name == file))
}

#[test]
fn without_cargo_deb_make_deb_says_how_to_install_it() {
    let folder = Folder::new();
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\nexit 101\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let Ended { status, stdout, stderr } =
        run(make(&["deb", &format!("CARGO={}", cargo.display())]));
    assert_eq!((status, &stdout[..]), (2, ""));
    assert!(stderr.contains("cargo install cargo-deb --locked"), "{stderr}");
}

/// Unpacked below a folder of the test: nothing is installed.
#[test]
fn the_debian_package_can_be_unpacked_and_looked_into() {
    let mut version = program("cargo");
    version.args(["deb", "--version"]);
    if run(version).status != 0 {
        return skipped("cargo-deb is not installed");
    }
    if !has("dpkg-deb") {
        return;
    }
    let folder = Folder::new();
    let output = format!("ARGS=--output {}", folder.path().join("telefile.deb").display());
    let made = run(make(&["deb", &format!("BINARY={BUILT}"), &output]));
    assert_eq!(made.status, 0, "{made:?}");
    let dpkg_deb = |option: &str, to: &str| {
        let mut dpkg = program("dpkg-deb");
        dpkg.arg(option).arg(folder.path().join("telefile.deb")).arg(folder.path().join(to));
        let ended = run(dpkg);
        assert_eq!(ended.status, 0, "{ended:?}");
        files(&folder.path().join(to))
    };
    let installed = dpkg_deb("-x", "installed").into_iter();
    let installed = installed.filter(|file| !file.starts_with("usr/share/doc/"));
    let installed = installed
        .map(|file| file.trim_end_matches(".gz").replace("vendor-completions", "site-functions"));
    assert_eq!(installed.collect::<BTreeSet<_>>(), expected("usr", "etc"));
    let mut program_of_it = program(folder.path().join("installed/usr/bin/telefile"));
    program_of_it.arg("--version");
    assert_eq!(run(program_of_it).status, 0);

    let control = dpkg_deb("-e", "control");
    for script in ["postinst", "prerm", "postrm"] {
        assert!(control.contains(script), "{control:?}");
        let mut check = program("sh");
        check.arg("-n").arg(folder.path().join("control").join(script));
        assert_eq!(run(check).status, 0, "{script}");
    }
    let text = |file| fs::read_to_string(folder.path().join("control").join(file)).unwrap();
    assert_eq!(text("conffiles").trim(), "/etc/telefile/telefile.toml");
    let about = text("control");
    for line in ["Package: telefile", "Depends: libc6", "Section: net"] {
        assert!(about.contains(line), "{about}");
    }
}
