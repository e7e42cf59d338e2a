//! Chapter 20: an edit, a move and a deletion reach the other folder, and of two edits both are kept.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process};
use telefile::Server;
use telefile::sync::{self, Event, Settings, Stop};

/// A folder for both, removed when dropped.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Does one round for a folder. Returns the id of its session.
fn round(place: &Path, folder: &str, settings: &Settings) -> Result<String, Box<dyn Error>> {
    let mut settings = settings.clone();
    settings.path = place.join(folder);
    let mut id = String::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Id(new) = event {
            id = new.to_string();
        }
    };
    let did = sync::run(&settings, &mut observer, &Stop::new())?;
    println!("  {folder}: {did}");
    Ok(id)
}

/// Returns the names of the files in a folder, without the marker.
fn names(folder: PathBuf) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let Place(place) = &Place(env::temp_dir().join(format!("telefile-ch20-{}", process::id())));
    let (here, there) = (place.join("here"), place.join("there"));
    [&here, &there].iter().try_for_each(fs::create_dir_all)?;
    let mut settings = Settings::new(server.addresses()[0].to_string(), "", Duration::ZERO);
    settings.once = true;
    settings.state_home = Some(place.join("state"));

    println!("two new files");
    fs::write(here.join("list"), "milk")?;
    fs::write(here.join("old"), "draft")?;
    settings.id = Some(round(place, "here", &settings)?);
    round(place, "there", &settings)?;

    println!("an edit there, and a move here");
    fs::write(there.join("list"), "milk, bread")?;
    fs::rename(here.join("old"), here.join("new"))?;
    ["there", "here", "there"].iter().try_for_each(|f| round(place, f, &settings).map(drop))?;
    assert_eq!(fs::read_to_string(here.join("list"))?, "milk, bread");
    assert!(names(there.clone())?.iter().eq(["list", "new"]));

    println!("a deletion there, and an edit on both sides");
    fs::remove_file(there.join("new"))?;
    fs::write(there.join("list"), "tea")?;
    fs::write(here.join("list"), "coffee")?;
    ["there", "here", "there"].iter().try_for_each(|f| round(place, f, &settings).map(drop))?;
    assert_eq!(names(here.clone())?, names(there)?);
    assert_eq!(names(here)?.len(), 2);
    println!("both folders have tea, and coffee under another name");
    Ok(())
}
