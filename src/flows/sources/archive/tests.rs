use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::flows::sources::unpack::outermost;

/// Unpacks bytes; gives the files with their contents, or the refusal.
fn unpacked(bytes: &[u8], most_mib: u64) -> Result<BTreeMap<String, String>, String> {
    let scratch = tempfile::tempdir().unwrap();
    let mut archive = tempfile::tempfile().unwrap();
    archive.write_all(bytes).unwrap();
    archive.rewind().unwrap();
    let folder = scratch.path().join("inside");
    fs::create_dir(&folder).unwrap();
    let done = unpack(archive, &folder, most_mib);
    // Whatever became of it, nothing is beside the folder.
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    done.map_err(|refused| refused.to_string())?;
    let mut files = BTreeMap::new();
    collect(&folder, "", &mut files);
    Ok(files)
}

fn collect(folder: &Path, path: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{path}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

/// A header with any name, as only an attacker writes it.
fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    let old = header.as_old_mut();
    for (to, from) in old.name.iter_mut().zip(name) {
        *to = *from;
    }
    header.set_cksum();
    header
}

fn tar_of(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let header = header(name, *kind, content.len() as u64);
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(fill: impl FnOnce(&mut ZipWriter<io::Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    fill(&mut writer);
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked() {
    let long = format!("a/{}/b.txt", "n".repeat(150));
    let mut builder = Builder::new(Vec::new());
    for (name, content) in [("a/x.txt", "x"), (long.as_str(), "long")] {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder
            .append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let expected = BTreeMap::from([
        ("a/x.txt".to_owned(), "x".to_owned()),
        (long, "long".into()),
    ]);
    assert_eq!(unpacked(&tar, 1).unwrap(), expected);
    assert_eq!(unpacked(&gzip(&tar), 1).unwrap(), expected);
    let zip = zip_of(|zip| {
        zip.add_directory("a/", SimpleFileOptions::default())
            .unwrap();
        for (name, content) in &expected {
            zip.start_file(
                name.as_str(),
                SimpleFileOptions::default().unix_permissions(0o755),
            )
            .unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
    });
    assert_eq!(unpacked(&zip, 1).unwrap(), expected);
}

#[test]
fn pax_names_are_heeded() {
    let name = format!("a/{}.txt", "ü".repeat(80));
    let value = format!("path={name}\n");
    // The length counts its own digits and the blank.
    let record = format!("{} {value}", value.len() + 4);
    let tar = tar_of(&[
        (
            b"pax_global_header",
            EntryType::XGlobalHeader,
            b"18 comment=abcdef\n",
        ),
        (b"pax", EntryType::XHeader, record.as_bytes()),
        (b"short", EntryType::Regular, b"content"),
        (b"./", EntryType::Directory, b""),
        (b"./b//c", EntryType::Regular, b"c"),
    ]);
    let files = unpacked(&tar, 1).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), [&name, "b/c"]);
    let sized = tar_of(&[
        (b"pax", EntryType::XHeader, b"10 size=1\n"),
        (b"a", EntryType::Regular, b"content"),
    ]);
    assert!(unpacked(&sized, 1).unwrap_err().contains("another size"));
}

#[test]
fn nothing_leads_out() {
    for name in [
        &b"../x"[..],
        b"a/../../x",
        b"/etc/passwd",
        b"..",
        b"a\\..\\x",
        b"a\nb",
        b"\xff\xfe",
    ] {
        let tar = tar_of(&[(name, EntryType::Regular, b"x")]);
        assert!(unpacked(&tar, 1).is_err(), "{name:?}");
        let tar = tar_of(&[(name, EntryType::Directory, b"")]);
        assert!(unpacked(&tar, 1).is_err(), "{name:?}");
        if let Ok(name) = std::str::from_utf8(name) {
            let zip = zip_of(|zip| {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
            });
            // Some writers make another name of it, which is as good.
            let files = unpacked(&zip, 1).unwrap_or_default();
            assert!(files.keys().all(|name| !name.contains("..")), "{files:?}");
        }
    }
}

#[test]
fn only_files_and_folders_are_made() {
    for (kind, word) in [
        (EntryType::Symlink, "link"),
        (EntryType::Link, "link"),
        (EntryType::Char, "neither"),
        (EntryType::Block, "neither"),
        (EntryType::Fifo, "neither"),
        (EntryType::GNUSparse, "neither"),
    ] {
        let tar = tar_of(&[(b"a", kind, b"")]);
        let refused = unpacked(&tar, 1).unwrap_err();
        assert!(refused.contains(word), "{kind:?}: {refused}");
    }
    let zip = zip_of(|zip| {
        zip.add_symlink("a", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
    });
    assert!(unpacked(&zip, 1).unwrap_err().contains("link"));
}

#[test]
fn a_name_is_one_thing() {
    for second in [&b"a"[..], b"a/b", b"./a"] {
        let tar = tar_of(&[
            (b"a", EntryType::Regular, b"1"),
            (second, EntryType::Regular, b"2"),
        ]);
        assert!(
            unpacked(&tar, 1).unwrap_err().contains("twice"),
            "{second:?}"
        );
    }
}

#[test]
fn bombs_do_not_go_off() {
    // Two MiB that are next to nothing when packed.
    let zeros = vec![0_u8; 2 << 20];
    let tar = tar_of(&[(b"a", EntryType::Regular, &zeros)]);
    let packed = gzip(&tar);
    assert!(packed.len() < 20_000);
    assert!(
        unpacked(&packed, 1)
            .unwrap_err()
            .contains("larger than 1 MiB")
    );
    assert!(unpacked(&packed, 2).is_ok());
    let zip = zip_of(|zip| {
        zip.start_file("a", SimpleFileOptions::default()).unwrap();
        zip.write_all(&zeros).unwrap();
    });
    assert!(unpacked(&zip, 1).unwrap_err().contains("larger than 1 MiB"));
    // A name that would be read into memory.
    let name = tar_of(&[
        (b"././@LongLink", EntryType::GNULongName, &zeros),
        (b"a", EntryType::Regular, b""),
    ]);
    assert!(unpacked(&gzip(&name), 1).unwrap_err().contains("header"));
    let mut builder = Builder::new(Vec::new());
    for number in 0..=MOST_ENTRIES {
        let header = header(format!("f{number}").as_bytes(), EntryType::Directory, 0);
        builder.append(&header, &[][..]).unwrap();
    }
    let many = builder.into_inner().unwrap();
    assert!(unpacked(&many, 1).unwrap_err().contains("more than"));
    let deep = "d/".repeat(40);
    let tar = tar_of(&[(deep.as_bytes(), EntryType::Directory, b"")]);
    assert!(unpacked(&tar, 1).unwrap_err().contains("deeper"));
}

#[test]
fn what_is_cut_off_or_no_archive_is_refused() {
    let tar = tar_of(&[(b"a", EntryType::Regular, &[7; 2000])]);
    for length in [0, 3, 100, 511, 700, 1536] {
        let cut = tar.get(..length).unwrap();
        assert!(unpacked(cut, 1).is_err(), "{length}");
    }
    let packed = gzip(&tar);
    assert!(unpacked(packed.get(..20).unwrap(), 1).is_err());
    assert!(unpacked(&[0; 2000], 1).is_err());
    assert!(unpacked(b"name: no archive at all, but a text\n", 1).is_err());
    let zip = zip_of(|zip| {
        zip.start_file("a", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"content").unwrap();
    });
    for length in 4..zip.len() {
        assert!(unpacked(zip.get(..length).unwrap(), 1).is_err(), "{length}");
    }
}

#[test]
fn a_single_folder_is_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    fs::create_dir(&top).unwrap();
    assert_eq!(outermost(folder.path()).unwrap(), top);
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(outermost(folder.path()).unwrap(), folder.path());
}

mod any_bytes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn are_unpacked_or_refused(
            at in 0_usize..4000,
            bytes in prop::collection::vec(any::<u8>(), 1..40),
            is_zip in any::<bool>(),
        ) {
            let mut archive = if is_zip {
                zip_of(|zip| {
                    zip.start_file("a/b", SimpleFileOptions::default()).unwrap();
                    zip.write_all(b"content").unwrap();
                })
            } else {
                tar_of(&[(b"a/b", EntryType::Regular, b"content"), (b"c", EntryType::Directory, b"")])
            };
            let at = at % archive.len();
            for (to, from) in archive.iter_mut().skip(at).zip(&bytes) {
                *to = *from;
            }
            let _ = unpacked(&archive, 1);
        }
    }
}
