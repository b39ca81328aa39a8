use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use super::*;

fn house() -> tempfile::TempDir {
    let house = tempfile::tempdir().unwrap();
    for kind in ScriptKind::ALL {
        fs::create_dir(house.path().join(kind.folder())).unwrap();
    }
    house
}

fn write(dir: &Path, place: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    set_mode(&path, 0o644);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn labels(dir: &Path) -> Vec<String> {
    look(dir).unwrap().found.iter().map(|found| format!("{}/{}", found.kind.folder(), found.name)).collect()
}

/// Why the only file is not read.
fn refused(dir: &Path) -> ScriptFault {
    let found = look(dir).unwrap().found;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].text.clone().unwrap_err()
}

#[test]
fn scripts_lie_in_three_folders_and_nowhere_else() {
    let house = house();
    let dir = house.path();
    for place in ["lib/c", "fields/b", "fields/a-1_X", "flows/b"] {
        write(dir, &format!("{place}.rhai"), place);
    }
    for place in ["a.rhai", "other/a.rhai", "fields/deep/a.rhai", "fields/README.md", "fields/a.rhai.txt"] {
        write(dir, place, "not one of them");
    }
    assert_eq!(labels(dir), ["fields/a-1_X", "fields/b", "flows/b", "lib/c"]);
    assert_eq!(look(dir).unwrap().found[3].text.as_deref(), Ok("lib/c"));
    assert!(labels(&dir.join("nowhere")).is_empty());
    let strays = look(dir).unwrap().strays;
    assert_eq!(strays.len(), 1, "what lies beside the folders is told");
    assert!(strays[0].to_string().starts_with("a: It lies beside the folders fields, flows and lib"));
}

#[test]
fn what_editors_leave_for_a_while_is_no_script() {
    let house = house();
    for name in
        [".a.rhai", ".a.rhai.swp", "a.rhai~", "a~.rhai", "a.rhai.bak", "#a.rhai#", ".#a.rhai", "a.rhai.tmp", ".rhai"]
    {
        write(house.path(), &format!("fields/{name}"), "half");
    }
    assert!(labels(house.path()).is_empty());
}

#[test]
fn a_file_that_is_not_read_says_why() {
    let lines = |file: &str| format!("{}{file}", "x".repeat(70));
    for (name, why) in [("a b", "A script's name"), ("ü", "A script's name"), (&lines("y"), "A script's name")] {
        let house = house();
        write(house.path(), &format!("fields/{name}.rhai"), "");
        assert!(refused(house.path()).text.starts_with(why), "{name}");
    }
    let house = house();
    let file = house.path().join("fields/a.rhai");
    fs::create_dir(&file).unwrap();
    assert_eq!(refused(house.path()).text, "It is no regular file. Put a file in its place.");
    fs::remove_dir(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_eq!(refused(house.path()).text, "It is no regular file. Put a file in its place.");
    fs::remove_file(&file).unwrap();
    write(house.path(), "fields/a.rhai", "1");
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&file, mode);
        assert_eq!(refused(house.path()).text, "Others than its owner may write it. Run chmod go-w on it.");
    }
    set_mode(&file, 0o644);
    // Only root can give files away.
    if chown(&file, Some(12_345), None).is_ok() && rustix::process::geteuid().is_root() {
        assert!(refused(house.path()).text.starts_with("It belongs neither to root nor"));
    }
}

#[test]
fn a_file_of_a_gigabyte_is_refused_by_its_size() {
    let house = house();
    write(house.path(), "flows/a.rhai", "");
    File::options().write(true).open(house.path().join("flows/a.rhai")).unwrap().set_len(1 << 30).unwrap();
    let fault = refused(house.path());
    assert_eq!(fault.script, "flows/a");
    assert_eq!(fault.text, "It has 1073741824 bytes; the most is 262144. Move parts of it into lib.");
    write(house.path(), "flows/a.rhai", "/".repeat(262_144));
    assert!(look(house.path()).unwrap().found[0].text.is_ok());
}

#[test]
fn a_link_may_lead_about_in_the_folder_and_not_out_of_it() {
    let house = house();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.rhai", "secret");
    let link = house.path().join("fields/a.rhai");
    symlink(outside.path().join("secret.rhai"), &link).unwrap();
    assert!(refused(house.path()).text.starts_with("It is a link that leads out of the scripts folder."));
    fs::remove_file(&link).unwrap();
    symlink("nowhere", &link).unwrap();
    assert!(labels(house.path()).is_empty());
    fs::remove_file(&link).unwrap();
    // As mounts of an orchestrator do it.
    write(house.path(), "fields/..2025/a.rhai", "mounted");
    symlink("..2025", house.path().join("fields/..data")).unwrap();
    symlink("..data/a.rhai", &link).unwrap();
    assert_eq!(look(house.path()).unwrap().found[0].text.as_deref(), Ok("mounted"));
}

#[test]
fn a_text_is_utf8_and_the_mark_before_it_is_no_part_of_it() {
    let house = house();
    write(house.path(), "lib/a.rhai", "\u{feff}fn a() {}");
    assert_eq!(look(house.path()).unwrap().found[0].text.as_deref(), Ok("fn a() {}"));
    write(house.path(), "lib/a.rhai", b"// one\n// \xe9\n");
    let fault = refused(house.path());
    assert_eq!((fault.line, fault.text.as_str()), (Some(2), "It is not UTF-8. Save it as UTF-8."));
}

#[test]
fn a_folder_that_is_not_to_be_trusted_is_not_read() {
    let house = house();
    write(house.path(), "fields/a.rhai", "");
    set_mode(&house.path().join("fields"), 0o777);
    assert!(matches!(look(house.path()), Err(Error::Open(_))));
    set_mode(&house.path().join("fields"), 0o755);
    assert!(look(house.path()).is_ok());
    let file = house.path().join("fields/a.rhai");
    assert!(matches!(look(&file), Err(Error::Folder { .. })));
}

#[test]
fn a_thousand_scripts_are_read_and_not_one_more() {
    let house = house();
    for number in 0..MAX_SCRIPTS {
        write(house.path(), &format!("lib/n{number}.rhai"), "");
    }
    assert_eq!(look(house.path()).unwrap().found.len(), MAX_SCRIPTS);
    write(house.path(), "fields/a.rhai", "");
    assert!(matches!(look(house.path()), Err(Error::TooMany(_))));
}

#[test]
fn a_listing_is_another_one_after_each_change_and_the_same_without() {
    let house = house();
    let dir = house.path().join("scripts");
    let mut seen = vec![listing(&dir)];
    let mut changed = |what: &str| {
        let now = listing(&dir);
        assert_eq!(now, listing(&dir), "{what}");
        assert!(!seen.contains(&now), "{what}");
        seen.push(now);
    };
    write(&dir, "fields/a.rhai", "1");
    changed("a folder that comes");
    write(&dir, "fields/a.rhai", "12");
    changed("a file that grows");
    set_mode(&dir.join("fields/a.rhai"), 0o666);
    changed("a file with other rights");
    fs::rename(dir.join("fields/a.rhai"), dir.join("fields/b.rhai")).unwrap();
    changed("a file with another name");
    write(&dir, "fields/c.rhai", "12");
    fs::rename(dir.join("fields/c.rhai"), dir.join("fields/b.rhai")).unwrap();
    changed("a file in the place of another");
    fs::remove_file(dir.join("fields/b.rhai")).unwrap();
    changed("a file that goes");
}
