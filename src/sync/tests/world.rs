//! A server on a socket, and folders beside it.

use crate::server::{Builder, Running, Server};
use crate::sync::error::Error;
use crate::sync::folder::Folder;
use crate::sync::report::{Event, Observer, Progress, Stop, Summary};
use crate::sync::settings::Settings;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder of its own for everything, and a server.
pub(super) struct World {
    pub(super) home: PathBuf,
    server: Option<Running>,
    pub(super) id: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let name = format!("telefile-sync-{:x}", RandomState::new().hash_one(0));
        // Where there is memory for it, a flush costs nothing.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let home = place.join(name);
        fs::create_dir(&home).unwrap();
        let mut world = World { home, server: None, id: None };
        world.start();
        world
    }

    /// A world whose server keeps its files.
    #[cfg(feature = "durable")]
    pub(super) fn durable() -> Self {
        let mut world = World::new();
        world.stop();
        world.start_durable();
        world
    }

    /// Starts a server; one that keeps nothing.
    pub(super) fn start(&mut self) {
        self.server = Some(self.builder().bind().unwrap().spawn().unwrap());
    }

    /// Starts a server that keeps nothing, with this much memory for files.
    pub(super) fn start_small(&mut self, max_memory: u64) {
        let builder = self.builder().max_memory(max_memory);
        self.server = Some(builder.bind().unwrap().spawn().unwrap());
    }

    /// Starts a server that keeps its files.
    #[cfg(feature = "durable")]
    pub(super) fn start_durable(&mut self) {
        let data = self.home.join("data");
        self.server = Some(self.builder().data(data).bind().unwrap().spawn().unwrap());
    }

    fn builder(&self) -> Builder {
        Server::builder().listen(self.address().parse().unwrap())
    }

    /// Stops the server. What it does not keep is lost.
    pub(super) fn stop(&mut self) {
        drop(self.server.take());
    }

    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.home.join("socket").display())
    }

    /// Returns the settings of a client with a folder of this name.
    pub(super) fn settings(&self, name: &str) -> Settings {
        let path = self.home.join(name);
        fs::create_dir_all(&path).unwrap();
        let mut settings = Settings::new(self.address(), path, Duration::from_secs(1));
        settings.state_home = Some(self.home.join(format!("{name}-state")));
        settings.timeout = Duration::from_secs(20);
        settings.id = self.id.clone();
        settings
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    pub(super) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(super) fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    /// Returns everything in a folder but its marker: contents or a `/` for folders, and modes.
    pub(super) fn tree(&self, name: &str) -> BTreeMap<String, (String, u32)> {
        fn walk(root: &Path, at: &Path, tree: &mut BTreeMap<String, (String, u32)>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.file_name().unwrap() == ".telefile-sync" {
                    continue;
                }
                let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
                let name = name.escape_ascii().to_string();
                let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
                let what = match () {
                    () if path.is_symlink() => "->".to_string(),
                    () if path.is_dir() => "/".to_string(),
                    () => fs::read(&path).unwrap().escape_ascii().to_string(),
                };
                tree.insert(name, (what, mode));
                if path.is_dir() && !path.is_symlink() {
                    walk(root, &path, tree);
                }
            }
        }
        let (root, mut tree) = (self.path(name), BTreeMap::new());
        walk(&root, &root, &mut tree);
        tree
    }

    /// Returns the names in [`tree`](World::tree).
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        self.tree(name).into_keys().collect()
    }

    /// Does rounds in a folder until nothing is in motion, as `--once` does.
    pub(super) fn try_sync(&mut self, name: &str) -> Result<Summary, Error> {
        let settings = self.settings(name);
        self.try_sync_with(&settings)
    }

    pub(super) fn try_sync_with(&mut self, settings: &Settings) -> Result<Summary, Error> {
        let id = &mut self.id;
        let mut observer = |event: Event<'_>| {
            if let Event::Id(new) = event {
                *id = Some(new.to_string());
            }
        };
        let settings = Settings { once: true, ..settings.clone() };
        crate::sync::run(&settings, &mut observer, &Stop::new())
    }

    #[track_caller]
    pub(super) fn sync(&mut self, name: &str) -> Summary {
        self.try_sync(name).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Syncs the folders until all of them are quiet.
    #[track_caller]
    pub(super) fn settle(&mut self, names: &[&str]) {
        for _ in 0..10 {
            let quiet = names.iter().filter(|name| {
                let summary = self.sync(name);
                summary.is_quiet() && summary.pending == 0
            });
            if quiet.count() == names.len() {
                return;
            }
        }
        panic!("{names:?} do not come to rest");
    }

    #[track_caller]
    pub(super) fn assert_equal(&self, a: &str, b: &str) {
        let (a, b) = (self.tree(a), self.tree(b));
        assert!(a == b, "{:?}\n{:?}", a.keys(), b.keys());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Opens a folder to do single rounds in it.
pub(super) fn open<'a>(
    settings: &'a Settings,
    observer: &'a mut dyn Observer,
) -> Result<Folder<'a>, Error> {
    Folder::check(settings)?;
    let client = settings.builder().connect(&settings.address)?;
    Folder::open(settings, client, Progress::new(observer, Stop::new()))
}
