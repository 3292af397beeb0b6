//! What the cache trusts, and what it keeps.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

const SIZE: u64 = 1 << 20;

fn stored(cache: &Cache, key: &str) -> Option<Vec<u8>> {
    let file = cache.read(key).unwrap()?;
    let mut content = Vec::new();
    rewound(&file).unwrap().read_to_end(&mut content).unwrap();
    content.truncate(content.len() - SEAL as usize);
    Some(content)
}

#[test]
fn only_whole_content_of_ours_is_read_back() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("cache");
    let cache = Cache::open(&directory, SIZE).unwrap();
    cache.write("key", &b"code"[..]).unwrap();
    assert_eq!(stored(&cache, "key").as_deref(), Some(&b"code"[..]));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no leftovers");

    let path = directory.join("key.code");
    let content = fs::read(&path).unwrap();
    let replace = |content: &[u8]| {
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
    };
    for damage in [
        content[..content.len() - 1].to_vec(),
        content[1..].to_vec(),
        [&content[..], b"x"].concat(),
        [b"Code", &content[4..]].concat(),
        [b"codeP", &content[5..]].concat(),
        b"code".to_vec(),
        Vec::new(),
    ] {
        replace(&damage);
        assert_eq!(stored(&cache, "key"), None);
    }

    replace(&content);
    assert!(stored(&cache, "key").is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    assert_eq!(stored(&cache, "key"), None, "others could have written it");
}

#[test]
fn a_file_that_is_more_than_its_name_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("cache");
    let cache = Cache::open(&directory, SIZE).unwrap();
    cache.write("key", &b"code"[..]).unwrap();
    let path = directory.join("key.code");
    let elsewhere = root.path().join("elsewhere");

    fs::hard_link(&path, &elsewhere).unwrap();
    assert_eq!(stored(&cache, "key"), None, "it has a second name");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(stored(&cache, "key"), None, "it is a symlink");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(stored(&cache, "key"), None, "it is a directory");
    fs::remove_dir(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    assert!(stored(&cache, "key").is_some());
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let root = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o702] {
        let directory = root.path().join(format!("{mode}"));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Cache::open(&directory, SIZE).is_err(), "{mode:o}");
    }
}

#[test]
fn a_symlink_is_no_directory() {
    let root = tempfile::tempdir().unwrap();
    let (real, link) = (root.path().join("real"), root.path().join("link/"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, root.path().join("link")).unwrap();
    assert!(Cache::open(&link, SIZE).is_err());
}

#[test]
fn what_leads_to_the_directory_may_change_and_the_directory_stays() {
    let root = tempfile::tempdir().unwrap();
    let (path, away) = (root.path().join("cache"), root.path().join("away"));
    let cache = Cache::open(&path, SIZE).unwrap();
    cache.write("key", &b"ours"[..]).unwrap();
    fs::rename(&path, &away).unwrap();
    let other = Cache::open(&path, SIZE).unwrap();
    other.write("key", &b"theirs"[..]).unwrap();
    assert_eq!(stored(&cache, "key").as_deref(), Some(&b"ours"[..]));
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("cache");
    let age = |file: &str, seconds: u64| {
        let file = File::options()
            .write(true)
            .open(directory.join(file))
            .unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    let cache = Cache::open(&directory, SIZE).unwrap();
    for index in 0..FILES as u64 + 3 {
        cache.write(&index.to_string(), &b""[..]).unwrap();
        age(&format!("{index}.code"), 1_000 - index);
    }
    fs::write(directory.join("a.partial"), "").unwrap();
    fs::write(directory.join("b.partial"), "").unwrap();
    age("b.partial", 2 * ABANDONED.as_secs());
    cache.prune();
    assert!(cache.read("2").is_err(), "the oldest are gone");
    assert!(stored(&cache, "3").is_some());
    assert!(directory.join("a.partial").exists(), "somebody writes it");
    assert!(!directory.join("b.partial").exists(), "nobody writes it");

    // Room for two of these and no more.
    let cache = Cache::open(&directory, 2_500).unwrap();
    for (index, key) in ["x", "y", "z"].into_iter().enumerate() {
        cache.store(key, &[0; 1_000][..]);
        age(&format!("{key}.code"), 10 - index as u64);
    }
    cache.prune();
    assert!(cache.read("4").is_err());
    assert!(cache.read("x").is_err(), "bytes count too");
    assert!(stored(&cache, "y").is_some() && stored(&cache, "z").is_some());
}
